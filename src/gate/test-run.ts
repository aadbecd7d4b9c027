/** One run of the policy's tests on one tree, in a clean sandbox without any socket. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { chown, mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Policy, TestCommands } from "../domain/policy.ts";
import type { TestRun } from "../domain/test-report.ts";
import { sandboxOwner } from "../sandbox/engine.ts";
import { baseEnvironment } from "../sandbox/hardening.ts";
import type { RunRole } from "../sandbox/role-run.ts";
import { type TreePlace, withCleanTree } from "./clean-tree.ts";
import { parseJunit } from "./junit.ts";
import { plantedTests, withoutPlant } from "./plant.ts";

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

export interface TestRunResult {
  run: TestRun;
  /** The planted tests were not seen at all: on a base, the policy's fault. */
  plantMissing: boolean;
}

const reportFolder = ".sallyport-report";
const reportLimit = 16 * 1024 * 1024;
const tailLimit = 8 * 1024;

/** Runs the tests of `commands` on `tree`. Never throws for what the code under test does. */
export async function runTests(context: TesterContext, commands: TestCommands, name: string, tree: string): Promise<TestRunResult> {
  const { policy } = context;
  return withCleanTree(context.place, `test-${name}`, tree, async ({ workspace }) => {
    const plant = plantedTests(commands, `t${randomBytes(8).toString("hex")}`);
    if (plant) await writeOwned(workspace.target, plant.path, plant.content);
    await makeOwned(join(workspace.target, reportFolder));
    const result = await context.runRole({
      delegation: context.delegation,
      attempt: context.attempt,
      role: "tester",
      image: context.image,
      command: ["/bin/sh", "-c", commands.run],
      environment: { ...baseEnvironment(false), SALLYPORT_REPORT: `/workspace/${reportFolder}/junit.xml` },
      directory: "/workspace",
      mounts: [{ source: workspace.target, target: "/workspace", writable: true }],
      limits: policy.sandbox,
      wall: commands.wall ?? policy.budget.wall,
      output: policy.budget.output,
      signal: context.signal,
    });
    const text = commands.report === "junit" ? await readReport(workspace.target) : undefined;
    const parsed = text === undefined ? undefined : parseJunit(text);
    const judged = plant ? withoutPlant(parsed ?? {}, result.exit, plant) : undefined;
    const tests = judged?.tests ?? {};
    const ended = result.end === "stopped" || result.end === "gateway-lost" ? "failed" : result.end;
    const failing = Object.keys(tests).some((id) => tests[id] === "failed" && !context.breaks.includes(id));
    // With a planted failure the exit code is never 0; without a report it is all there is.
    const green = ended === "exit" && (judged ? !judged.forged && !failing : result.exit === 0);
    const run: TestRun = {
      tree,
      exit: result.exit,
      ended,
      milliseconds: result.milliseconds,
      tests,
      green,
      ...(judged?.forged ? { forged: judged.forged } : {}),
      tail: printable(result.output.tail.subarray(-tailLimit)),
    };
    return { run, plantMissing: judged?.missing ?? false };
  });
}

/** Text for people and models out of bytes that nobody vouches for: control and bidi characters are shown, not acted on. */
export function printable(bytes: Buffer): string {
  return bytes
    .toString("utf8")
    .replace(/\x1b\[[0-9;]*[A-Za-z]/g, "")
    .replace(/[^\P{C}\n\t]/gu, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
}

async function makeOwned(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await chown(directory, sandboxOwner.uid, sandboxOwner.gid);
}

// Nothing of the sandbox's runs yet, but the tree itself may hold links: new files only, never through one.
async function writeOwned(root: string, path: string, content: string): Promise<void> {
  const folders = path.split("/").slice(0, -1);
  for (let depth = 1; depth <= folders.length; depth++) {
    const directory = join(root, ...folders.slice(0, depth));
    const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW).catch(() => undefined);
    if (handle) await handle.close();
    else await makeOwned(directory);
  }
  const file = join(root, path);
  await writeFile(file, content, { flag: "wx" });
  await chown(file, sandboxOwner.uid, sandboxOwner.gid);
}

// The sandbox is gone, so nothing changes while this looks; but what it left may be a link, a fifo or 10 GB.
async function readReport(root: string): Promise<string | undefined> {
  try {
    const folder = await open(join(root, reportFolder), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      const file = await open(`/proc/self/fd/${folder.fd}/junit.xml`, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        const { size } = await file.stat();
        if (!(await file.stat()).isFile() || size > reportLimit) return undefined;
        return (await file.readFile()).toString("utf8");
      } finally {
        await file.close();
      }
    } finally {
      await folder.close();
    }
  } catch {
    return undefined;
  }
}
