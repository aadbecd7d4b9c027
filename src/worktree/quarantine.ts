/**
 * The quarantine: one bare repository of the daemon's own for each host repository. Everything an executor wrote stays
 * here until it may land. It reads the host's objects through an alternate and never writes there.
 */
import { createHash, randomBytes } from "node:crypto";
import { chmod, lstat, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { SallyportError } from "../domain/error.ts";
import { type GitOptions, gitLine, runGit, splitNul, startGit } from "./git.ts";
import type { HostRepository } from "./host-repository.ts";
import { decodeName, showPath, showText } from "./names.ts";
import { type ObjectReader, openObjects } from "./objects.ts";

export type ChangeKind = "added" | "modified" | "deleted";

/** One path that differs between two trees. */
export interface Change {
  /** Relative to the top. Where the name is not UTF-8: its escaped form, with the bytes in `raw`. */
  path: string;
  raw?: Buffer;
  kind: ChangeKind;
  /** Of the new side; of the old one where it was deleted. */
  mode: string;
  oid: string;
}

/** What `compose` does to one path: put a blob there, or take it away. */
export type Override =
  | { path: string; raw?: Buffer; mode: string; oid: string }
  | { path: string; raw?: Buffer; delete: true };

export interface CommitPlan {
  tree: string;
  parent: string | null;
  /** The second parent of a merge. */
  mergedWith?: string;
  message: string;
  author: { name: string; email: string };
  /** Both dates of the commit, to the second, in UTC. */
  date: Date;
}

/**
 * Turns off what a `.gitattributes` of the tree could ask for: content goes in and out byte for byte, and no filter,
 * text conversion or encoding is ever looked up. `info/attributes` wins over every file in a tree.
 */
export const byteExactAttributes = "* -text -eol -ident -filter -working-tree-encoding -crlf\n";

/** What a patch for reading shows around a change: so many lines, or the function that it is in. */
export type PatchView = { context: number | "function" };

export interface Quarantine {
  readonly repository: HostRepository;
  /** The daemon's own git directory. */
  readonly gitDir: string;
  readonly objectFormat: "sha1" | "sha256";
  /** The tree of a commit. */
  treeOf(commit: string): Promise<string>;
  /** The bytes of a blob, by object id or as `commit:path`. Errors: `not-found`, `git-failed` above `maxBytes` (64 MiB). */
  readBlob(name: string, maxBytes?: number): Promise<Buffer>;
  /** What differs between two trees, without rename detection. */
  changes(fromTree: string, toTree: string): Promise<Change[]>;
  /**
   * The patch between two trees, cut at `maxBytes`: then `bytes` says how many there were at least. Without `view` it is
   * the one that digests name. A view is for reading: with so many lines of context, or whole functions, and without the
   * bytes of binary files.
   */
  patch(
    fromTree: string,
    toTree: string,
    maxBytes: number,
    view?: PatchView,
  ): Promise<{ ok: true; patch: Buffer } | { ok: false; bytes: number }>;
  /** A tree with some paths put or taken away. Errors: `git-failed` for a path that git refuses. */
  compose(baseTree: string, overrides: readonly Override[]): Promise<string>;
  writeBlob(bytes: Uint8Array): Promise<string>;
  /** A commit whose id depends on nothing but the plan. */
  commitTree(plan: CommitPlan): Promise<string>;
  /** Whether a commit is the other or stands on it. */
  isAncestor(older: string, newer: string): Promise<boolean>;
  /** A pack of what `commit` has and `exclude` has not (`null`: all of it). An error of git's destroys the stream. */
  packFor(commit: string, exclude: string | null): Readable;
  /** Keeps a commit from being collected, under `refs/sallyport/<ref>`. */
  keep(ref: string, commit: string): Promise<void>;
  drop(ref: string): Promise<void>;
  /** Paths of the files in a tree, sorted by bytes; with `prefixDirs`, those below these directories only. */
  listPaths(tree: string, prefixDirs?: readonly string[]): Promise<string[]>;
  /** A reader of many objects; close it. */
  objects(): ObjectReader;
}

/** The full name of a ref of ours. Errors: `ref-invalid`. */
export function quarantineRef(ref: string): string {
  const name = ref.replace(/^refs\/sallyport\//, "");
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]*(?:[./][A-Za-z0-9_-]+)*$/.test(name) || name.length > 200 || name.endsWith(".lock")) {
    throw new SallyportError("ref-invalid", `not a name for a kept commit: ${showPath(ref.slice(0, 200))}`);
  }
  return `refs/sallyport/${name}`;
}

