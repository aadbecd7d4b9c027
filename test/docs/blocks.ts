/** What a page shows that can be run: files it names, commands, and what they print. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const house = join(import.meta.dirname, "../..");

export interface Block {
  /** The line of the page that it begins at. */
  line: number;
  /** `sh` runs as it is, `console` line by line against its output, anything else with a name is a file. */
  kind: string;
  /** Of a file. */
  name?: string;
  /** Why it is not run. */
  notRun?: string;
  text: string;
}

export interface Step {
  command: string;
  output: string[];
}

/** The fenced blocks of a page, in order: ```` ```console ````, ```` ```yaml name.yaml ````, ```` ```sh no-run=needs-a-key ````. */
export function blocksOf(page: string): Block[] {
  const found: Block[] = [];
  for (const match of page.matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm)) {
    const [, kind = "", second, text = ""] = match;
    const line = page.slice(0, match.index).split("\n").length;
    const notRun = second?.startsWith("no-run=") ? second.slice("no-run=".length) : undefined;
    const name = second !== undefined && notRun === undefined ? second : undefined;
    found.push({ line, kind, text, ...(name ? { name } : {}), ...(notRun ? { notRun } : {}) });
  }
  return found;
}

/** Whether somebody can type it. */
export const isTyped = ({ kind }: Block) => kind === "sh" || kind === "console" || kind === "bash" || kind === "shell";

/** The commands of a transcript, each with what is shown of its output. A line that ends with `\` goes on. */
export function stepsOf(text: string): Step[] {
  const found: Step[] = [];
  let open = false;
  for (const row of text.split("\n").slice(0, -1)) {
    const last = found.at(-1);
    if (open && last) last.command += `\n${row.replace(/^> ?/, "")}`;
    else if (row.startsWith("$ ")) found.push({ command: row.slice(2), output: [] });
    else if (last) last.output.push(row);
    else throw new Error(`a transcript begins with a command, found ${row}`);
    open = (open || row.startsWith("$ ")) && row.endsWith("\\");
  }
  return found;
}

/** The pages of the project: the README and all below docs/, but the records of decisions. */
export function pages(): string[] {
  const below = readdirSync(join(house, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md") && !path.startsWith("decisions"))
    .map((path) => `docs/${path}`);
  return ["README.md", ...below.sort()];
}

export const readPage = (path: string) => readFileSync(join(house, path), "utf8");

const loose: readonly [RegExp, string][] = [
  [/\b[cdpm]-[a-z2-7]{16}\b/g, "ID"],
  [/\bs-[a-z2-7]{16}\b/g, "SANDBOX"],
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME"],
  [/\b\d\d:\d\d:\d\d(?:\.\d+)?\b/g, "TIME"],
  [/\b(?:sha256:)?[0-9a-f]{12,64}…?\b/g, "DIGEST"],
  [/\b\d+ m \d+ s\b|\b[\d.]+ (?:ms|s|m|h)\b/g, "DURATION"],
  [/\b[\d.]+ (?:B|KiB|MiB|GiB)\b/g, "SIZE"],
  [/ {2,}/g, "  "],
];

/** A line with what differs from run to run taken out. */
export const normal = (row: string) =>
  loose.reduce((text, [pattern, word]) => text.replace(pattern, word), row).trimEnd();

/** Whether output is what a page shows; a line `...` stands for any lines, `…` within a line for any text. */
export function matches(output: string, expected: readonly string[]): boolean {
  const wanted = expected
    .map((row) =>
      row.trim() === "..."
        ? "(?:.*\n)*?"
        : `${normal(row)
            .replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
            .replaceAll("…", ".*?")}\n`,
    )
    .join("");
  const found = output.replace(/\n*$/, "\n").split("\n").map(normal).join("\n");
  return new RegExp(`^${wanted}$`).test(expected.length === 0 ? output.trim() && `${output}\n` : found);
}
