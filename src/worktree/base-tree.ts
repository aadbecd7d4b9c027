/**
 * The base tree: the checkout of one commit that every lane on it shares, read-only. Byte for byte what git holds, without
 * history, remotes or hooks. Made once under another name and renamed when whole.
 */
import { createHash } from "node:crypto";
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../domain/error.ts";
import { goingPrefix } from "./clear.ts";
import { gitLine, type Owner, runGit, splitNul } from "./git.ts";
import { assertComplete } from "./host-repository.ts";
import { runTool } from "./mount.ts";
import { checkGitName, showPath } from "./names.ts";
import { byteExactAttributes, type Quarantine, writeIndex } from "./quarantine.ts";

export interface BaseTree {
  key: string;
  /** The checkout, absolute; its `.git` is synthetic. */
  files: string;
  commit: string;
  /** The commit's whole tree. */
  tree: string;
  /** The tree of what is visible: the tree of the synthetic commit. */
  visibleTree: string;
  /** A directory that holds nothing but the base's regular `.gitignore` files. */
  ignoreRoot: string;
}

export interface BaseTreeOptions {
  quarantine: Quarantine;
  /** Where base trees are kept. */
  directory: string;
  commit: string;
  /** The host's commit that a commit of the quarantine's own stands on; left out: `commit` is the host's. */
  root?: string;
  visible: (path: string) => boolean;
  /** Says what `visible` lets through: trees are shared by it. */
  visibleKey: string;
  owner: Owner;
}

/** Raised when the content of a made tree would differ for the same inputs. */
const format = 1;

const making = new Map<string, Promise<BaseTree>>();

/** The base tree of a commit, made where it is missing. Errors: `repository-invalid`, `git-failed`, `worktree-failed`. */
export function ensureBaseTree(options: BaseTreeOptions): Promise<BaseTree> {
  const { quarantine, commit, visibleKey, owner } = options;
  const identity = [format, quarantine.repository.gitDir, commit, visibleKey, owner.uid, owner.gid];
  const key = createHash("sha256").update(JSON.stringify(identity)).digest("hex").slice(0, 40);
  const final = join(options.directory, key);
  const running = making.get(final);
  if (running) return running;
  const made = ensure(options, key, final).finally(() => making.delete(final));
  making.set(final, made);
  return made;
}

interface Facts {
  tree: string;
  visibleTree: string;
}

