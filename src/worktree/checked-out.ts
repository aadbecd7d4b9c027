/**
 * Which branches people are at work on: checked out in the main worktree or a linked one, or being rebased or bisected
 * there, when git shows a detached HEAD. Moving one would leave its checkout behind, or be undone when the rebase ends.
 */
import { closeSync, readdirSync, readFileSync } from "node:fs";
import { runGit } from "./git.ts";
import { type HostRepository, ownerOf } from "./host-repository.ts";
import { closeDirectory, type OpenDirectory, openDirectory, openFile, openRoot, statBelow } from "./safe-open.ts";

export interface CheckedOut {
  /** The full name of the branch. */
  ref: string;
  /** The directory of the worktree. */
  worktree: string;
}

/** Every branch that somebody is at work on. Errors: `git-failed`. */
export async function checkedOutBranches(repo: HostRepository): Promise<CheckedOut[]> {
  const { stdout } = await runGit(["worktree", "list", "--porcelain", "-z"], {
    gitDir: repo.gitDir,
    as: ownerOf(repo),
  });
  const found: CheckedOut[] = [];
  for (const record of stdout.toString("utf8").split("\0\0")) {
    const lines = record.split("\0");
    if (lines.includes("bare")) continue;
    const worktree = lines.find((line) => line.startsWith("worktree "))?.slice("worktree ".length) ?? repo.path;
    for (const line of lines)
      if (line.startsWith("branch ")) found.push({ ref: line.slice("branch ".length), worktree });
  }
  return [...found, ...heldBranches(repo)];
}

/** Where git notes the branches that it will move when what is under way there ends (rebase, `--update-refs`, bisect). */
const notes: readonly (readonly string[])[] = [
  ["rebase-merge", "head-name"],
  ["rebase-merge", "update-refs"],
  ["rebase-apply", "head-name"],
  ["BISECT_START"],
];
const largestNote = 1n << 20n;

/** Branches that are being rebased or bisected. Read without following a link: the directory is somebody else's. */
function heldBranches(repo: HostRepository): CheckedOut[] {
  const top = openRoot(repo.gitDir);
  try {
    const found = branchesIn(top, repo.path);
    const linked = openDirectory(top, Buffer.from("worktrees"));
    if (!linked) return found;
    try {
      for (const name of readdirSync(`/proc/self/fd/${linked.fd}`, { encoding: "buffer" })) {
        const one = openDirectory(linked, name);
        if (!one) continue;
        try {
          const gitFile = note(one, ["gitdir"])
            ?.trim()
            .replace(/\/\.git$/, "");
          found.push(...branchesIn(one, gitFile ?? repo.path));
        } finally {
          closeDirectory(one);
        }
      }
    } finally {
      closeDirectory(linked);
    }
    return found;
  } finally {
    closeDirectory(top);
  }
}

function branchesIn(directory: OpenDirectory, worktree: string): CheckedOut[] {
  const lines = notes.flatMap((path) => note(directory, path)?.split("\n") ?? []);
  return lines
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => ({ ref: line.startsWith("refs/") ? line : `refs/heads/${line}`, worktree }));
}

function note(directory: OpenDirectory, path: readonly string[]): string | undefined {
  const [name = "", ...rest] = path;
  if (rest.length > 0) {
    const next = openDirectory(directory, Buffer.from(name));
    if (!next) return undefined;
    try {
      return note(next, rest);
    } finally {
      closeDirectory(next);
    }
  }
  const seen = statBelow(directory, Buffer.from(name));
  if (!seen?.isFile() || seen.nlink !== 1n || seen.size > largestNote) return undefined;
  const fd = openFile(directory, Buffer.from(name), seen);
  try {
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}
