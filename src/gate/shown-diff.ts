/**
 * The diff as a verifier reads it: each change with the whole function around it, as far as that fits. What is signed is the
 * plain patch; this is a view of the same two trees.
 */
import type { Quarantine } from "../worktree/quarantine.ts";
import { showBytes, showName } from "./show-text.ts";

/** Bytes of the whole view, and of one file with its functions; the changes themselves are shown whatever their size. */
export const viewBytes = 256 * 1024;
const fileBytes = 64 * 1024;
/** Lines of context where a whole function is too long. */
const lessContext = 10;
/** Bytes of a view that git may write before it is given up: a change in the only function of a large file. */
const mostRead = 16 * 1024 * 1024;

/**
 * The view of what differs between two trees, as git writes it. Each file has as much context as fits: whole functions,
 * else ten lines, else three. `plainBytes` bounds the changes with three lines.
 */
export async function shownDiff(
  quarantine: Pick<Quarantine, "patch">,
  from: string,
  to: string,
  plainBytes: number,
): Promise<Buffer | undefined> {
  const read = async (context: number | "function", bytes: number) => {
    const found = await quarantine.patch(from, to, bytes, { context });
    return found.ok ? sectionsOf(found.patch) : undefined;
  };
  const [plain, ...views] = await Promise.all([
    read(3, plainBytes),
    read("function", mostRead),
    read(lessContext, mostRead),
  ]);
  if (!plain) return undefined;
  const chosen = [...plain];
  let room = viewBytes - plain.reduce((sum, section) => sum + section.length, 0);
  for (const view of views) {
    // git writes the same files in the same order whatever the context: otherwise it is not the same diff.
    if (view?.length !== plain.length) continue;
    const order = view.map((_, index) => index).sort((a, b) => (view[a]?.length ?? 0) - (view[b]?.length ?? 0));
    for (const index of order) {
      const [section, before, least] = [view[index], chosen[index], plain[index]];
      if (!section || !before || before !== least || section.length > fileBytes) continue;
      const more = section.length - before.length;
      if (more <= 0 || more > room) continue;
      chosen[index] = section;
      room -= more;
    }
  }
  return Buffer.concat(chosen);
}

const head = Buffer.from("diff --git ");

/** A diff's files, each with its header. Every line of content has a mark before it: only a header starts so. */
function sectionsOf(patch: Buffer): Buffer[] {
  const starts: number[] = [];
  for (let at = patch.indexOf(head); at >= 0; at = patch.indexOf(head, at + 1)) {
    if (at === 0 || patch[at - 1] === 10) starts.push(at);
  }
  return starts.map((start, index) => patch.subarray(start, starts[index + 1] ?? patch.length));
}

const hunkHead = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

/**
 * The view for a reader: every file between marks that hold a random word, every line after its number, so that nothing a
 * diff says can look like anything but a line of it. `+` was added and has its number in the result, `-` was removed and
 * has its number in the base.
 */
export function numberedDiff(patch: string, nonce: string): string {
  const out: string[] = [];
  const lines = patch.split("\n");
  let isOpen = false;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const hunk = hunkHead.exec(line);
    if (!hunk) {
      if (line === "") continue;
      if (line.startsWith("diff --git ")) {
        if (isOpen) out.push(`</file ${nonce}>`);
        out.push(`<file ${nonce}>`);
        isOpen = true;
      }
      out.push(`      : ${line}`);
      continue;
    }
    let [old, oldLeft, at, newLeft] = [hunk[1], hunk[2] ?? 1, hunk[3], hunk[4] ?? 1].map(Number) as [
      number,
      number,
      number,
      number,
    ];
    out.push("      :");
    while ((oldLeft > 0 || newLeft > 0) && i + 1 < lines.length) {
      i++;
      const content = lines[i] ?? "";
      const mark = content[0] ?? " ";
      if (mark === "\\") continue;
      const number = mark === "-" ? old : at;
      out.push(`${String(number).padStart(6)}${mark}| ${content.slice(1)}`);
      if (mark !== "-") [at, newLeft] = [at + 1, newLeft - 1];
      if (mark !== "+") [old, oldLeft] = [old + 1, oldLeft - 1];
    }
  }
  if (isOpen) out.push(`</file ${nonce}>`);
  return `${out.join("\n")}\n`;
}

/** A diff's bytes as text in which nothing is hidden; its lines are where they were. */
export const shownPatch = (patch: Buffer): string => showBytes(patch);

/** The most characters of a test run's last output that a verifier is given. */
const mostTail = 4000;

/**
 * A value of the report with every text shown and bounded. What a program of the change's printed (`tail`) stands between
 * marks as a claim; of a check that passed nothing that it printed is kept.
 */
export function shownReport(value: unknown, nonce: string): unknown {
  if (typeof value === "string") return showName(value, 1000);
  if (Array.isArray(value)) return value.map((one) => shownReport(one, nonce));
  if (value === null || typeof value !== "object") return value;
  const shown: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [key, one] of Object.entries(value)) {
    if (key === "tail" && typeof one === "string") shown[key] = claim(one, nonce);
    else shown[showName(key, 1000)] = shownReport(one, nonce);
  }
  if (shown["ok"] === true && typeof shown["detail"] === "string") shown["detail"] = "";
  return shown;
}

/** Output of code under test: it can say anything. */
function claim(text: string, nonce: string): string {
  if (text === "") return "";
  const lines = text.slice(-mostTail).split("\n");
  return [`<claim ${nonce}>`, ...lines.map((line) => `| ${showName(line, 500)}`), `</claim ${nonce}>`].join("\n");
}
