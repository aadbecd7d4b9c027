/**
 * What was approved, merged with a target that moved: base, target and approved tree become one tree in quarantine, or
 * they disagree. Depends on nothing but its arguments, so that what the ledger says of it can be computed again.
 */
import type { Delegation } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import { followLink } from "../worktree/link-target.ts";
import { mergeCommits } from "../worktree/merge.ts";
import { decodeName, foldName } from "../worktree/names.ts";
import type { Change, Quarantine } from "../worktree/quarantine.ts";
import { digestBytes } from "./digest.ts";

export interface LandingMerge {
  /** One commit on the target's tip. */
  commit: string;
  tree: string;
  /** SHA-256 of the patch from the tip's tree; its bytes are too many where it is larger than the policy's cap. */
  patch: string;
  patchBytes: number;
  /** From the tip's tree to the merge's. */
  changes: Change[];
  /** Paths that the proposal touches and that changed on the target too. */
  overlap: string[];
}

const author = { name: "Sallyport quarantine", email: "sallyport@localhost" };

/**
 * Merges an attempt's tree onto `onto`, a commit that stands on the delegation's base. Nothing is kept but objects.
 * Errors: `landing-conflict` with the paths, `git-failed`.
 */
export async function mergeForLanding(
  record: Pick<Delegation, "id" | "base" | "accepted" | "policy">,
  tree: string,
  onto: string,
  quarantine: Quarantine,
): Promise<LandingMerge> {
  const { id, base } = record;
  const date = new Date(record.accepted);
  // On the base itself, whatever the proposal's own commit stands on: the base is what both sides have in common.
  const message = `What ${id} proposes`;
  const proposed = await quarantine.commitTree({ tree, parent: base, message, author, date });
  const merged = onto === base ? { ok: true as const, tree } : await mergeCommits(quarantine, onto, proposed);
  if (!merged.ok) throw conflict(onto, merged.paths);
  const [baseTree, tip] = [await quarantine.treeOf(base), await quarantine.treeOf(onto)];
  const changes = await quarantine.changes(tip, merged.tree);
  const unsound = [
    ...(await sameNames(quarantine, tip, merged.tree, changes)),
    ...(await leavingLinks(quarantine, merged.tree, changes)),
  ];
  if (unsound.length > 0) throw conflict(onto, [...new Set(unsound)]);
  const patch = await quarantine.patch(tip, merged.tree, record.policy.budget.patch);
  return {
    commit: await quarantine.commitTree({
      tree: merged.tree,
      parent: onto,
      message: `${id} merged with ${onto}`,
      author,
      date,
    }),
    tree: merged.tree,
    patch: patch.ok ? digestBytes(patch.patch) : "0".repeat(64),
    patchBytes: patch.ok ? patch.patch.length : patch.bytes,
    changes,
    overlap: overlapOf(await quarantine.changes(baseTree, tree), await quarantine.changes(baseTree, tip)),
  };
}

function conflict(onto: string, paths: readonly string[]): SallyportError {
  const shown = paths.slice(0, 20).join(", ");
  const more = paths.length > 20 ? `, and ${paths.length - 20} more` : "";
  return new SallyportError(
    "landing-conflict",
    `what was approved does not merge with ${onto.slice(0, 12)}, where the target is now: ${shown}${more}`.slice(
      0,
      8000,
    ),
    { next: "Nothing was changed. Delegate again on the target's new commit." },
  );
}

/**
 * Paths of one side that the other side touches too: the same, one that differs only in case or Unicode form, or one
 * that is below the other (a file here, a directory there).
 */
export function overlapOf(ours: readonly Pick<Change, "path">[], theirs: readonly Pick<Change, "path">[]): string[] {
  const folded = new Set<string>();
  const above = new Set<string>();
  for (const { path } of theirs) {
    folded.add(foldPath(path));
    for (const directory of directoriesOf(foldPath(path))) above.add(directory);
  }
  return ours
    .map(({ path }) => path)
    .filter((path) => {
      const own = foldPath(path);
      return folded.has(own) || above.has(own) || directoriesOf(own).some((directory) => folded.has(directory));
    });
}

const foldPath = (path: string) => path.split("/").map(foldName).join("/");

function directoriesOf(path: string): string[] {
  const segments = path.split("/");
  return segments.slice(0, -1).map((_, index) => segments.slice(0, index + 1).join("/"));
}

/** New paths of a merge that have, by case or Unicode form, the name of another one there: each side was sound alone. */
async function sameNames(
  quarantine: Quarantine,
  tip: string,
  tree: string,
  changes: readonly Change[],
): Promise<string[]> {
  const added = changes.filter(({ kind }) => kind === "added").map(({ path }) => path);
  if (added.length === 0) return [];
  const before = namesOf(await quarantine.listPaths(tip));
  const after = namesOf(await quarantine.listPaths(tree));
  // Names that the target has side by side already are its own affair.
  const isNew = (fold: string) => {
    const now = after.get(fold)?.size ?? 0;
    return now > 1 && now > (before.get(fold)?.size ?? 0);
  };
  return added.filter((path) => [...directoriesOf(path), path].some((each) => isNew(foldPath(each))));
}

function namesOf(paths: readonly string[]): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>();
  for (const path of paths) {
    for (const each of [...directoriesOf(path), path]) {
      const fold = foldPath(each);
      names.set(fold, (names.get(fold) ?? new Set()).add(each));
    }
  }
  return names;
}

/** Links of the proposal that lead out of the tree by way of what the target has got since. */
async function leavingLinks(quarantine: Quarantine, tree: string, changes: readonly Change[]): Promise<string[]> {
  const links = changes.filter(({ kind, mode }) => kind !== "deleted" && mode === "120000");
  if (links.length === 0) return [];
  const objects = quarantine.objects();
  try {
    const leaving: string[] = [];
    for (const { path, oid } of links) {
      const target = decodeName(await objects.read(oid, "blob", 8192)) ?? "/";
      if (await followLink(objects, tree, path.split("/").slice(0, -1), target)) leaving.push(path);
    }
    return leaving;
  } finally {
    await objects.close();
  }
}
