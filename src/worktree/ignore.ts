/** The base's ignore rules, asked of git itself: one long-lived `git check-ignore` in a directory no sandbox could write. */
import { SallyportError } from "../domain/error.ts";
import { startGit } from "./git.ts";
import type { Quarantine } from "./quarantine.ts";

export interface IgnoreRules {
  /** For each path, in order, whether the rules exclude it. Paths are relative to the top. */
  ignored(paths: readonly Buffer[]): Promise<boolean[]>;
  close(): Promise<void>;
}

const here = Buffer.from("./");
const nul = Buffer.from([0]);

/** Starts asking. It must be closed. */
export function openIgnoreRules(quarantine: Quarantine, ignoreRoot: string): IgnoreRules {
  const args = ["check-ignore", "--no-index", "--stdin", "-z", "--verbose", "--non-matching"];
  const git = startGit(args, {
    gitDir: quarantine.gitDir,
    workTree: ignoreRoot,
    cwd: ignoreRoot,
    timeout: 1_800_000,
    accept: [0, 1],
  });
  // Answers are four fields each: source, line, pattern, path. A batch is asked only when the one before is answered.
  let fields: Buffer[] = [];
  let partial = Buffer.alloc(0);
  let wake: () => void = () => {};
  let ended = false;
  git.stdout.on("data", (chunk: Buffer) => {
    let rest = partial.length === 0 ? chunk : Buffer.concat([partial, chunk]);
    for (let at = rest.indexOf(0); at !== -1; at = rest.indexOf(0)) {
      fields.push(rest.subarray(0, at));
      rest = rest.subarray(at + 1);
    }
    partial = Buffer.from(rest);
    wake();
  });
  git.stdout.on("close", () => {
    ended = true;
    wake();
  });

  return {
    async ignored(paths) {
      if (paths.length === 0) return [];
      // `./` keeps a name that starts with `:` from being read as pathspec magic.
      git.stdin.write(Buffer.concat(paths.flatMap((path) => [here, path, nul])));
      while (fields.length < paths.length * 4) {
        if (ended) {
          await git.done;
          throw new SallyportError("git-failed", "git check-ignore ended before it had answered");
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const answers = fields;
      fields = [];
      return paths.map((path, i) => {
        const pattern = answers[i * 4 + 2] as Buffer;
        if (!(answers[i * 4 + 3] as Buffer).subarray(2).equals(path))
          throw new SallyportError("git-failed", "git check-ignore answered about another path");
        // A pattern that starts with `!` took the path back in.
        return pattern.length > 0 && pattern[0] !== 0x21;
      });
    },
    async close() {
      git.stdin.end();
      await git.done.catch(() => {});
    },
  };
}
