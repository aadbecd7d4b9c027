/** Merging in the quarantine: two commits of its own become a tree, or a list of the paths on which they disagree. */
import { runGit, splitNul } from "./git.ts";
import { decodeName, showPath } from "./names.ts";
import type { Quarantine } from "./quarantine.ts";

export type Merged = { ok: true; tree: string } | { ok: false; paths: string[] };

/**
 * No rename detection where git can be told so (older ones go on regardless: see `strayPaths`), and no drivers: what a
 * `.gitattributes` asks for (such as `merge=union`, which never disagrees) has no say.
 */
const flags = ["-c", "merge.renames=false", "-c", "merge.directoryRenames=false", "-c", "merge.default=text"];

/** Merges two commits of the quarantine without a work tree. Nothing is kept but objects. Errors: `git-failed`. */
export async function mergeCommits(quarantine: Quarantine, ours: string, theirs: string): Promise<Merged> {
  const { code, stdout } = await runGit(
    [...flags, "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs],
    { gitDir: quarantine.gitDir, accept: [0, 1], timeout: 300_000 },
  );
  const [tree, ...paths] = splitNul(stdout);
  if (code !== 0) return { ok: false, paths: [...new Set(paths.map((path) => decodeName(path) ?? showPath(path)))] };
  const merged = tree?.toString("latin1") ?? "";
  const stray = await strayPaths(quarantine, ours, theirs, merged);
  return stray.length === 0 ? { ok: true, tree: merged } : { ok: false, paths: stray };
}

/**
 * Paths of a merge that neither side has like that and not both sides have: a change that followed a file to another name
 * would land on a path that its brief did not name. What both sides have may be merged line by line.
 */
async function strayPaths(quarantine: Quarantine, ours: string, theirs: string, merged: string): Promise<string[]> {
  const [fromOurs, fromTheirs] = await Promise.all(
    [ours, theirs].map(async (side) => quarantine.changes(await quarantine.treeOf(side), merged)),
  );
  const kinds = new Map(fromOurs?.map(({ path, kind }) => [path, kind]));
  return (fromTheirs ?? [])
    .filter(({ path, kind }) => kinds.has(path) && !(kind === "modified" && kinds.get(path) === "modified"))
    .map(({ path }) => path);
}
