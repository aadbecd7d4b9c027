/**
 * The walk of a frozen layer: what changed over the base, and what may not be proposed. It reads names, types and link
 * targets, never a file's content, and never looks at a path the base's rules ignore beyond counting it.
 */
import { type BigIntStats, opendirSync } from "node:fs";
import { setImmediate as breathe } from "node:timers/promises";
import { SallyportError } from "../domain/error.ts";
import type { Finding } from "../domain/rejection.ts";
import { showSize } from "../domain/units.ts";
import type { IgnoreRules } from "./ignore.ts";
import { checkLinkTarget } from "./link-target.ts";
import { checkName, checkRemovedName, foldName, type NameFault, showPath } from "./names.ts";
import type { ObjectReader, TreeEntry } from "./objects.ts";
import {
  closeDirectory,
  joinPath,
  type OpenDirectory,
  openDirectory,
  openRoot,
  readLinkBelow,
  statBelow,
} from "./safe-open.ts";

/** How much a layer may propose. */
export interface CollectLimits {
  /** Paths that change; what the base's rules ignore does not count. */
  entries: number;
  /** Bytes of all changed files together. */
  bytes: number;
  /** Bytes of one file. */
  fileBytes: number;
}

/** A file or link that the layer puts into the tree. */
export interface Candidate {
  path: Buffer;
  mode: "100644" | "100755" | "120000";
  stat: BigIntStats;
  /** Of a link. */
  target?: Buffer;
}

/** What the layer held, proposed or not: evidence of what the sandbox wrote. */
export interface Wrote {
  /** Files, links and special files; directories and the sandbox's own `.git` do not count. */
  files: number;
  bytes: number;
  /** The first thousand paths that the base does not ignore, escaped. */
  paths: string[];
}

export interface Walked {
  candidates: Candidate[];
  /** Paths of the base that are gone. */
  removed: Buffer[];
  /** Files of the base with a name that may not be proposed: fine as long as they are as they were. */
  suspects: { candidate: Candidate; fault: NameFault; before: TreeEntry }[];
  ignored: number;
  wrote: Wrote;
  findings: Finding[];
}

export interface WalkOptions {
  upper: string;
  merged: string;
  lower: string;
  objects: ObjectReader;
  baseTree: string;
  /** The tree the layer was started from: what it holds is never dropped as ignored. */
  fromTree: string;
  rules: IgnoreRules;
  limits: CollectLimits;
  visible: (path: string) => boolean;
}

const dotGit = Buffer.from(".git");
const batchSize = 512;
const findingsCap = 100;
const pathsCap = 1000;
/** Directories below one another: far beyond any source tree, and below the limit of open files. */
const depthCap = 256;

/** Thrown to end a walk at a cap; what was found until then stands. */
class Cut extends Error {}

interface Place {
  layer: OpenDirectory;
  merged: OpenDirectory;
  lower: OpenDirectory | null;
  segments: readonly Buffer[];
  base: TreeEntry[];
  from: TreeEntry[];
  /** Why nothing here may be proposed: a submodule, or a hidden file, is where this directory is. */
  refused?: { reason: Finding["reason"]; message: string };
}

