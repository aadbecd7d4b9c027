/** What a verifier points to, looked up in what it was shown. Pure. */
import type { TestReport } from "../domain/test-report.ts";
import type { Evidence } from "../domain/verdict.ts";
import { statusOf } from "./compare-runs.ts";
import type { DiffLines, FileLines } from "./diff-lines.ts";
import { readShown, showName } from "./show-text.ts";

/** A file of the diff by its name, or by its name as it was shown. */
export function fileOf(lines: DiffLines, path: string): FileLines | undefined {
  return lines.get(path) ?? lines.get(readShown(path));
}

/** Why a pointer names nothing that is there, or undefined when it does. */
export function missing(pointer: Evidence, lines: DiffLines, report: TestReport): string | undefined {
  if ("path" in pointer) {
    const file = fileOf(lines, pointer.path);
    if (!file) return `${showName(pointer.path)} is not in the diff`;
    if (pointer.side === "old") {
      return file.removed.has(pointer.line)
        ? undefined
        : `line ${pointer.line} of the base is not a removed line of ${showName(pointer.path)}`;
    }
    return file.has(pointer.line)
      ? undefined
      : `${showName(pointer.path)}:${pointer.line} is not a line of the diff's new side`;
  }
  if ("test" in pointer) {
    return testOf(pointer.test, report) === undefined
      ? `the report has no test "${showName(pointer.test)}"`
      : undefined;
  }
  return report.checks.some((c) => c.id === pointer.check)
    ? undefined
    : `the report has no check "${showName(pointer.check)}"`;
}

/** Why a pointer does not show that something is met, or undefined when it does: it must be there, and be green. */
export function unresolved(pointer: Evidence, lines: DiffLines, report: TestReport): string | undefined {
  const absent = missing(pointer, lines, report);
  if (absent !== undefined || "path" in pointer) return absent;
  if ("test" in pointer) {
    const test = testOf(pointer.test, report) ?? "";
    if (report.flaky?.includes(test)) return `test "${showName(test)}" does not always end the same`;
    if (report.unproven.includes(test)) return `test "${showName(test)}" passes without the change too`;
    const status = report.proposal && statusOf(report.proposal.tests, test);
    return status === "passed" ? undefined : `test "${showName(test)}" ${status}`;
  }
  return report.checks.find((c) => c.id === pointer.check)?.ok
    ? undefined
    : `check "${showName(pointer.check)}" failed`;
}

/** Whether all that is pointed to was there before the change: such pointers show nothing about it. */
export function onlyContext(pointers: readonly Evidence[], lines: DiffLines): boolean {
  return (
    pointers.length > 0 &&
    pointers.every((p) => "path" in p && p.side !== "old" && !fileOf(lines, p.path)?.changed.has(p.line))
  );
}

/** A test's id in the report, by itself or as it was shown. */
function testOf(id: string, { proposal }: TestReport): string | undefined {
  if (!proposal) return undefined;
  if (statusOf(proposal.tests, id) !== undefined) return id;
  const read = readShown(id);
  return statusOf(proposal.tests, read) === undefined ? undefined : read;
}

/** Whether feedback on a path can be found by whoever is to mend it: it is in the diff, or a check found something there. */
export function isPlace(path: string, lines: DiffLines, report: TestReport): boolean {
  return fileOf(lines, path) !== undefined || report.checks.some((c) => c.found.some((f) => f.path === path));
}

/** Whether a line of such a file is shown, or is one where a check found something. */
export function isLine(path: string, line: number, lines: DiffLines, report: TestReport): boolean {
  return (
    fileOf(lines, path)?.has(line) === true ||
    report.checks.some((c) => c.found.some((f) => f.path === path && f.line === line))
  );
}

/** The text of a line without what moves when others change: what tells a place apart from its number. */
export function placeOf(path: string | undefined, line: number | undefined, lines: DiffLines): string | undefined {
  if (path === undefined || line === undefined) return undefined;
  const text = fileOf(lines, path)?.texts.get(line);
  return text?.replace(/\s+/g, " ").trim().slice(0, 200).toWellFormed();
}
