/** Cases for the rule-based verifier, made by real git from files before and after a change. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestReport } from "../../src/domain/test-report.ts";
import type { Verdict } from "../../src/domain/verdict.ts";

const skeptic = new URL("../../images/skeptic-rules/files/skeptic/", import.meta.url);

export interface DiffFile {
  oldPath: string | null;
  newPath: string | null;
  path: string;
  status: "added" | "deleted" | "renamed" | "modified";
  mode: string | null;
  binary: boolean;
  hunks: { newStart: number; newCount: number; lines: { kind: string; text: string; newLine: number }[] }[];
}

interface Question {
  intent?: string;
  accept: { id: string; must: string }[];
}

export const { parseDiff } = (await import(new URL("diff.mjs", skeptic).href)) as {
  parseDiff: (text: string) => DiffFile[];
};
export const { examplesIn } = (await import(new URL("special-cases.mjs", skeptic).href)) as {
  examplesIn: (text: string) => { inputs: string[]; output?: string; call: boolean }[];
};
export const { judge } = (await import(new URL("verdict.mjs", skeptic).href)) as {
  judge: (subject: Question & { files: DiffFile[]; report: TestReport }) => Verdict;
};

/** Files by path; null deletes one, `{ link }` makes a symbolic link. */
export type Tree = Record<string, string | Buffer | null | { link: string }>;

/** The diff between two trees as git writes it; `after` is laid over `before`. */
export function gitDiff(before: Tree, after: Tree): string {
  const folder = mkdtempSync(join(tmpdir(), "skeptic-"));
  const git = (...args: string[]): string =>
    execFileSync(
      "git",
      ["-c", "core.hooksPath=/dev/null", "-c", "user.name=t", "-c", "user.email=t@example.org", ...args],
      {
        cwd: folder,
        encoding: "utf8",
        timeout: 10_000,
        env: { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: "1" },
      },
    );
  try {
    git("init", "-q");
    write(folder, before);
    git("add", "-A", "-f");
    git("commit", "-q", "--allow-empty", "-m", "before");
    write(folder, after);
    git("add", "-A", "-f");
    return git("diff", "--cached", "--binary", "HEAD");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function write(folder: string, tree: Tree): void {
  for (const [path, content] of Object.entries(tree)) {
    const file = join(folder, path);
    rmSync(file, { force: true });
    if (content === null) continue;
    mkdirSync(dirname(file), { recursive: true });
    if (typeof content === "object" && "link" in content) symlinkSync(content.link, file);
    else writeFileSync(file, content);
  }
}

const tree = "a".repeat(40);
const run = {
  tree,
  exit: 0,
  ended: "exit",
  milliseconds: 1,
  tests: { "suite > works": "passed" },
  green: true,
  tail: "",
} as const;

/** A report in which all is green and each criterion has one check that passed. */
export function greenReport(ids: string[], change: Partial<TestReport> = {}): TestReport {
  return {
    tested: true,
    base: run,
    proposal: run,
    proven: run,
    failToPass: [],
    passToPass: ["suite > works"],
    broken: [],
    disappeared: [],
    newlySkipped: [],
    unproven: [],
    checks: ids.map((criterion) => ({ id: `${criterion}.1`, criterion, kind: "run", ok: true, found: [], detail: "" })),
    ...change,
  };
}

/** The verdict on a change, with a green report unless said otherwise. */
export function verdictOn(
  before: Tree,
  after: Tree,
  options: { accept?: string[]; intent?: string; report?: Partial<TestReport> } = {},
): Verdict {
  const accept = (options.accept ?? ["the function works"]).map((must, index) => ({ id: `A${index + 1}`, must }));
  return judge({
    files: parseDiff(gitDiff(before, after)),
    report: greenReport(
      accept.map((a) => a.id),
      options.report,
    ),
    accept,
    ...(options.intent === undefined ? {} : { intent: options.intent }),
  });
}
