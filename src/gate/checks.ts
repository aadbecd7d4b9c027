/**
 * The planner's checks, on the whole result tree. The executor never sees them; each command runs in a sandbox of its
 * own beside the tree, apart from the code under test unless the command itself loads it.
 */
import { chown, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Criterion } from "../domain/brief.ts";
import { type CheckResult, checkResult, type TestRun } from "../domain/test-report.ts";
import { pathMatcher } from "../policy/paths.ts";
import { sandboxOwner } from "../sandbox/engine.ts";
import { baseEnvironment } from "../sandbox/hardening.ts";
import { withCleanTree } from "./clean-tree.ts";
import { statusOf } from "./compare-runs.ts";
import { cut } from "./printable.ts";
import { ownEnd, type TesterContext } from "./test-run.ts";

const none = { found: [], detail: "" };

/**
 * Runs every check of the criteria on `tree`; `tests` is the run of the tree as proposed. A result's `detail` reaches the
 * executor as feedback: it says what must hold and where it does not, never the pattern, command or test that tells.
 */
export async function runChecks(
  context: TesterContext,
  criteria: readonly Criterion[],
  files: Readonly<Record<string, string>>,
  tree: string,
  tests: TestRun["tests"] | undefined,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const absent: { id: string; criterion: string; must: string; pattern: string; in: string }[] = [];
  for (const criterion of criteria) {
    for (const [index, check] of criterion.checks.entries()) {
      const id = `${criterion.id}.${index + 1}`;
      if ("test" in check) {
        const ok = tests !== undefined && statusOf(tests, check.test) === "passed";
        results.push({ ...none, id, criterion: criterion.id, kind: "test", ok, detail: ok ? "" : criterion.must });
      } else if ("absent" in check) {
        absent.push({ id, criterion: criterion.id, must: criterion.must, pattern: check.absent, in: check.in });
      } else {
        const ok = await runCommand(context, id, check.run, pick(files, check.files), tree);
        results.push({ ...none, id, criterion: criterion.id, kind: "run", ok, detail: ok ? "" : criterion.must });
      }
    }
  }
  if (absent.length > 0) results.push(...(await runAbsent(context, absent, tree)));
  return results.sort((a, b) => (a.id < b.id ? -1 : 1));
}

function pick(files: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, Object.hasOwn(files, name) ? (files[name] ?? "") : ""]));
}

/** A folder of the host's, shown read-only to one sandbox. */
async function withFolder<T>(
  directory: string,
  files: Record<string, string>,
  use: (path: string) => Promise<T>,
): Promise<T> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  try {
    for (const [name, content] of Object.entries(files)) {
      await writeFile(join(directory, name), Buffer.from(content, "base64"), { mode: 0o644 });
    }
    await chown(directory, sandboxOwner.uid, sandboxOwner.gid);
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function runCommand(
  context: TesterContext,
  id: string,
  command: string,
  files: Record<string, string>,
  tree: string,
): Promise<boolean> {
  const { policy } = context;
  return withCleanTree(context.place, `check-${id}`, tree, ({ workspace }) =>
    withFolder(join(context.place.directory, `check-files-${id}`), files, async (folder) => {
      const result = await context.runRole({
        delegation: context.delegation,
        attempt: context.attempt,
        role: "tester",
        purpose: `check ${id}`,
        image: context.image,
        command: ["/bin/sh", "-c", command],
        environment: { ...baseEnvironment(false), WORKSPACE: "/workspace" },
        directory: "/checks",
        mounts: [
          { source: workspace.target, target: "/workspace", writable: true },
          { source: folder, target: "/checks", writable: false },
        ],
        limits: policy.sandbox,
        wall: policy.tests?.wall ?? policy.budget.wall,
        output: policy.budget.output,
        signal: context.signal,
      });
      return ownEnd(result.end, context.signal) === "exit" && result.exit === 0;
    }),
  );
}

/** `absent` runs a program of ours over the files: the planner's pattern on the executor's text never runs in the host. */
async function runAbsent(
  context: TesterContext,
  checks: readonly { id: string; criterion: string; must: string; pattern: string; in: string }[],
  tree: string,
): Promise<CheckResult[]> {
  const { policy, place } = context;
  const paths = await place.quarantine.listPaths(tree);
  const before = await place.quarantine.listPaths(place.base.tree);
  const asked = checks.map((check) => {
    const isMeant = pathMatcher([check.in]);
    const files = paths.filter((path) => isMeant(path));
    // Of files that were never there anything is absent: that shows nothing. A file that is gone now is another matter.
    return {
      id: check.id,
      absent: check.pattern,
      files,
      idle: files.length === 0 && !before.some((path) => isMeant(path)),
    };
  });
  const changed = (await place.quarantine.changes(place.base.tree, tree)).map((change) => change.path);
  const input = { root: "/worktree", changed, checks: asked.map(({ id, absent, files }) => ({ id, absent, files })) };
  const files = { "input.json": Buffer.from(JSON.stringify(input)).toString("base64") };
  const result = await withCleanTree(place, "check-absent", tree, ({ workspace }) =>
    withFolder(join(place.directory, "check-absent-input"), files, (folder) =>
      context.runRole({
        delegation: context.delegation,
        attempt: context.attempt,
        role: "tester",
        purpose: "absent checks",
        image: context.image,
        command: ["node", "/opt/sallyport/check-absent.mjs", "/checks/input.json"],
        environment: baseEnvironment(false),
        directory: "/checks",
        mounts: [
          { source: workspace.target, target: "/worktree", writable: false },
          { source: folder, target: "/checks", writable: false },
        ],
        limits: policy.sandbox,
        wall: policy.tests?.wall ?? policy.budget.wall,
        output: 1024 * 1024,
        signal: context.signal,
      }),
    ),
  );
  const ended = ownEnd(result.end, context.signal);
  const answers =
    ended === "exit" && result.exit === 0
      ? readAnswers(result.output.head.toString("utf8"))
      : new Map<string, Answer>();
  return checks.map(({ id, criterion, must }, index) => {
    const idle = asked[index]?.idle ?? true;
    const answer = answers.get(id);
    const found = answer?.found ?? [];
    const ok = answer?.ok === true && found.length === 0 && !idle;
    const detail = ok ? (answer?.detail ?? "") : `${must} (${whyNot(idle, answer)})`;
    return { id, criterion, kind: "absent" as const, ok, found, detail: cut(detail, 2000) };
  });
}

function whyNot(idle: boolean, answer: Answer | undefined): string {
  if (idle) return "the files that it is about do not exist";
  if (!answer) return "the check did not run to its end";
  if (answer.found.length === 0) return answer.detail;
  return `still at ${answer.found.map((f) => `${f.path}:${f.line}`).join(", ")}`;
}

type Answer = Pick<CheckResult, "id" | "ok" | "found" | "detail">;
const answer = checkResult.pick({ id: true, ok: true, found: true, detail: true });

function readAnswers(text: string): Map<string, Answer> {
  try {
    const parsed: unknown = JSON.parse(text);
    return new Map(
      (Array.isArray(parsed) ? parsed : []).map((item: unknown) => answer.parse(item)).map((item) => [item.id, item]),
    );
  } catch {
    return new Map();
  }
}