const hex = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/** Refuses what is not an object id, so that no argument can be read as an option or a revision expression. */
function id(oid: string): string {
  if (!hex.test(oid))
    throw new SallyportError("git-failed", `not an object id: ${showPath(String(oid).slice(0, 100))}`);
  return oid;
}

async function make(directory: string, repository: HostRepository): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const name = createHash("sha256").update(repository.gitDir).digest("hex").slice(0, 32);
  const gitDir = join(directory, `${name}.git`);
  const present = await lstat(gitDir).catch(() => null);
  if (!present) {
    // Made under another name, then renamed: a crash leaves no half repository under the final one.
    const fresh = await mkdtemp(join(directory, ".making-"));
    try {
      await runGit(
        [
          "init",
          "--quiet",
          "--bare",
          "--template=",
          `--object-format=${repository.objectFormat}`,
          "--end-of-options",
          fresh,
        ],
        { cwd: directory },
      );
      await mkdir(join(fresh, "info"), { recursive: true });
      await writeFile(join(fresh, "info/attributes"), byteExactAttributes);
      await chmod(fresh, 0o700);
      await rename(fresh, gitDir);
    } catch (error) {
      await rm(fresh, { recursive: true, force: true });
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
    }
  }
  const format = await gitLine(["rev-parse", "--show-object-format"], { gitDir });
  if (format !== repository.objectFormat) {
    throw new SallyportError(
      "repository-invalid",
      `the quarantine of ${showPath(repository.path)} has ${format} objects, the repository ${repository.objectFormat}`,
      {
        next: `The repository was made anew: move ${gitDir} aside.`,
      },
    );
  }
  const alternates = join(gitDir, "objects/info/alternates");
  const next = `${alternates}.${randomBytes(6).toString("hex")}`;
  await mkdir(join(gitDir, "objects/info"), { recursive: true });
  await writeFile(next, `${join(repository.gitDir, "objects")}\n`);
  await rename(next, alternates);
  return gitDir;
}

