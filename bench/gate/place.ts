/** A corpus repository as the host meets it: a real git repository, its quarantine and base tree, a brief's settled policy. */
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { AttemptPlace } from "../../src/delegation/attempt-place.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { narrowPolicy } from "../../src/policy/narrow.ts";
import { pathMatcher } from "../../src/policy/paths.ts";
import { sandboxOwner } from "../../src/sandbox/engine.ts";
import { ensureBaseTree } from "../../src/worktree/base-tree.ts";
import { openHostRepository, resolveCommit } from "../../src/worktree/host-repository.ts";
import { sweepMounts } from "../../src/worktree/layer.ts";
import { openQuarantine } from "../../src/worktree/quarantine.ts";
import type { CorpusBrief, CorpusRepository } from "../../test/gate-corpus/load.ts";
import { writeTree } from "../../test/gate-corpus/tree.ts";

const run = promisify(execFile);

export interface Place {
  repository: CorpusRepository;
  attempt: AttemptPlace;
  /** The policy of a brief of this repository. */
  policyOf(brief: CorpusBrief): Policy;
  close(): Promise<void>;
}

/** Makes the repository at its base commit, in a directory that `close` takes away with all that is mounted in it. */
export async function openPlace(corpus: CorpusRepository): Promise<Place> {
  const root = await mkdtemp(join(tmpdir(), "sallyport-corpus-"));
  const close = async () => {
    await sweepMounts(root);
    await rm(root, { recursive: true, force: true });
  };
  try {
    await chmod(root, 0o755);
    const directory = join(root, `${corpus.id}.git-checkout`);
    await mkdir(directory);
    writeTree(directory, corpus.base);
    await commitAll(directory);
    const repository = await openHostRepository(directory);
    const quarantine = await openQuarantine({ directory: join(root, "quarantine"), repository });
    const { commit } = await resolveCommit(repository, undefined);
    const { visible } = corpus.policy.filesystem;
    const base = await ensureBaseTree({
      quarantine,
      directory: join(root, "trees"),
      commit,
      visible: pathMatcher(visible),
      visibleKey: visible.join("\n"),
      owner: sandboxOwner,
    });
    const lanes = join(root, "lanes");
    await mkdir(lanes, { mode: 0o755 });
    return {
      repository: corpus,
      attempt: { repository, quarantine, base, whole: base, setup: [], directory: lanes },
      policyOf: (brief) => narrowPolicy(corpus.policy, brief.brief),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function commitAll(directory: string): Promise<void> {
  const git = (...args: string[]) =>
    run("git", ["-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "maintenance.auto=false", ...args], {
      cwd: directory,
      timeout: 60_000,
      env: {
        PATH: process.env["PATH"],
        HOME: "/nonexistent",
        GIT_CONFIG_NOSYSTEM: "1",
        GIT_AUTHOR_NAME: "Ada",
        GIT_AUTHOR_EMAIL: "ada@example.org",
        GIT_AUTHOR_DATE: "1700000000 +0000",
        GIT_COMMITTER_NAME: "Ada",
        GIT_COMMITTER_EMAIL: "ada@example.org",
        GIT_COMMITTER_DATE: "1700000000 +0000",
      },
    });
  await git("init", "-q", "-b", "main");
  await git("add", "-A", "-f");
  await git("commit", "-q", "-m", "base");
}
