/** Real repositories, mounts and a sandbox's uid for the worktree tests; everything is taken away again by `clean`. */
import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type BaseTree, ensureBaseTree } from "../../src/worktree/base-tree.ts";
import { type Collected, type CollectLimits, collectLayer } from "../../src/worktree/collect.ts";
import { type HostRepository, openHostRepository, resolveCommit } from "../../src/worktree/host-repository.ts";
import {
  createLayer,
  destroyLayer,
  freezeLayer,
  openWorkspace,
  seedWorkspace,
  sweepMounts,
} from "../../src/worktree/layer.ts";
import { openQuarantine, type Quarantine } from "../../src/worktree/quarantine.ts";

const run = promisify(execFile);

export const sandbox = { uid: 10001, gid: 10001 };
/** Owner of the host repositories in these tests: neither the daemon nor the sandbox. */
export const owner = { uid: 23456, gid: 23456 };

const environment = {
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  LC_ALL: "C.UTF-8",
  HOME: "/nonexistent",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.org",
  GIT_AUTHOR_DATE: "1700000000 +0000",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.org",
  GIT_COMMITTER_DATE: "1700000000 +0000",
};

/** Runs a program as some uid, 60 s at most, and gives its output. */
export async function as(
  who: { uid: number; gid: number },
  cwd: string,
  tool: string,
  ...args: string[]
): Promise<string> {
  const options = { cwd, env: environment, uid: who.uid, gid: who.gid, timeout: 60_000, maxBuffer: 64 * 1024 * 1024 };
  return (await run(tool, args, options)).stdout.trimEnd();
}

/** Runs a shell script as some uid; its exit code does not matter. */
export function script(
  who: { uid: number; gid: number },
  cwd: string,
  text: string,
): { status: number | null; output: string } {
  const ended = spawnSync("bash", ["-c", text], { cwd, env: environment, uid: who.uid, gid: who.gid, timeout: 60_000 });
  return { status: ended.status, output: `${ended.stdout}${ended.stderr}` };
}

export interface Bench {
  root: string;
  repo: string;
  clean(): Promise<void>;
}

/** A temporary directory with an empty repository of `owner` in it. */
export async function bench(format: "sha1" | "sha256" = "sha1"): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), "sallyport-worktree-"));
  await chmod(root, 0o755);
  const repo = join(root, "host repo");
  await mkdir(repo);
  await run("chown", [`${owner.uid}:${owner.gid}`, repo]);
  await as(owner, repo, "git", "init", "-q", "-b", "main", `--object-format=${format}`);
  // A background gc would write below us while we clean up.
  await as(owner, repo, "git", "config", "gc.auto", "0");
  await as(owner, repo, "git", "config", "maintenance.auto", "false");
  return {
    root,
    repo,
    async clean() {
      await sweepMounts(root);
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** Commits everything that a script writes in a checkout, and gives the commit's id. */
export async function commit(repo: string, text: string): Promise<string> {
  const wrote = script(owner, repo, `set -e\n${text}`);
  if (wrote.status !== 0) throw new Error(wrote.output);
  await as(owner, repo, "git", "add", "-A");
  await as(owner, repo, "git", "commit", "-q", "--allow-empty", "-m", "change");
  return as(owner, repo, "git", "rev-parse", "HEAD");
}

export const limits: CollectLimits = { entries: 2000, bytes: 8 * 1024 * 1024, fileBytes: 1024 * 1024 };
export const everything = () => true;
export const plan = {
  message: "proposal",
  author: { name: "Host", email: "host@example.org" },
  date: new Date("2026-01-02T03:04:05Z"),
};

export interface Stage {
  repository: HostRepository;
  quarantine: Quarantine;
  base: BaseTree;
  /**
   * One sandbox's life: a fresh layer (seeded with `from`), `write` as the sandbox's uid in the workspace, then
   * collection. The layer is destroyed whatever happens.
   */
  attempt(write: string | ((workspace: string) => void | Promise<void>), options?: AttemptOptions): Promise<Collected>;
}

export interface AttemptOptions {
  from?: string;
  limits?: Partial<CollectLimits>;
  bytes?: number;
  inodes?: number;
  setup?: readonly string[];
}

let attempts = 0;

/** Everything from a host repository to a base tree, ready for attempts. */
export async function stage(
  bench: Bench,
  visible: (path: string) => boolean = everything,
  visibleKey = "all",
): Promise<Stage> {
  const repository = await openHostRepository(bench.repo);
  const quarantine = await openQuarantine({ directory: join(bench.root, "quarantine"), repository });
  const { commit } = await resolveCommit(repository, undefined);
  const directory = join(bench.root, "trees");
  const base = await ensureBaseTree({ quarantine, directory, commit, visible, visibleKey, owner: sandbox });
  return {
    repository,
    quarantine,
    base,
    async attempt(write, options = {}) {
      attempts += 1;
      const lanes = join(bench.root, "lanes");
      const name = `lane-${attempts}`;
      const layer = await createLayer({
        directory: lanes,
        name,
        bytes: options.bytes ?? 32 * 1024 * 1024,
        inodes: options.inodes ?? 4000,
        owner: sandbox,
      });
      try {
        const lowers = [...(options.setup ?? []), base.files];
        const workspace = await openWorkspace({ lowers, layer, target: join(bench.root, "slots", name) });
        if (options.from) await seedWorkspace(workspace, quarantine, base.tree, options.from, sandbox);
        await chmod(join(bench.root, "slots"), 0o755);
        if (typeof write === "string") script(sandbox, workspace.target, write);
        else await write(workspace.target);
        await freezeLayer(workspace);
        return await collectLayer({
          quarantine,
          base,
          ...(options.from ? { fromTree: options.from } : {}),
          layer,
          lowers,
          limits: { ...limits, ...options.limits },
          visible,
          commit: plan,
          ref: `attempts/${name}`,
        });
      } finally {
        await destroyLayer(layer);
      }
    },
  };
}

/** One digest over names, modes, owners and contents below a directory: that nothing changed there. */
export function fingerprint(directory: string): string {
  const hash = createHash("sha256");
  const visit = (path: Buffer) => {
    const stat = lstatSync(path);
    hash.update(path).update(`\0${stat.mode} ${stat.uid} ${stat.gid}\0`);
    if (stat.isSymbolicLink()) hash.update(readlinkSync(path, { encoding: "buffer" }));
    else if (stat.isFile()) hash.update(readFileSync(path));
    else if (stat.isDirectory()) {
      const names = readdirSync(path, { encoding: "buffer" }).sort(Buffer.compare);
      for (const name of names) visit(Buffer.concat([path, Buffer.from("/"), name]));
    }
  };
  visit(Buffer.from(directory));
  return hash.digest("hex");
}

/** The collection as a success, or an error that shows what was found. */
export function accepted(collected: Collected): Extract<Collected, { ok: true }> {
  if (!collected.ok) throw new Error(`refused: ${JSON.stringify(collected.findings)}`);
  return collected;
}

/** The findings of a refused collection as `reason path`. */
export function refused(collected: Collected): string[] {
  if (collected.ok) throw new Error(`accepted: ${JSON.stringify(collected.changes)}`);
  return collected.findings.map((finding) => `${finding.reason} ${finding.path ?? "-"}`);
}
