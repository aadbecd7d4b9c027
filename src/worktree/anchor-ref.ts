/** Heads of the ledger as commits on a ref of somebody's repository: plumbing only, as its owner, hooks off. */
import { SallyportError } from "../domain/error.ts";
import { type GitOptions, gitLine, runGit } from "./git.ts";
import { checkFullRef, type HostRepository, ownerOf, readRef } from "./host-repository.ts";
import { showPath } from "./names.ts";

const at = (repo: HostRepository): GitOptions => ({ gitDir: repo.gitDir, as: ownerOf(repo), timeout: 30_000 });

/**
 * Adds a commit with an empty tree and `message` on top of the ref, which is made where there is none.
 * Errors: `ref-invalid`, `git-failed` where git cannot write or somebody else moved the ref meanwhile.
 */
export async function appendToRef(repo: HostRepository, ref: string, message: string): Promise<void> {
  checkFullRef(ref);
  const symbolic = await runGit(["symbolic-ref", "--quiet", ref], { ...at(repo), accept: [0, 1, 128] });
  if (symbolic.code === 0)
    throw new SallyportError("ref-invalid", `${showPath(ref)} is a symbolic ref`, { next: "Name a ref of its own." });
  const parent = await readRef(repo, ref);
  const tree = await gitLine(["hash-object", "-t", "tree", "-w", "--stdin"], at(repo));
  const commit = await gitLine(
    ["commit-tree", "--no-gpg-sign", ...(parent === null ? [] : ["-p", parent]), "-F", "-", tree],
    { ...at(repo), stdin: Buffer.from(`${message}\n`) },
  );
  const zero = "0".repeat(repo.objectFormat === "sha1" ? 40 : 64);
  // Only from where it was: two hosts on one ref would else lose each other's heads.
  await runGit(["update-ref", "--no-deref", "--end-of-options", ref, commit, parent ?? zero], at(repo));
}

/** The messages of the last `most` commits of a ref, oldest first. Errors: `ref-invalid` where there is no such ref. */
export async function messagesOfRef(repo: HostRepository, ref: string, most: number): Promise<string[]> {
  const tip = await readRef(repo, ref);
  if (tip === null)
    throw new SallyportError("ref-invalid", `there is no ${showPath(ref)} in ${showPath(repo.path)}`, {
      next: "Name the ref in full, such as refs/sallyport/heads.",
    });
  const listed = await runGit(
    ["rev-list", "--first-parent", `--max-count=${most}`, "--no-commit-header", "--format=%B%x00", tip],
    { ...at(repo), timeout: 120_000, maxBytes: 256 * 1024 * 1024 },
  );
  return listed.stdout
    .toString("utf8")
    .split("\0")
    .map((message) => message.trim())
    .filter((message) => message !== "")
    .reverse();
}
