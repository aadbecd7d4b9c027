/** From approved proposals to the commit that the next brief, or the combined whole, starts from. */
import { type Merged, mergeCommits } from "../worktree/merge.ts";
import type { Quarantine } from "../worktree/quarantine.ts";

/** An approved proposal of a brief. */
export interface Part {
  brief: string;
  commit: string;
}

export type Start = { commit: string; tree: string } | { between: string[]; paths: string[] };

/**
 * The commit that holds all parts, merged one after the other: `root` for none, the part's own for one. Its id depends on
 * nothing but the arguments, so that after a crash it is made again. Errors: `git-failed`.
 */
export async function mergeParts(
  quarantine: Quarantine,
  root: string,
  parts: readonly Part[],
  date: Date,
): Promise<Start> {
  const [first, ...more] = parts;
  if (!first) return { commit: root, tree: await quarantine.treeOf(root) };
  let commit = first.commit;
  const merged = [first];
  for (const part of more) {
    const result = await mergeCommits(quarantine, commit, part.commit);
    if (!result.ok) return conflictOf(quarantine, merged, part, result);
    merged.push(part);
    commit = await quarantine.commitTree({
      tree: result.tree,
      parent: commit,
      mergedWith: part.commit,
      message: `Merge of ${merged.map(({ brief }) => brief).join(", ")}`,
      author: { name: "Sallyport quarantine", email: "sallyport@localhost" },
      date,
    });
  }
  return { commit, tree: await quarantine.treeOf(commit) };
}

/** Who disagrees: the earlier parts that do not merge with this one alone, or all of them where each by itself does. */
async function conflictOf(
  quarantine: Quarantine,
  earlier: readonly Part[],
  part: Part,
  found: Extract<Merged, { ok: false }>,
): Promise<Extract<Start, { between: string[] }>> {
  const against: string[] = [];
  for (const other of earlier) {
    if (!(await mergeCommits(quarantine, other.commit, part.commit)).ok) against.push(other.brief);
  }
  const others = against.length > 0 ? against : earlier.map(({ brief }) => brief);
  return { between: [...others, part.brief], paths: found.paths.slice(0, 100).map((path) => path.slice(0, 4000)) };
}