async function ensure(options: BaseTreeOptions, key: string, final: string): Promise<BaseTree> {
  const there = await facts(final);
  // When it was asked for last: what nobody asks for is cleared away some day. One that is cleared away right now is made again.
  if (there && (await touched(join(final, "base.json")))) {
    return { key, files: join(final, "files"), commit: options.commit, ...there, ignoreRoot: join(final, "ignore") };
  }
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const scratch = await mkdtemp(join(options.directory, makingPrefix));
  try {
    await make(options, scratch);
    await rename(scratch, final).catch((error: NodeJS.ErrnoException) => {
      // Another process was faster; its tree is as good.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return ensure(options, key, final);
}

/** Sets a file's time to now; false where it is not there any more. */
async function touched(file: string): Promise<boolean> {
  const now = new Date();
  return utimes(file, now, now).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
}

const makingPrefix = ".making-";

async function facts(directory: string): Promise<Facts | null> {
  const text = await readFile(join(directory, "base.json"), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  return text === null ? null : (JSON.parse(text) as Facts);
}

/** Deletes what a crash left half made. Call it before any base tree is asked for. Returns the names. */
export async function sweepBaseTrees(directory: string): Promise<string[]> {
  const names = (await readdir(directory).catch(() => [])).filter(
    (name) => name.startsWith(makingPrefix) || name.startsWith(goingPrefix),
  );
  for (const name of names) await rm(join(directory, name), { recursive: true, force: true });
  return names;
}

interface Entry {
  mode: string;
  oid: string;
  path: Buffer;
}

async function list(quarantine: Quarantine, tree: string): Promise<Entry[]> {
  const { stdout } = await runGit(["ls-tree", "-r", "-z", "--full-tree", tree], {
    gitDir: quarantine.gitDir,
    maxBytes: 1024 ** 3,
    timeout: 300_000,
  });
  return splitNul(stdout).map((piece) => {
    const tab = piece.indexOf(0x09);
    const [mode = "", , oid = ""] = piece.toString("latin1", 0, tab).split(" ");
    return { mode, oid, path: piece.subarray(tab + 1) };
  });
}

/** Refuses a base whose names git itself would trip over: such a tree cannot be checked out safely anywhere. */
function checkNames(entries: readonly Entry[], commit: string): void {
  const seen = new Set<string>();
  for (const { path } of entries) {
    for (const segment of path.toString("latin1").split("/")) {
      if (seen.has(segment)) continue;
      seen.add(segment);
      const bytes = Buffer.from(segment, "latin1");
      const fault = bytes.length > 255 ? { message: "a name of more than 255 bytes" } : checkGitName(bytes);
      if (!fault) continue;
      throw new SallyportError("repository-invalid", `commit ${commit} has ${showPath(path)}: ${fault.message}`, {
        next: "Take that path out of the base commit, or name another base.",
      });
    }
  }
}

async function make(options: BaseTreeOptions, scratch: string): Promise<void> {
  const { quarantine, commit, owner } = options;
  await assertComplete(quarantine.repository, options.root ?? commit);
  await chmod(scratch, 0o755);
  const tree = await quarantine.treeOf(commit);
  const all = await list(quarantine, tree);
  checkNames(all, commit);
  // A name that is not UTF-8 is matched with replacement characters in it: a pattern can only let it through by a wildcard.
  const visible = all.filter((entry) => options.visible(entry.path.toString("utf8")));

  const files = join(scratch, "files");
  await mkdir(files);
  const index = join(scratch, "index");
  const own = { gitDir: quarantine.gitDir, indexFile: index, timeout: 600_000 };
  const lines = visible.flatMap((entry) => [Buffer.from(`${entry.mode} ${entry.oid}\t`), entry.path, Buffer.from([0])]);
  const visibleTree = await (async () => {
    await writeIndex(own, Buffer.concat(lines));
    const written = await gitLine(["write-tree"], own);
    await runGit(["checkout-index", "--all", "--force", "--quiet"], { ...own, workTree: files, cwd: files });
    return written;
  })().catch((error: unknown) => {
    throw new SallyportError(
      "repository-invalid",
      `commit ${commit} cannot be checked out: ${error instanceof Error ? error.message : String(error)}`,
      {
        next: "Look at that path in the base commit, or name another base.",
        cause: error,
      },
    );
  });
  await rm(index, { force: true });

  await makeGitDirectory(options, files, visibleTree);
  await makeIgnoreRoot(quarantine, join(scratch, "ignore"), all);
  await writeFile(join(scratch, "base.json"), JSON.stringify({ tree, visibleTree } satisfies Facts));
  await chown(scratch, 0, 0);
  await runTool("chown", ["--recursive", "--no-dereference", `${owner.uid}:${owner.gid}`, files], "/", 600_000);
}

/**
 * A `.git` that makes a harness feel at home: one parentless commit, that tree's objects and no others, and an index that
 * stays fresh when the files are seen through an overlay (other device and inode numbers, other owner's ctime).
 */
async function makeGitDirectory(options: BaseTreeOptions, files: string, visibleTree: string): Promise<void> {
  const { quarantine } = options;
  const commit = await quarantine.commitTree({
    tree: visibleTree,
    parent: null,
    message: "base",
    author: { name: "Sallyport", email: "base@sallyport.invalid" },
    date: new Date("2000-01-01T00:00:00Z"),
  });
  const gitDir = join(files, ".git");
  await runGit(
    [
      "init",
      "--quiet",
      "--template=",
      "--initial-branch=main",
      `--object-format=${quarantine.objectFormat}`,
      "--end-of-options",
      files,
    ],
    { cwd: files },
  );
  await mkdir(join(gitDir, "info"), { recursive: true });
  await writeFile(join(gitDir, "info/attributes"), byteExactAttributes);
  for (const [name, value] of settings) await runGit(["config", name, value], { gitDir });
  await runGit(["index-pack", "--stdin"], { gitDir, stdin: quarantine.packFor(commit, null), timeout: 600_000 });
  await runGit(["update-ref", "refs/heads/main", commit], { gitDir });
  // One time for every file, well before the index's own: else each would be "racily clean" and read again by every status.
  const seconds = Number(
    await gitLine(["show", "--no-patch", "--format=%ct", options.commit], { gitDir: quarantine.gitDir }),
  );
  const stamp = Math.min(
    Math.max(Number.isFinite(seconds) ? seconds : 0, earliest),
    Math.floor(Date.now() / 1000) - 60,
  );
  await runTool("find", [".", "-exec", "touch", "--no-dereference", "--date", `@${stamp}`, "{}", "+"], files, 600_000);
  const tree = { gitDir, workTree: files, cwd: files, timeout: 600_000 };
  await runGit(["read-tree", commit], tree);
  await runGit(["update-index", "-q", "--really-refresh"], { ...tree, accept: [0, 1] });
}

/** 1980-01-02, the first day that a zip archive can hold in every time zone. */
const earliest = 315_619_200;

const settings = [
  ["core.checkStat", "minimal"],
  ["core.trustctime", "false"],
  ["core.logAllRefUpdates", "true"],
  ["gc.auto", "0"],
  ["maintenance.auto", "false"],
  ["user.name", "Sandbox"],
  ["user.email", "sandbox@sallyport.invalid"],
] as const;

/** The base's ignore rules by themselves. A `.gitignore` that is a link is none, as for git since 2.32. */
async function makeIgnoreRoot(quarantine: Quarantine, ignoreRoot: string, entries: readonly Entry[]): Promise<void> {
  await mkdir(ignoreRoot);
  const ignores = entries.filter(
    ({ path, mode }) => mode.startsWith("100") && (path.equals(gitignore) || path.subarray(-11).equals(slashGitignore)),
  );
  const objects = quarantine.objects();
  try {
    for (const { path, oid } of ignores) {
      const target = Buffer.concat([Buffer.from(`${ignoreRoot}/`), path]);
      await mkdir(target.subarray(0, target.lastIndexOf(0x2f)), { recursive: true });
      await writeFile(target, await objects.read(oid, "blob", 16 * 1024 * 1024));
    }
  } finally {
    await objects.close();
  }
}

const gitignore = Buffer.from(".gitignore");
const slashGitignore = Buffer.from("/.gitignore");
