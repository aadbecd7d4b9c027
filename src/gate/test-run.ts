/** One run of the policy's tests on one tree, in a clean sandbox without any socket. */
import { randomBytes } from "node:crypto";
import { closeSync, constants, fchownSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { SallyportError } from "../domain/error.ts";
import type { Policy, TestCommands } from "../domain/policy.ts";
import type { TestRun } from "../domain/test-report.ts";
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
import { plantedTests } from "./plant.ts";
import { printable } from "./printable.ts";
import { readJunit } from "./read-junit.ts";

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

const reportName = Buffer.from("junit.xml");
const runNames: Record<string, string> = {
  base: "on the base",
  proposal: "as proposed",
  proven: "with the base's tests",
  revert: "new tests without the change",
};
const reportLimit = 8 * 1024 * 1024;
const tailLimit = 8 * 1024;

/**
 * Runs the tests of `commands` on `tree`. Whatever the code under test does is a result; `sandbox-failed` is thrown where
 * the host could not run it to its end, so that nobody is rejected for that.
 */
export async function runTests(
  context: TesterContext,
  commands: TestCommands,
  name: string,
  tree: string,
): Promise<TestRun> {
  const { policy } = context;
  return withCleanTree(context.place, `test-${name}`, tree, async ({ workspace }) => {
    const nonce = `t${randomBytes(8).toString("hex")}`;
    const plant = plantedTests(commands, nonce);
    // A name that no tree can have foreseen: what lies in it was written in this run.
    const folder = `.sallyport-${nonce}`;
    const unplanted = prepare(workspace.target, folder, plant);
    if (unplanted) {
      const nothing = { exit: null, ended: "failed" as const, milliseconds: 0, tests: {}, green: false, tail: "" };
      return { tree, ...nothing, forged: unplanted };
    }
    const result = await context.runRole({
      delegation: context.delegation,
      attempt: context.attempt,
      role: "tester",
      purpose: `tests: ${runNames[name] ?? name}`,
      image: context.image,
      command: ["/bin/sh", "-c", commands.run],
      environment: {
        ...baseEnvironment(false),
        SALLYPORT_REPORT: `/workspace/${folder}/${reportName.toString()}`,
      },
      directory: "/workspace",
      mounts: [{ source: workspace.target, target: "/workspace", writable: true }],
      limits: policy.sandbox,
      wall: commands.wall ?? policy.budget.wall,
      output: policy.budget.output,
      signal: context.signal,
    });
    const ended = ownEnd(result.end, context.signal);
    const report = commands.report === "junit" ? await readReport(workspace.target, folder) : { why: "" };
    return {
      tree,
      exit: result.exit,
      ended,
      milliseconds: result.milliseconds,
      ...believe(commands, { ended, exit: result.exit, report, plant }, context.breaks),
      tail: printable(result.output.tail.subarray(-tailLimit)),
    };
  });
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
function prepare(
  target: string,
  folder: string,
  plant: { path: string; content: string } | undefined,
): string | undefined {
  const top = openRoot(target);
  try {
    const made = makeDirectory(top, Buffer.from(folder));
    if (!made) return "the folder for its report could not be made";
    closeDirectory(made);
    if (plant && !writeNew(top, plant.path.split("/"), plant.content)) {
      return `${plant.path.split("/").slice(0, -1).join("/")} is not a plain folder, so the host cannot plant its tests there`;
    }
    return undefined;
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

async function readReport(target: string, folder: string): Promise<FoundReport> {
  const found = readFile(target, folder);
  if ("why" in found) return found;
  const tests = await readJunit(found.text);
  return tests ? { tests } : { why: "its report is not JUnit XML, or is beyond all bounds" };
}

// The sandbox is gone, so nothing changes while this looks; but what it left may be a link, a fifo or 10 GB.
function readFile(target: string, folder: string): { text: string } | { why: string } {
  const top = openRoot(target);
  try {
    const directory = openDirectory(top, Buffer.from(folder));
    if (!directory) return { why: "it took away the folder for its report" };
    try {
      const seen = statBelow(directory, reportName);
      if (!seen) return { why: "it left no report at $SALLYPORT_REPORT" };
      if (!seen.isFile() || seen.nlink !== 1n) return { why: "its report is not a plain file" };
      if (seen.size > BigInt(reportLimit)) return { why: `its report is larger than ${reportLimit} bytes` };
      const fd = openFile(directory, reportName, seen);
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
