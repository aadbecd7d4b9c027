/** One run of the policy's tests on one tree, in a clean sandbox without any socket. */
import { randomBytes } from "node:crypto";
import { closeSync, constants, fchownSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { SallyportError } from "../domain/error.ts";
import type { Policy, TestCommands } from "../domain/policy.ts";
import type { TestRun } from "../domain/test-report.ts";
import { pathMatcher } from "../policy/paths.ts";
import { sandboxOwner } from "../sandbox/engine.ts";
import { baseEnvironment } from "../sandbox/hardening.ts";
import type { RunRole } from "../sandbox/role-run.ts";
import {
  below,
  closeDirectory,
  type OpenDirectory,
  openDirectory,
  openFile,
  openRoot,
  statBelow,
} from "../worktree/safe-open.ts";
import { believe, type FoundReport } from "./believe.ts";
import { type TreePlace, withCleanTree } from "./clean-tree.ts";
import { type Plant, type PlantedFile, plantedTests, plantFolders } from "./plant.ts";
import { cut, printable } from "./printable.ts";
import type { ReportForm } from "./reports/form.ts";
import { readReport } from "./reports/read-report.ts";
import { runnerOf } from "./runners/known.ts";
import { watchEvidence } from "./untouched.ts";

/** What the tester needs of one delegation. */
export interface TesterContext {
  delegation: string;
  attempt: number;
  policy: Policy;
  image: string;
  place: TreePlace;
  runRole: RunRole;
  signal: AbortSignal;
  /** Base tests that the brief names as meant to break. */
  breaks: readonly string[];
}

const reportName = Buffer.from("report");
const coverageName = Buffer.from("coverage");
const runNames: Record<string, string> = {
  base: "on the base",
  proposal: "as proposed",
  proven: "with the base's tests",
  revert: "new tests without the change",
};
const reportLimit = 8 * 1024 * 1024;
const tailLimit = 8 * 1024;

/** Where to plant: in these folders, of which the `optional` ones need not be run. */
export interface Planting {
  folders: readonly string[];
  optional?: ReadonlySet<string>;
  /** Whether planted files load what the tests beside them load. Left out: they do. */
  loads?: boolean;
}

export interface RunOutcome {
  run: TestRun;
  /** The folders whose planted tests ran. */
  live: string[];
  /** What was left at $SALLYPORT_COVERAGE, where the policy names a form for it. */
  coverage?: string;
}

/** `runOnce` with its run alone, planted where the policy or the runner's habit says. */
export async function runTests(
  context: TesterContext,
  commands: TestCommands,
  name: string,
  tree: string,
): Promise<TestRun> {
  const { run } = await runOnce(context, commands, name, tree, { folders: plantFolders(commands, []) });
  return run;
}

/**
 * Runs the tests of `commands` on `tree`. Whatever the code under test does is a result; `sandbox-failed` is thrown where
 * the host could not run it to its end, so that nobody is rejected for that.
 */
export async function runOnce(
  context: TesterContext,
  commands: TestCommands,
  name: string,
  tree: string,
  planting: Planting,
): Promise<RunOutcome> {
  const { policy, place } = context;
  const { quarantine } = place;
  return withCleanTree(place, `test-${name}`, tree, async ({ workspace }) => {
    // Last in the order of names: what an earlier file of the same process did to the runner is done when these run.
    const nonce = `z${randomBytes(8).toString("hex")}`;
    const source = {
      paths: await quarantine.listPaths(tree),
      read: async (path: string) =>
        (await quarantine.readBlob(`${tree}:${path}`, sourceLimit).catch(() => "")).toString("utf8"),
    };
    const plant = await plantedTests(commands, nonce, planting.folders, source, planting.loads);
    // A name that no tree can have foreseen: what lies in it was written in this run.
    const folder = `.sallyport-${nonce}`;
    const unplanted = prepare(workspace.target, folder, plant?.files ?? []);
    if (unplanted) {
      const nothing = { exit: null, ended: "failed" as const, milliseconds: 0, tests: {}, green: false, tail: "" };
      return { run: { tree, ...nothing, forged: unplanted }, live: [] };
    }
    const isEvidence = pathMatcher(commands.evidence);
    const planted = plant?.files.map(({ path }) => path) ?? [];
    const touched = watchEvidence(workspace.target, [...source.paths.filter((path) => isEvidence(path)), ...planted]);
    const at = (file: Buffer) => `/workspace/${folder}/${file.toString()}`;
    const result = await context.runRole({
      delegation: context.delegation,
      attempt: context.attempt,
      role: "tester",
      purpose: `tests: ${runNames[name] ?? name}`,
      image: context.image,
      command: ["/bin/sh", "-c", commands.run],
      environment: {
        ...baseEnvironment(false),
        SALLYPORT_REPORT: at(reportName),
        SALLYPORT_COVERAGE: at(coverageName),
      },
      directory: "/workspace",
      mounts: [{ source: workspace.target, target: "/workspace", writable: true }],
      limits: policy.sandbox,
      wall: commands.wall ?? policy.budget.wall,
      output: policy.budget.output,
      signal: context.signal,
    });
    const ended = ownEnd(result.end, context.signal);
    const form = reportForm(commands, nonce);
    const report: FoundReport = form ? await foundReport(workspace.target, folder, form) : { why: "" };
    const { live, ...believed } = believe(
      commands,
      { ended, exit: result.exit, report, plant, ...(planting.optional ? { optional: planting.optional } : {}) },
      context.breaks,
    );
    const rewritten = ended === "exit" ? touched() : undefined;
    const coverage = commands.coverage ? readFile(workspace.target, folder, coverageName) : undefined;
    return {
      run: {
        tree,
        exit: result.exit,
        ended,
        milliseconds: result.milliseconds,
        ...believed,
        ...(rewritten === undefined || believed.forged !== undefined
          ? {}
          : { green: false, forged: changed(rewritten, plant) }),
        tail: printable(result.output.tail.subarray(-tailLimit)),
      },
      live,
      ...(coverage && "text" in coverage ? { coverage: coverage.text } : {}),
    };
  });
}

/** What was changed: a file of the host's own is not named to whoever might look for it. */
const changed = (path: string, plant: Plant | undefined) =>
  plant?.files.some((file) => file.path === path)
    ? "it changed a test that the host planted"
    : `it changed ${cut(printable(path), 300)} while the tests ran`;

/** A source file that is read for the language of what is planted is no larger, in bytes. */
const sourceLimit = 4 * 1024 * 1024;

/** How the report is read; undefined where the policy reads none. */
function reportForm(commands: TestCommands, mark: string): ReportForm | undefined {
  const { report } = commands;
  if (report === "exit") return undefined;
  if (report !== "junit") return { kind: report, mark };
  return { kind: "junit", mark, names: runnerOf(commands)?.junit ?? { suites: true, classnames: true } };
}

/** The end of a tester's sandbox where the sandbox brought it about. Throws `sandbox-failed` where the host did. */
export function ownEnd(
  end: TestRun["ended"] | "stopped" | "gateway-lost" | "budget",
  signal: AbortSignal,
): "exit" | "timeout" | "output" | "memory" {
  if (end === "exit" || end === "timeout" || end === "output" || end === "memory") return end;
  signal.throwIfAborted();
  throw new SallyportError("sandbox-failed", `the tester's sandbox ended as ${end}`, {
    next: "The next attempt is made by itself; look at the engine if it happens again.",
  });
}

/** Puts the report's folder and the planted file into the tree; says why it cannot where a path is in the way. */
function prepare(target: string, folder: string, plants: readonly PlantedFile[]): string | undefined {
  const top = openRoot(target);
  try {
    const made = makeDirectory(top, Buffer.from(folder));
    if (!made) return "the folder for its report could not be made";
    closeDirectory(made);
    const refused = plants.find((plant) => !writeNew(top, plant.path.split("/"), plant.content));
    return refused && `${refused.folder} is not a plain folder, so the host cannot plant its tests there`;
  } finally {
    closeDirectory(top);
  }
}

/** A directory below an open one, made where there is nothing; null where something else is in its place. */
function makeDirectory(parent: OpenDirectory, name: Uint8Array): OpenDirectory | null {
  const isNew = statBelow(parent, name) === null;
  if (isNew) mkdirSync(below(parent, name), 0o755);
  const made = openDirectory(parent, name);
  if (isNew && made) fchownSync(made.fd, sandboxOwner.uid, sandboxOwner.gid);
  return made;
}

/**
 * Writes a new file, false where a part of its path is not a plain directory. A tree may hold links, also one of the
 * base's that points out of it: followed, root would write and change owners where the link says.
 */
function writeNew(top: OpenDirectory, segments: readonly string[], content: string): boolean {
  const open: OpenDirectory[] = [];
  try {
    for (const segment of segments.slice(0, -1)) {
      const next = makeDirectory(open.at(-1) ?? top, Buffer.from(segment));
      if (!next) return false;
      open.push(next);
    }
    const path = below(open.at(-1) ?? top, segments.at(-1) ?? "");
    const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o644);
    try {
      writeFileSync(fd, content);
      fchownSync(fd, sandboxOwner.uid, sandboxOwner.gid);
    } finally {
      closeSync(fd);
    }
    return true;
  } finally {
    for (const directory of open.reverse()) closeDirectory(directory);
  }
}