/** Walks a layer. Errors: `worktree-failed`, `git-failed`; what is the executor's fault is a finding instead. */
export async function walkLayer(options: WalkOptions): Promise<Walked> {
  const { objects, limits, rules } = options;
  const walked: Walked = {
    candidates: [],
    removed: [],
    suspects: [],
    ignored: 0,
    wrote: { files: 0, bytes: 0, paths: [] },
    findings: [],
  };
  let entries = 0;
  let bytes = 0;
  let steps = 0;

  function find(reason: Finding["reason"], path: Uint8Array, message: string): void {
    walked.findings.push({ reason, path: showPath(path).slice(0, 4200), message });
    if (walked.findings.length >= findingsCap) throw new Cut();
  }
  function cut(message: string): never {
    walked.findings.push({ reason: "layer-too-large", message });
    throw new Cut();
  }
  function count(): void {
    entries += 1;
    if (entries > limits.entries) cut(`more than ${limits.entries} changed paths; propose a smaller change`);
  }
  const shownTo = (path: Buffer) => options.visible(path.toString("utf8"));
  const children = async (entry: TreeEntry | undefined) => (entry?.mode === "040000" ? objects.tree(entry.oid) : []);

  /** Marks what the base has at a path as gone, and says whether something hidden is among it. */
  async function removeBase(entry: TreeEntry, path: Buffer, segments: readonly Buffer[]): Promise<boolean> {
    if (entry.mode === "040000") {
      let hidden = false;
      for (const child of await objects.tree(entry.oid)) {
        if (await removeBase(child, joinPath(path, child.name), [...segments, child.name])) hidden = true;
      }
      return hidden;
    }
    if (!shownTo(path)) return true;
    count();
    const fault =
      entry.mode === "160000"
        ? { reason: "nested-repository" as const, message: "a submodule cannot be changed" }
        : checkRemovedName(segments);
    if (fault) find(fault.reason, path, `removed: ${fault.message}`);
    else walked.removed.push(path);
    return false;
  }

  async function leaf(place: Place, name: Buffer, stat: BigIntStats, base: TreeEntry | undefined): Promise<void> {
    const path = joinPath(place.layer.path, name);
    const segments = [...place.segments, name];
    count();
    if (walked.wrote.paths.length < pathsCap) walked.wrote.paths.push(showPath(path));
    if (place.refused) return find(place.refused.reason, path, place.refused.message);
    if (base?.mode === "160000") return find("nested-repository", path, "a submodule cannot be changed");
    if (!shownTo(path)) return find("not-writable", path, "the path is outside what the executor was given");
    const hidden = base?.mode === "040000" ? await removeBase(base, path, segments) : false;
    if (hidden)
      return find("not-writable", path, "it takes the place of a directory with files the executor was not given");
    const fault = checkName(segments);
    if (fault && base && (stat.isSymbolicLink() || (stat.isFile() && stat.nlink === 1n))) {
      const target = stat.isSymbolicLink() ? { target: readLinkBelow(place.layer, name) } : {};
      walked.suspects.push({ candidate: { path, mode: modeOf(stat), stat, ...target }, fault, before: base });
      return;
    }
    if (fault) return find(fault.reason, path, fault.message);
    if (stat.isSymbolicLink()) {
      const target = readLinkBelow(place.layer, name);
      walked.candidates.push({ path, mode: "120000", stat, target });
      return;
    }
    if (!stat.isFile()) return find("file-refused", path, `${typeOf(stat)} cannot be part of a proposal`);
    if (stat.nlink !== 1n)
      return find("file-refused", path, `a hard link: the file has ${stat.nlink} names; write a copy`);
    if ((stat.mode & 0o6000n) !== 0n) return find("file-refused", path, "a setuid or setgid bit on the file");
    if (stat.size > BigInt(limits.fileBytes))
      return find("layer-too-large", path, `the file is larger than ${showSize(limits.fileBytes)}`);
    bytes += Number(stat.size);
    if (bytes > limits.bytes)
      cut(`changed files of more than ${showSize(limits.bytes)} together; propose a smaller change`);
    walked.candidates.push({ path, mode: modeOf(stat), stat });
  }

  async function leaves(
    place: Place,
    batch: { name: Buffer; stat: BigIntStats }[],
    base: Map<string, TreeEntry>,
    from: Map<string, TreeEntry>,
  ) {
    // A path that the base or the start has is never ignored, as for git itself.
    const untracked = batch.filter(({ name }) => !base.has(key(name)) && !from.has(key(name)));
    const answers = await rules.ignored(untracked.map(({ name }) => joinPath(place.layer.path, name)));
    const dropped = new Set(untracked.filter((_, i) => answers[i]).map(({ name }) => key(name)));
    walked.ignored += dropped.size;
    for (const { name, stat } of batch) {
      if (!dropped.has(key(name))) await leaf(place, name, stat, base.get(key(name)));
    }
  }

  async function directory(place: Place): Promise<void> {
    const base = new Map(place.base.map((entry) => [key(entry.name), entry]));
    const from = new Map(place.from.map((entry) => [key(entry.name), entry]));
    const before = walked.candidates.length;
    const folded = new Set([...base.values()].map((entry) => foldName(entry.name.toString("utf8"))));
    const directories: Buffer[] = [];
    let batch: { name: Buffer; stat: BigIntStats }[] = [];
    for (const name of names(place.layer)) {
      if (++steps % 256 === 0) await breathe();
      const stat = statBelow(place.layer, name);
      if (!stat)
        throw new SallyportError(
          "worktree-failed",
          `${showPath(joinPath(place.layer.path, name))} vanished from a frozen layer`,
        );
      const whiteout = stat.isCharacterDevice() && stat.rdev === 0n;
      if (whiteout) continue;
      if (place.segments.length === 0 && name.equals(dotGit)) {
        // The sandbox's own repository: not one byte of it is read. In any other shape it is an attack on ours.
        if (!stat.isDirectory()) find("nested-repository", name, "the top-level `.git` is no longer a directory");
        continue;
      }
      folded.add(foldName(name.toString("utf8")));
      if (stat.isDirectory()) {
        directories.push(name);
        continue;
      }
      walked.wrote.files += 1;
      if (stat.isFile()) walked.wrote.bytes += Number(stat.size);
      batch.push({ name, stat });
      if (batch.length < batchSize) continue;
      await leaves(place, batch, base, from);
      batch = [];
    }
    await leaves(place, batch, base, from);
    await gone(place);
    for (const name of directories) await enter(place, name, base.get(key(name)), from.get(key(name)));
    // git takes such a directory for a repository and would read its config (safe.bareRepository).
    const looksBare = folded.has("head") && (folded.has("commondir") || (folded.has("objects") && folded.has("refs")));
    if (looksBare && walked.candidates.length > before) {
      find(
        "nested-repository",
        place.layer.path.length === 0 ? Buffer.from(".") : place.layer.path,
        "a directory that git would take for a bare repository",
      );
    }
  }

  /** What the base has here, the lowers showed, and the merged view no longer has: whiteouts and opaque directories alike. */
  async function gone(place: Place): Promise<void> {
    for (const entry of place.base) {
      if (++steps % 256 === 0) await breathe();
      if (statBelow(place.merged, entry.name) || !place.lower || !statBelow(place.lower, entry.name)) continue;
      await removeBase(entry, joinPath(place.layer.path, entry.name), [...place.segments, entry.name]);
    }
  }

  async function enter(
    parent: Place,
    name: Buffer,
    base: TreeEntry | undefined,
    from: TreeEntry | undefined,
  ): Promise<void> {
    const path = joinPath(parent.layer.path, name);
    const segments = [...parent.segments, name];
    if (segments.length > depthCap)
      return find("name-refused", path, `more than ${depthCap} directories below one another`);
    let refused = parent.refused;
    if (base?.mode === "160000") refused = { reason: "nested-repository", message: "the path is inside a submodule" };
    else if (base && base.mode !== "040000" && (await removeBase(base, path, segments))) {
      refused = { reason: "not-writable", message: "it takes the place of a file the executor was not given" };
    }
    const layer = openDirectory(parent.layer, name);
    if (!layer) throw new SallyportError("worktree-failed", `${showPath(path)} changed in a frozen layer`);
    let merged: OpenDirectory | null = null;
    let lower: OpenDirectory | null = null;
    try {
      merged = openDirectory(parent.merged, name);
      if (!merged) throw new SallyportError("worktree-failed", `${showPath(path)} is not in the merged view`);
      lower = parent.lower && openDirectory(parent.lower, name);
      await directory({
        layer,
        merged,
        lower,
        segments,
        base: await children(base),
        from: await children(from),
        ...(refused ? { refused } : {}),
      });
    } finally {
      for (const open of [layer, merged, lower]) if (open) closeDirectory(open);
    }
  }

  const top = [options.upper, options.merged, options.lower].map(openRoot);
  try {
    const [layer, merged, lower] = top as [OpenDirectory, OpenDirectory, OpenDirectory];
    const [base, from] = [await objects.tree(options.baseTree), await objects.tree(options.fromTree)];
    await directory({ layer, merged, lower, segments: [], base, from });
  } catch (error) {
    if (!(error instanceof Cut)) throw error;
  } finally {
    for (const open of top) closeDirectory(open);
  }
  // A directory lists its names in no order of meaning; the same layer must give the same findings.
  walked.findings.sort((a, b) => (a.path ?? "").localeCompare(b.path ?? "", "en"));
  return walked;
}