/** Opens, and makes where it is missing, the quarantine of a host repository below `directory` (mode 0700, the daemon's). */
export async function openQuarantine(options: { directory: string; repository: HostRepository }): Promise<Quarantine> {
  const { directory, repository } = options;
  const gitDir = await make(directory, repository);
  const at = { gitDir };

  async function treeOf(commit: string): Promise<string> {
    return gitLine(["rev-parse", "--verify", "--end-of-options", `${id(commit)}^{tree}`], at);
  }

  async function readBlob(name: string, maxBytes = 64 * 1024 * 1024): Promise<Buffer> {
    const colon = name.indexOf(":");
    let oid = name;
    if (colon !== -1) {
      // The path is a literal one below the top: `./` and `../` would be taken relative to a directory.
      const path = name.slice(colon + 1);
      if (path === "" || path.split("/").some((s) => s === "" || s === "." || s === "..")) throw absent(name);
      const found = await runGit(
        ["rev-parse", "--verify", "--quiet", "--end-of-options", `${id(name.slice(0, colon))}:${path}`],
        { ...at, accept: [0, 1, 128] },
      );
      if (found.code !== 0) throw absent(name);
      oid = found.stdout.toString("latin1").trim();
    }
    const type = await runGit(["cat-file", "-t", id(oid)], { ...at, accept: [0, 1, 128] });
    if (type.stdout.toString("latin1").trim() !== "blob") throw absent(name);
    return (await runGit(["cat-file", "blob", oid], { ...at, maxBytes })).stdout;
  }

  async function changes(fromTree: string, toTree: string): Promise<Change[]> {
    const args = [
      "diff-tree",
      "-r",
      "-z",
      "--raw",
      "--no-renames",
      "--no-abbrev",
      "--no-ext-diff",
      "--no-textconv",
      "--ignore-submodules=none",
    ];
    const { stdout } = await runGit([...args, id(fromTree), id(toTree), "--"], {
      ...at,
      maxBytes: 512 * 1024 * 1024,
      timeout: 300_000,
    });
    return parseRaw(splitNul(stdout));
  }

  async function patch(fromTree: string, toTree: string, maxBytes: number, view?: PatchView) {
    const args = [
      "diff-tree",
      "-r",
      "-p",
      "--full-index",
      ...(view === undefined ? ["--binary"] : []),
      "--no-renames",
      "--no-ext-diff",
      "--no-textconv",
      "--no-color",
      `--unified=${typeof view?.context === "number" ? view.context : 3}`,
      ...(view?.context === "function" ? ["--function-context"] : []),
      "--inter-hunk-context=0",
      "--diff-algorithm=myers",
      "--no-indent-heuristic",
      "--ignore-submodules=none",
      "--submodule=short",
      "--src-prefix=a/",
      "--dst-prefix=b/",
      "--no-relative",
      "-O/dev/null",
    ];
    const git = startGit([...args, id(fromTree), id(toTree), "--"], { ...at, timeout: 300_000 });
    git.stdin.end();
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of git.stdout as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        git.kill();
        await git.done.catch(() => {});
        return { ok: false as const, bytes };
      }
      chunks.push(chunk);
    }
    await git.done;
    return { ok: true as const, patch: Buffer.concat(chunks) };
  }

  async function compose(baseTree: string, overrides: readonly Override[]): Promise<string> {
    const scratch = await mkdtemp(join(gitDir, "compose-"));
    try {
      const index = { ...at, indexFile: join(scratch, "index") };
      await runGit(["read-tree", id(baseTree)], index);
      const zero = "0".repeat(baseTree.length);
      // Removals first: a directory may become a file, and the other way round.
      const ordered = [...overrides.filter((o) => "delete" in o), ...overrides.filter((o) => !("delete" in o))];
      const lines = ordered.flatMap((o) => {
        const path = o.raw ?? Buffer.from(o.path);
        if (path.includes(0)) throw new SallyportError("git-failed", `a NUL in a path: ${showPath(path)}`);
        if ("delete" in o) return [Buffer.from(`0 ${zero}\t`), path, nul];
        if (!/^(?:100644|100755|120000|160000)$/.test(o.mode))
          throw new SallyportError("git-failed", `not a mode of git's: ${showPath(o.mode)}`);
        return [Buffer.from(`${o.mode} ${id(o.oid)}\t`), path, nul];
      });
      await writeIndex(index, Buffer.concat(lines));
      return await gitLine(["write-tree"], index);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  async function commitTree(plan: CommitPlan): Promise<string> {
    const stamp = `${person(plan.author)} ${Math.floor(plan.date.getTime() / 1000)} +0000`;
    const header = [
      `tree ${id(plan.tree)}`,
      ...(plan.parent === null ? [] : [`parent ${id(plan.parent)}`]),
      ...(plan.mergedWith === undefined ? [] : [`parent ${id(plan.mergedWith)}`]),
      `author ${stamp}`,
      `committer ${stamp}`,
    ];
    const bytes = Buffer.from(`${header.join("\n")}\n\n${message(plan.message)}`);
    return gitLine(["hash-object", "-t", "commit", "-w", "--stdin"], { ...at, stdin: bytes });
  }

  function packFor(commit: string, exclude: string | null): Readable {
    const git = startGit(["pack-objects", "--revs", "--stdout", "--thin", "--delta-base-offset", "--quiet"], {
      ...at,
      timeout: 600_000,
    });
    git.stdin.end(exclude === null ? `${id(commit)}\n` : `${id(commit)}\n^${id(exclude)}\n`);
    const out = new PassThrough();
    git.stdout.pipe(out, { end: false });
    // A pack cut short must never look like a whole one: the stream ends only when git said that it was done.
    git.done.then(
      () => (git.stdout.readableEnded ? out.end() : git.stdout.once("end", () => out.end())),
      (error: Error) => out.destroy(error),
    );
    out.once("close", () => git.kill());
    return out;
  }

  async function listPaths(tree: string, prefixDirs: readonly string[] = []): Promise<string[]> {
    const { stdout } = await runGit(["ls-tree", "-r", "-z", "--name-only", "--full-tree", id(tree)], {
      ...at,
      maxBytes: 512 * 1024 * 1024,
    });
    const all = splitNul(stdout).map((bytes) => decodeName(bytes) ?? showPath(bytes));
    if (prefixDirs.length === 0) return all;
    return all.filter((path) => prefixDirs.some((dir) => path.startsWith(`${dir.replace(/\/+$/, "")}/`)));
  }

  return {
    repository,
    gitDir,
    objectFormat: repository.objectFormat,
    treeOf,
    readBlob,
    changes,
    patch,
    compose,
    commitTree,
    packFor,
    listPaths,
    writeBlob: (bytes) =>
      gitLine(["hash-object", "-t", "blob", "-w", "--no-filters", "--stdin"], { ...at, stdin: bytes }),
    keep: async (ref, commit) => void (await runGit(["update-ref", "--no-deref", quarantineRef(ref), id(commit)], at)),
    drop: async (ref) => void (await runGit(["update-ref", "--no-deref", "-d", quarantineRef(ref)], at)),
    isAncestor: async (older, newer) =>
      (await runGit(["merge-base", "--is-ancestor", id(older), id(newer)], { ...at, accept: [0, 1] })).code === 0,
    objects: () => openObjects(gitDir),
  };
}

/**
 * Puts entries (`mode oid TAB path NUL`) into an index. git only warns of a path that it refuses (`.git`, `..`) and goes on
 * without it: here that is a failure. Errors: `git-failed`.
 */
export async function writeIndex(index: GitOptions & { indexFile: string }, entries: Buffer): Promise<void> {
  const { stderr } = await runGit(["update-index", "-z", "--index-info"], { ...index, stdin: entries });
  if (stderr !== "")
    throw new SallyportError("git-failed", `git refuses a path: ${showText(stderr.trim().slice(0, 1000))}`);
}

const nul = Buffer.from([0]);

function absent(name: string): SallyportError {
  return new SallyportError("not-found", `no file ${showPath(name.slice(0, 4200))}`, {
    next: "Name a file of that tree.",
  });
}

/** A person as a commit names one: what would end the field or forge another is taken out. */
export function person(author: { name: string; email: string }): string {
  const clean = (text: string) => text.replace(/[<>\p{Cc}]/gu, "").trim();
  return `${clean(author.name) || "unknown"} <${clean(author.email)}>`;
}

/** A commit message: no NUL, and one line break at its end. */
export function message(text: string): string {
  return `${text.replaceAll("\0", "").trimEnd()}\n`;
}

function parseRaw(pieces: Buffer[]): Change[] {
  const changes: Change[] = [];
  for (let i = 0; i + 1 < pieces.length; i += 2) {
    const [oldMode, newMode, oldOid, newOid, status] = (pieces[i] as Buffer).toString("latin1").slice(1).split(" ");
    const bytes = pieces[i + 1] as Buffer;
    const text = decodeName(bytes);
    const kind: ChangeKind = status === "A" ? "added" : status === "D" ? "deleted" : "modified";
    const [mode, oid] = kind === "deleted" ? [oldMode, oldOid] : [newMode, newOid];
    changes.push({
      path: text ?? showPath(bytes),
      ...(text === null ? { raw: Buffer.from(bytes) } : {}),
      kind,
      mode: mode ?? "",
      oid: oid ?? "",
    });
  }
  return changes;
}
