/** Which files changed in one commit with which: a repository's own word on what belongs together. */
import { runGit, splitNul } from "./git.ts";
import type { HostRepository } from "./host-repository.ts";
import { decodeName } from "./names.ts";

/** The paths of one commit. */
export type ChangeSet = readonly string[];

/** Bounds of what is looked at: enough to see habits, quick on any history. */
export interface HistoryLimits {
  commits: number;
  /** Commits with more paths say nothing about any two of them: a format, a rename, an import. */
  paths: number;
  /** Milliseconds. */
  time: number;
}

/**
 * What the last commits up to `commit` changed, each as its paths; merges are left out. Plumbing only, as the repository's
 * owner: no signature is checked, no driver runs. Errors: `git-failed`.
 */
export async function changeSets(
  repo: HostRepository,
  commit: string,
  limits: HistoryLimits,
): Promise<readonly ChangeSet[]> {
  const where = { gitDir: repo.headDir, as: { uid: repo.uid, gid: repo.gid }, timeout: limits.time };
  const listed = await runGit(
    ["rev-list", "--no-merges", `--max-count=${limits.commits}`, "--end-of-options", commit],
    where,
  );
  const { stdout } = await runGit(
    ["diff-tree", "--stdin", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv"],
    { ...where, stdin: listed.stdout, maxBytes: 256 * 1024 * 1024 },
  );
  const commits = new Set(listed.stdout.toString("latin1").split("\n"));
  const sets: string[][] = [];
  for (const piece of splitNul(stdout)) {
    const text = decodeName(piece);
    if (text === null) continue;
    if (commits.has(text)) sets.push([]);
    else sets.at(-1)?.push(text);
  }
  return sets.filter((set) => set.length > 1 && set.length <= limits.paths);
}
