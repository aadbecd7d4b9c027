/**
 * The host repository: someone else's, so git runs with that owner's rights, and nothing its configuration names is
 * ever executed. It is read at a commit and written at one ref; its checkout and index are never touched.
 */
import { lstat, realpath, stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { SallyportError } from "../domain/error.ts";
import { type GitOptions, runGit } from "./git.ts";
import { showPath } from "./names.ts";

export interface HostRepository {
  /** The canonical path of what was named. */
  path: string;
  /** The common git directory, absolute: where objects and branches are. */
  gitDir: string;
  /** The git directory whose HEAD counts: that of a linked worktree where one was named, else `gitDir`. */
  headDir: string;
  uid: number;
  gid: number;
  bare: boolean;
  objectFormat: "sha1" | "sha256";
}

const invalid = (path: string, found: string, next: string, cause?: unknown) =>
  new SallyportError("repository-invalid", `${showPath(path)}: ${found}`, { next, cause });

export const ownerOf = (repo: { uid: number; gid: number }) => ({ uid: repo.uid, gid: repo.gid });
const at = (repo: HostRepository): GitOptions => ({ gitDir: repo.headDir, as: ownerOf(repo) });

/**
 * Opens a repository by the path of its top: a checkout, a linked worktree or a bare repository. `empty`: it may have no commit yet.
 * Errors: `repository-invalid` where it is missing, no repository, without commits, or without all objects of HEAD.
 */
export async function openHostRepository(path: string, options: { empty?: boolean } = {}): Promise<HostRepository> {
  const named = await realpath(path).catch((error: unknown) => {
    throw invalid(
      path,
      "there is no such directory",
      "Name the top directory of a git repository on this host.",
      error,
    );
  });
  const top = await stat(named);
  if (!top.isDirectory()) throw invalid(named, "is not a directory", "Name the top directory of a git repository.");
  if (/[\n\r\0]/.test(named)) throw invalid(named, "a line break in the path", "Move the repository to a plain path.");
  const owner = { uid: top.uid, gid: top.gid };
  const found = await runGit(
    [
      "rev-parse",
      "--path-format=absolute",
      "--absolute-git-dir",
      "--git-common-dir",
      "--is-bare-repository",
      "--show-object-format",
    ],
    { cwd: named, as: owner, timeout: 30_000 },
  ).catch((error: unknown) => {
    throw invalid(
      named,
      `git finds no repository here as its owner (uid ${owner.uid}): ${error instanceof Error ? error.message : String(error)}`,
      "Name the top directory of a repository that its owner can read; a directory below the top is not one.",
      error,
    );
  });
  const [headDir, gitDir, bare, objectFormat] = found.stdout.toString("utf8").split("\n");
  if (!headDir || !gitDir || (objectFormat !== "sha1" && objectFormat !== "sha256")) {
    throw invalid(
      named,
      "git's answer about this repository is not understood",
      "Convert it to a format that this host's git knows.",
    );
  }
  // A `.git` file or link of the owner's may point at a repository of someone else's: the rights stay the owner's, and
  // the objects must be theirs too, since the daemon reads them through an alternate.
  const common = await realpath(gitDir);
  const commonOwner = await lstat(common);
  if (commonOwner.uid !== owner.uid) {
    throw invalid(
      named,
      `its git directory ${showPath(common)} belongs to uid ${commonOwner.uid}, the checkout to ${owner.uid}`,
      "Give both to one owner.",
    );
  }
  const repo: HostRepository = {
    path: named,
    gitDir: common,
    headDir: await realpath(headDir),
    ...owner,
    bare: bare === "true",
    objectFormat,
  };
  if (!options.empty) await refuseIncomplete(repo);
  return repo;
}

async function refuseIncomplete(repo: HostRepository): Promise<void> {
  const any = await runGit(["for-each-ref", "--count=1", "--format=%(objectname)"], at(repo));
  const head = await runGit(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], {
    ...at(repo),
    accept: [0, 1, 128],
  });
  if (any.stdout.length === 0 && head.code !== 0) {
    throw invalid(repo.path, "the repository has no commits", "Make a first commit, then name it again.");
  }
  const promisor = await runGit(["config", "--get-regexp", "^(remote\\..*\\.promisor|extensions\\.partialclone)$"], {
    ...at(repo),
    accept: [0, 1],
  });
  if (promisor.code === 0 && head.code === 0) await assertComplete(repo, head.stdout.toString("utf8").trim());
}

/**
 * Makes sure that every object of a commit's tree is there and that the repository's owner may read it: the daemon
 * reads through an alternate with its own rights, and must not read for the owner what the owner cannot.
 * Errors: `repository-invalid`.
 */
export async function assertComplete(repo: HostRepository, commit: string): Promise<void> {
  const tree = `${commit}^{tree}`;
  const walk = await runGit(
    ["rev-list", "--objects", "--no-walk", "--missing=print", "--no-object-names", "--end-of-options", tree],
    {
      ...at(repo),
      accept: [0, 128],
      maxBytes: 512 * 1024 * 1024,
      timeout: 600_000,
    },
  );
  const missing = /^\?([0-9a-f]+)$/m.exec(walk.stdout.toString("latin1"));
  if (walk.code === 0 && !missing) return;
  throw invalid(
    repo.path,
    missing
      ? `object ${missing[1]} of commit ${commit} is missing (a partial clone?)`
      : `commit ${commit} cannot be read whole: ${walk.stderr.slice(0, 300)}`,
    "Fetch the missing objects as the repository's owner: `git fetch --refetch --no-filter` or a full clone.",
  );
}

