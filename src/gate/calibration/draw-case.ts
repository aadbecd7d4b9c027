/** Which case comes next: one of the languages that the real change was in, where there is one. Pure. */
import type { CanaryFile } from "../../domain/canary.ts";
import type { CanaryCase } from "./canary-case.ts";

const languages: Readonly<Record<string, CanaryFile["language"]>> = {
  js: "javascript",
  mjs: "javascript",
  cjs: "javascript",
  jsx: "javascript",
  ts: "typescript",
  mts: "typescript",
  cts: "typescript",
  tsx: "typescript",
  py: "python",
  go: "go",
  rs: "rust",
};

/** `below(n)` draws a whole number from 0 to below n. Undefined where there is no case. */
export function drawCase(
  cases: readonly CanaryCase[],
  paths: readonly string[],
  below: (limit: number) => number,
): CanaryCase | undefined {
  const spoken = new Set(paths.map((path) => languages[/\.([a-z]+)$/.exec(path)?.[1] ?? ""]));
  // A change in a language that a repository does not have would be seen for what it is.
  const alike = cases.filter(({ language }) => spoken.has(language));
  const from = alike.length > 0 ? alike : cases;
  return from.length === 0 ? undefined : from[below(from.length)];
}
