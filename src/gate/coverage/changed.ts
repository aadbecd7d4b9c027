/** How much of what a patch adds was run by the tests: a claim of the code under test, shown and never decided on. Pure. */
import type { TestReport } from "../../domain/test-report.ts";
import { addedLines } from "../diff-lines.ts";
import { type CoverageForm, type CoveredLines, readCoverage } from "./lines.ts";

export type ChangedCoverage = NonNullable<TestReport["coverage"]>;

/** Bounds on what is told: files, and lines of one. */
const mostFiles = 200;
const mostLines = 500;

/**
 * The added lines that the tool measured, and those of them that did not run. undefined where there is no coverage file, or
 * none that can be read: a run without it proves as much as one with it.
 */
export function changedCoverage(
  form: CoverageForm,
  text: string | undefined,
  patch: string,
): ChangedCoverage | undefined {
  const measured = text === undefined ? undefined : readCoverage(form, text);
  if (!measured) return undefined;
  let lines = 0;
  let covered = 0;
  const uncovered: ChangedCoverage["uncovered"] = [];
  for (const [path, added] of addedLines(patch)) {
    const ran = ofPath(measured, path);
    if (!ran) continue;
    const missed: number[] = [];
    for (const line of added) {
      const is = ran.get(line);
      if (is === undefined) continue;
      lines++;
      if (is) covered++;
      else missed.push(line);
    }
    if (missed.length > 0 && uncovered.length < mostFiles) uncovered.push({ path, lines: missed.slice(0, mostLines) });
  }
  return { lines, covered, uncovered };
}

/** Tools name files from the tree's root, from the root of all, or by the module's path before them. */
function ofPath(measured: CoveredLines, path: string): ReadonlyMap<number, boolean> | undefined {
  const exact = measured.get(path) ?? measured.get(`/workspace/${path}`) ?? measured.get(`./${path}`);
  if (exact) return exact;
  const below = [...measured.keys()].filter((file) => !file.startsWith("/") && file.endsWith(`/${path}`));
  return below.length === 1 ? measured.get(below[0] ?? "") : undefined;
}