/** Refuses what is not the plain name of a revision, before git sees it. */
function checkRefText(ref: string): void {
  if (ref === "" || ref.length > 1024 || ref.startsWith("-") || /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u.test(ref)) {
    throw new SallyportError("ref-invalid", `not the name of a revision: ${showPath(ref.slice(0, 200))}`, {
      next: "Name a branch, a tag or a commit.",
    });
  }
}

/** True for a full branch name that git accepts. */
async function isBranchName(repo: HostRepository, ref: string): Promise<boolean> {
  if (!ref.startsWith("refs/heads/")) return false;
  const { code } = await runGit(["check-ref-format", ref], { ...at(repo), accept: [0, 1] });
  return code === 0;
}

/**
 * The commit a revision names; left out: HEAD. `ref` is the full name of the branch where it names one.
 * Errors: `ref-invalid`.
 */
export async function resolveCommit(
  repo: HostRepository,
  ref: string | undefined,
): Promise<{ commit: string; ref: string | null }> {
  const name = ref ?? "HEAD";
  checkRefText(name);
  const answer = await runGit(["rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`], {
    ...at(repo),
    accept: [0, 1, 128],
  });
  const commit = answer.stdout.toString("utf8").trim();
  if (answer.code !== 0 || !/^[0-9a-f]{40,64}$/.test(commit)) {
    throw new SallyportError("ref-invalid", `${showPath(name)} names no commit of ${showPath(repo.path)}`, {
      next: "Name a branch, a tag or a commit that is in the repository.",
    });
  }
  if (name === "HEAD") {
    const branch = await runGit(["symbolic-ref", "--quiet", "HEAD"], { ...at(repo), accept: [0, 1] });
    const full = branch.stdout.toString("utf8").trim();
    return { commit, ref: branch.code === 0 && full.startsWith("refs/heads/") ? full : null };
  }
  const branch = name.startsWith("refs/heads/") ? name : `refs/heads/${name.replace(/^heads\//, "")}`;
  if (!(await isBranchName(repo, branch))) return { commit, ref: null };
  const tip = await readRef(repo, branch);
  if (tip === null) return { commit, ref: null };
  if (tip !== commit) {
    // git would take the tag (or the id) and stay silent: which one was meant is not ours to guess.
    throw new SallyportError("ref-invalid", `${showPath(name)} names both a branch and something else`, {
      next: `Write ${showPath(branch)} for the branch, or the commit's id.`,
    });
  }
  return { commit, ref: branch };
}

/** The commit a full ref is at; null where there is none. Errors: `ref-invalid` for what is no full ref name. */
export async function readRef(repo: HostRepository, ref: string): Promise<string | null> {
  checkFullRef(ref);
  const answer = await runGit(["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`], {
    ...at(repo),
    accept: [0, 1, 128],
  });
  const commit = answer.stdout.toString("utf8").trim();
  return answer.code === 0 && commit !== "" ? commit : null;
}

/** Refuses what is no full name of a ref, before git sees it. Errors: `ref-invalid`. */
export function checkFullRef(ref: string): void {
  checkRefText(ref);
  if (!ref.startsWith("refs/") || /[ ~^:?*[\\]|\.\.|@\{|\/\/|\/$|\.$|\.lock(?:\/|$)|\/\./.test(ref)) {
    throw new SallyportError("ref-invalid", `not a full ref name: ${showPath(ref)}`, {
      next: "Write it in full, such as refs/heads/main.",
    });
  }
}

/**
 * Moves a branch from one commit to another, and only so: false where it was not at `from` (`null`: where it existed).
 * Runs as the repository's owner with hooks off. Errors: `ref-invalid` for a name that is no branch or is symbolic,
 * `git-failed` where git cannot write.
 */
export async function swapRef(repo: HostRepository, ref: string, from: string | null, to: string): Promise<boolean> {
  checkFullRef(ref);
  if (!(await isBranchName(repo, ref))) {
    throw new SallyportError("ref-invalid", `not a branch: ${showPath(ref)}`, {
      next: "Write a branch in full, such as refs/heads/main.",
    });
  }
  // Through a symbolic branch another ref would move than the one that was allowed.
  const symbolic = await runGit(["symbolic-ref", "--quiet", ref], { ...at(repo), accept: [0, 1, 128] });
  if (symbolic.code === 0) {
    throw new SallyportError("ref-invalid", `${showPath(ref)} is a symbolic ref`, {
      next: `Name ${showPath(symbolic.stdout.toString("utf8").trim())} itself.`,
    });
  }
  const zero = "0".repeat(repo.objectFormat === "sha1" ? 40 : 64);
  const updated = await runGit(
    ["update-ref", "--no-deref", "-m", "sallyport: land", "--end-of-options", ref, to, from ?? zero],
    {
      ...at(repo),
      accept: [0, 1, 128],
    },
  );
  if (updated.code === 0) return true;
  const now = await readRef(repo, ref);
  if (now !== from) return false;
  throw new SallyportError(
    "git-failed",
    `${showPath(ref)} could not be moved: ${showPath(updated.stderr.trim().slice(0, 1000))}`,
    {
      next: "Look for a stale `.lock` beside the ref and for free space, then land again.",
    },
  );
}

/** Writes a pack into the repository as its owner, every object checked. Errors: `git-failed`. */
export async function receivePack(repo: HostRepository, pack: Readable): Promise<void> {
  await runGit(["index-pack", "--stdin", "--strict", "--fix-thin"], {
    ...at(repo),
    gitDir: repo.gitDir,
    stdin: pack,
    timeout: 600_000,
  });
}
