/** The folder that a verifier is given: the change, the report and the question, shown so that nothing in them is hidden. */
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Brief } from "../domain/brief.ts";
import type { Finding } from "../domain/rejection.ts";
import type { TestReport } from "../domain/test-report.ts";
import { verdictJsonSchema } from "../domain/verdict.ts";
import { caseReadme } from "./case-readme.ts";
import { numberedDiff, shownPatch, shownReport } from "./shown-diff.ts";

/** What a verifier judges. */
export interface VerifierCase {
  /** The diff as it is shown: with more context than the one that is signed. */
  diff: Buffer;
  report: TestReport;
  /** In a review: what was found before, by this verifier's own words, and what has changed since. */
  review?: { attempt: number; findings: readonly Finding[]; delta: Buffer } | undefined;
}

/** Writes the case of a turn into `folder`. The brief's checks, its instructions and whoever executed it are not in it. */
export async function writeCase(folder: string, brief: Brief, intent: boolean, given: VerifierCase): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  // Drawn for this turn: whoever wrote the change cannot have known it.
  const nonce = randomBytes(9).toString("hex");
  const { review } = given;
  const question = {
    ...(intent ? { intent: brief.intent } : {}),
    accept: brief.accept.map(({ id, must }) => ({ id, must })),
    ...(review ? { review: { findings: review.findings.map(findingShown) } } : {}),
  };
  const patch = shownPatch(given.diff);
  const files: Record<string, string> = {
    "README.md": caseReadme(review !== undefined),
    "verdict.schema.json": json(verdictJsonSchema()),
    "question.json": json(question),
    "report.json": json(shownReport(given.report, nonce)),
    "diff.patch": patch,
    "diff.txt": numberedDiff(patch, nonce),
    ...(review ? { "delta.patch": shownPatch(review.delta) } : {}),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o644 });
}

const json = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`;

function findingShown({ reason, message, path, line, criterion }: Finding): object {
  return {
    reason,
    message,
    ...(path === undefined ? {} : { path }),
    ...(line === undefined ? {} : { line }),
    ...(criterion === undefined ? {} : { criterion }),
  };
}
