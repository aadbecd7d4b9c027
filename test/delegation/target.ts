/** A repository whose `main` can be landed on, and moved under a landing's feet. */
import { as, type Bench, bench, commit, owner, script } from "../worktree/fixture.ts";

export interface Target extends Bench {
  /** Puts content at a path on a branch (null: takes it away), as one commit of its owner's; gives the commit. */
  move(files: Record<string, string | null>, ref?: string): string;
  /** What a revision names. */
  at(revision: string): Promise<string>;
}

/** A checkout on `work`, with `main` at the same commit: src/sum.mjs (ten lines of comment after its two), other. */
export async function target(): Promise<Target> {
  const b = await bench();
  const comment = Array.from({ length: 10 }, (_, line) => `// ${line}`).join("\\n");
  await commit(
    b.repo,
    `mkdir src; printf 'export const sum = (a, b) =>\\n  a - b;\\n${comment}\\n' > src/sum.mjs; printf x > other`,
  );
  await as(owner, b.repo, "git", "checkout", "-q", "-b", "work");
  let moves = 0;
  return {
    ...b,
    at: (revision) => as(owner, b.repo, "git", "rev-parse", revision),
    move(files, ref = "refs/heads/main") {
      moves += 1;
      const put = Object.entries(files).map(([path, content]) =>
        content === null
          ? `git update-index --force-remove '${path}'`
          : `git update-index --add --cacheinfo "100644,$(printf '%b' '${content.replaceAll("\n", "\\n")}' | git hash-object -w --stdin),${path}"`,
      );
      const text = `set -e
export GIT_INDEX_FILE="$PWD/.git/index-${moves}"
git read-tree ${ref}
${put.join("\n")}
made=$(git commit-tree -p ${ref} -m 'moved ${moves}' $(git write-tree))
git update-ref ${ref} $made
rm "$GIT_INDEX_FILE"
echo $made`;
      const { status, output } = script(owner, b.repo, text);
      if (status !== 0) throw new Error(output);
      return output.trim();
    },
  };
}

/** The code that a promise is refused with, or `done`. */
export const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "done",
    (error: { code?: string }) => error.code ?? String(error),
  );
