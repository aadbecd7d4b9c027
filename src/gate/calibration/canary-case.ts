/** Canary cases on disk: a folder each, with `canary.yaml`, `base/`, `change.patch` and `report.json`. */
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { type CanaryFile, canaryCaseId, canaryFile } from "../../domain/canary.ts";
import { SallyportError } from "../../domain/error.ts";
import { type TestReport, testReport } from "../../domain/test-report.ts";
import { loadDocument, readText } from "../../policy/document.ts";

/** One case as it was written, before any variation. */
export interface CanaryCase extends CanaryFile {
  /** Its folder's name. */
  id: string;
  /** The files before the change, by path. Text alone. */
  base: Readonly<Record<string, string>>;
  /** The change as git writes it. */
  patch: string;
  report: TestReport;
}

/** The most files and bytes that a case's base may have. */
const most = { files: 100, bytes: 1024 ** 2 };

/** Reads one case. Errors: `canary-invalid`, naming the file. */
export async function loadCase(folder: string): Promise<CanaryCase> {
  const invalid = (file: string, why: string, cause?: unknown) =>
    new SallyportError("canary-invalid", `${file}: ${why}`, {
      next: "docs/calibration.md has the form.",
      at: file,
      cause,
    });
  const id = canaryCaseId.safeParse(basename(folder));
  if (!id.success) throw invalid(folder, id.error.issues[0]?.message ?? "not a name for a case");
  const file = await loadDocument(join(folder, "canary.yaml"), canaryFile, "canary-invalid");
  const reportFile = join(folder, "report.json");
  let report: TestReport;
  try {
    report = testReport.parse(JSON.parse(await readText(reportFile, "canary-invalid")));
  } catch (cause) {
    if (cause instanceof SallyportError) throw cause;
    throw invalid(reportFile, "is no test report", cause);
  }
  const base = await readTree(join(folder, "base"), invalid);
  return { ...file, id: id.data, base, patch: await readText(join(folder, "change.patch"), "canary-invalid"), report };
}

async function readTree(
  folder: string,
  invalid: (file: string, why: string) => SallyportError,
): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files: Record<string, string> = {};
  let bytes = 0;
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) continue;
    if (!entry.isFile()) throw invalid(path, "is not a regular file");
    const content = await readFile(path);
    bytes += content.length;
    if (bytes > most.bytes || Object.keys(files).length >= most.files)
      throw invalid(folder, "holds too much for a case");
    const text = content.toString("utf8");
    if (!Buffer.from(text).equals(content)) throw invalid(path, "is not UTF-8 text");
    files[path.slice(folder.length + 1)] = text;
  }
  if (Object.keys(files).length === 0) throw invalid(folder, "holds no file");
  return files;
}

/** Every case below some directories, sorted by name. Two of one name are an error: the ledger tells cases by name. */
export async function loadCases(directories: readonly string[]): Promise<CanaryCase[]> {
  const cases = new Map<string, CanaryCase>();
  for (const directory of directories) {
    const entries = await readdir(directory, { withFileTypes: true }).catch((cause: unknown) => {
      throw new SallyportError("canary-invalid", `${directory} cannot be read`, {
        next: "Correct calibration.canaries in config.yaml.",
        at: directory,
        cause,
      });
    });
    for (const entry of entries.filter((one) => one.isDirectory() && !one.name.startsWith("."))) {
      const one = await loadCase(join(directory, entry.name));
      if (cases.has(one.id))
        throw new SallyportError("canary-invalid", `two cases have the name ${one.id}`, {
          next: "Rename the folder of one.",
          at: join(directory, entry.name),
        });
      cases.set(one.id, one);
    }
  }
  return [...cases.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}