/** The fault of a link that is new or changed, by its target's text. */
export function linkFault(candidate: Candidate): string | null {
  if (!candidate.target) return null;
  let depth = 0;
  for (const byte of candidate.path) if (byte === 0x2f) depth += 1;
  return checkLinkTarget(candidate.target, depth);
}

const key = (name: Uint8Array) => Buffer.from(name).toString("latin1");

/** Names in an open directory, as bytes, a few at a time. */
function* names(directory: OpenDirectory): Generator<Buffer> {
  const listing = opendirSync(`/proc/self/fd/${directory.fd}`, {
    encoding: "buffer" as BufferEncoding,
    bufferSize: 256,
  });
  try {
    for (let entry = listing.readSync(); entry; entry = listing.readSync()) yield entry.name as unknown as Buffer;
  } finally {
    listing.closeSync();
  }
}

function modeOf(stat: BigIntStats): Candidate["mode"] {
  if (stat.isSymbolicLink()) return "120000";
  return (stat.mode & 0o100n) === 0n ? "100644" : "100755";
}

function typeOf(stat: BigIntStats): string {
  if (stat.isFIFO()) return "a fifo";
  if (stat.isSocket()) return "a socket";
  if (stat.isBlockDevice() || stat.isCharacterDevice()) return "a device";
  return "a special file";
}
