/** What was said about lines of a diff: findings, feedback and evidence, by file and line. Pure. */
import type { AttemptPage } from "../../domain/page-parts.ts";
import type { Tone } from "./parts.tsx";

export interface Remark {
  path: string;
  line: number;
  /** A removed line, by its number in the base. */
  old: boolean;
  tone: Tone;
  /** Who says what kind of thing, such as `skeptic: evidence for A1 (met)`. */
  head: string;
  text: string;
}

/** The remarks of one attempt that name a line. */
export function remarksOf({ findings, notes, verdicts }: AttemptPage): Remark[] {
  const remarks: Remark[] = [];
  for (const { by, criteria, feedback } of verdicts) {
    for (const { id, status, why, evidence } of criteria) {
      for (const one of evidence) {
        if (!("path" in one)) continue;
        remarks.push({
          path: one.path,
          line: one.line,
          old: one.side === "old",
          tone: status === "met" ? "good" : status === "unmet" ? "bad" : "waiting",
          head: `${by}: evidence for ${id} (${status})`,
          text: why,
        });
      }
    }
    for (const { path, line, what, why, blocking } of feedback) {
      if (path === undefined || line === undefined) continue;
      const head = `${by}: ${blocking ? "blocking feedback" : "feedback"}`;
      remarks.push({ path, line, old: false, tone: "bad", head, text: `${what}\n${why}` });
    }
  }
  // A verifier's feedback comes back as the findings of its rejection: once is enough.
  const isSaid = (path: string, line: number, message: string) =>
    remarks.some((one) => one.path === path && one.line === line && message.includes(one.text.split("\n")[0] ?? ""));
  for (const [list, tone] of [
    [findings, "bad"],
    [notes, "plain"],
  ] as const) {
    for (const { reason, message, path, line } of list.items) {
      if (path === undefined || line === undefined || isSaid(path, line, message)) continue;
      remarks.push({ path, line, old: false, tone, head: reason, text: message });
    }
  }
  return remarks;
}