const formNames: Record<ReportForm["kind"], string> = {
  junit: "JUnit XML",
  jest: "what jest --json writes",
  go: "what go test -json writes",
  cargo: "what cargo test prints",
};

async function foundReport(target: string, folder: string, form: ReportForm): Promise<FoundReport> {
  const found = readFile(target, folder, reportName);
  if ("why" in found) return found;
  const report = await readReport(form, found.text);
  return report ?? { why: `its report is not ${formNames[form.kind]}, or is beyond all bounds` };
}

// The sandbox is gone, so nothing changes while this looks; but what it left may be a link, a fifo or 10 GB.
function readFile(target: string, folder: string, name: Buffer): { text: string } | { why: string; none?: true } {
  const top = openRoot(target);
  try {
    const directory = openDirectory(top, Buffer.from(folder));
    if (!directory) return { why: "it took away the folder for its report" };
    try {
      const seen = statBelow(directory, name);
      if (!seen) return { why: "it left no report at $SALLYPORT_REPORT", none: true };
      if (!seen.isFile() || seen.nlink !== 1n) return { why: "its report is not a plain file" };
      if (seen.size > BigInt(reportLimit)) return { why: `its report is larger than ${reportLimit} bytes` };
      const fd = openFile(directory, name, seen);
      try {
        return { text: readFileSync(fd, "utf8") };
      } finally {
        closeSync(fd);
      }
    } finally {
      closeDirectory(directory);
    }
  } finally {
    closeDirectory(top);
  }
}
