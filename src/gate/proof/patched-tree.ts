/** A patch applied again, in a scratch index: which tree it makes. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runGit } from "../../worktree/git.ts";
import type { Quarantine } from "../../worktree/quarantine.ts";

/** The tree that a patch makes of another, in an index of its own; what went wrong where it makes none. */
export async function treeAfter(quarantine: Quarantine, from: string, patch: Buffer): Promise<string> {
  const scratch = await mkdtemp(join(quarantine.gitDir, "prove-"));
  try {
    const index = { gitDir: quarantine.gitDir, indexFile: join(scratch, "index") };
    const file = join(scratch, "patch");
    await writeFile(file, patch);
    await runGit(["read-tree", from], index);
    if (patch.length > 0) {
      // To the index alone: nothing of it is ever written to a work tree.
      const args = ["apply", "--cached", "--whitespace=nowarn", "--unidiff-zero", "--end-of-options", file];
      const applied = await runGit(args, { ...index, accept: [0, 1, 128] });
      if (applied.code !== 0) return `nothing (${applied.stderr.trim().slice(0, 200)})`;
    }
    return (await runGit(["write-tree"], index)).stdout.toString("latin1").trim();
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
