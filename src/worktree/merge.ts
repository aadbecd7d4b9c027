/** Merging in the quarantine: two commits of its own become a tree, or a list of the paths on which they disagree. */
import { runGit, splitNul } from "./git.ts";
import { decodeName, showPath } from "./names.ts";
import type { Quarantine } from "./quarantine.ts";

export type Merged = { ok: true; tree: string } | { ok: false; paths: string[] };

/**
 * Without rename detection: a change that follows a file to another name would be on a path that no brief named. Without
 * drivers: what a `.gitattributes` asks for (such as `merge=union`, which never disagrees) has no say.
 */
const flags = ["-c", "merge.renames=false", "-c", "merge.directoryRenames=false", "-c", "merge.default=text"];

/** Merges two commits of the quarantine without a work tree. Nothing is kept but objects. Errors: `git-failed`. */
export async function mergeCommits(quarantine: Quarantine, ours: string, theirs: string): Promise<Merged> {
  const { code, stdout } = await runGit(
    [...flags, "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs],
    { gitDir: quarantine.gitDir, accept: [0, 1], timeout: 300_000 },
  );
  const [tree, ...paths] = splitNul(stdout);
  if (code === 0) return { ok: true, tree: tree?.toString("latin1") ?? "" };
  return { ok: false, paths: [...new Set(paths.map((path) => decodeName(path) ?? showPath(path)))] };
}
