/** The tree of the second run: the proposal with the base's evidence and the base's protected class. */
import { posix } from "node:path";
import type { TestCommands } from "../domain/policy.ts";
import type { TestReport } from "../domain/test-report.ts";
import { pathMatcher } from "../policy/paths.ts";
import type { BaseTree } from "../worktree/base-tree.ts";
import type { Change, Override, Quarantine } from "../worktree/quarantine.ts";
import { cut } from "./printable.ts";
import { composePackageJson, protectedWhy, samePackageJson } from "./protected-class.ts";

type PutBack = NonNullable<TestReport["putBack"]>;

/** Told in the report up to here: a flood of them says no more. */
const mostTold = 200;
const packageLimit = 1024 * 1024;

export interface Divided {
  /** The proposal's evidence files, as changes of the base. */
  brought: Override[];
  /** What makes the proposal's tree the second run's; empty where both are one. */
  back: Override[];
  /** Each changed path of the protected class, and what it is. */
  told: PutBack;
}

function override(change: Change): Override {
  const { path, mode, oid } = change;
  // A name that is not UTF-8 is shown escaped: its bytes are what git must be told.
  const name = change.raw ? { path, raw: change.raw } : { path };
  return change.kind === "deleted" ? { ...name, delete: true } : { ...name, mode, oid };
}

/** Divides what a proposal changes into evidence, the protected class, and the rest. */
export async function divideChanges(
  quarantine: Quarantine,
  base: BaseTree,
  tree: string,
  commands: TestCommands,
): Promise<Divided> {
  const isEvidence = pathMatcher(commands.evidence);
  const isKept = pathMatcher(commands.keep ?? []);
  const whyOf = (path: string) => (isKept(path) ? undefined : protectedWhy(path));
  const brought = (await quarantine.changes(base.tree, tree)).filter(({ path }) => isEvidence(path)).map(override);
  const back: Override[] = [];
  const told: PutBack = [];
  for (const change of await quarantine.changes(tree, base.tree)) {
    const why = whyOf(change.path);
    if (isEvidence(change.path)) back.push(override(change));
    else if (why !== undefined) {
      const one = await ofClass(quarantine, base, tree, change);
      if (one === undefined) continue;
      back.push(one);
    }
    if (why !== undefined && told.length < mostTold) told.push({ path: cut(change.path, 1000), why });
  }
  return { brought, back, told };
}

/** What puts one path of the class back; undefined where the change is of no concern to a test run. */
async function ofClass(
  quarantine: Quarantine,
  base: BaseTree,
  tree: string,
  change: Change,
): Promise<Override | undefined> {
  const whole = override(change);
  const isFile = change.mode === "100644" || change.mode === "100755";
  // Deleted by the proposal: it comes back whole. Here the base is the new side, so that is an addition.
  if (posix.basename(change.path) !== "package.json" || change.raw || change.kind === "added" || !isFile) return whole;
  const isNew = change.kind === "deleted";
  const folder = posix.dirname(change.path);
  // Beside files of the base a new one changes how those are loaded: it goes. In a folder of its own it may stay, tamed.
  if (isNew && (folder === "." || (await quarantine.listPaths(base.tree, [folder])).length > 0)) return whole;
  const read = async (from: string) =>
    (await quarantine.readBlob(`${from}:${change.path}`, packageLimit)).toString("utf8");
  const proposed = await read(tree).catch(() => undefined);
  if (proposed === undefined) return whole;
  const composed = composePackageJson(proposed, isNew ? undefined : await read(base.tree));
  if (composed === undefined) return whole;
  if (samePackageJson(composed, proposed)) return undefined;
  return { path: change.path, mode: change.mode, oid: await quarantine.writeBlob(Buffer.from(composed)) };
}
