/** Writes the difference of two trees into a mounted workspace, before any sandbox sees it. No link is ever followed. */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lchownSync,
  mkdirSync,
  openSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { SallyportError } from "../domain/error.ts";
import type { Owner } from "./git.ts";
import { showPath } from "./names.ts";
import type { Change, Quarantine } from "./quarantine.ts";
import { below, closeDirectory, type OpenDirectory, openDirectory, openRoot, statBelow } from "./safe-open.ts";

/** The largest blob that is written into a workspace. */
const blobCap = 256 * 1024 * 1024;

const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** The open directories down to the one that holds `path`'s last segment; missing ones are made with `make`. */
function descend(root: OpenDirectory, segments: readonly Buffer[], make: Owner | null): OpenDirectory[] | null {
  const open: OpenDirectory[] = [root];
  for (const segment of segments) {
    const parent = open.at(-1) as OpenDirectory;
    let next = openDirectory(parent, segment);
    if (!next && make) {
      if (statBelow(parent, segment)) rmSync(below(parent, segment), { force: true });
      mkdirSync(below(parent, segment), 0o755);
      next = openDirectory(parent, segment);
      if (next) fchownSync(next.fd, make.uid, make.gid);
    }
    if (!next) {
      closeAll(open);
      return null;
    }
    open.push(next);
  }
  return open;
}

function closeAll(open: readonly OpenDirectory[]): void {
  for (const directory of open.slice(1).reverse()) closeDirectory(directory);
}

const separator = 0x2f;

function split(path: Buffer): Buffer[] {
  const segments: Buffer[] = [];
  let from = 0;
  for (let at = path.indexOf(separator); at !== -1; at = path.indexOf(separator, from)) {
    segments.push(path.subarray(from, at));
    from = at + 1;
  }
  segments.push(path.subarray(from));
  return segments;
}

/** Takes a path away, and the directories that it leaves empty: git knows no empty directory. */
function remove(root: OpenDirectory, path: Buffer): void {
  const segments = split(path);
  const open = descend(root, segments.slice(0, -1), null);
  if (!open) return;
  try {
    for (let depth = segments.length - 1; depth >= 0; depth--) {
      const parent = open[depth] as OpenDirectory;
      const name = segments[depth] as Buffer;
      const found = statBelow(parent, name);
      if (!found) continue;
      if (!found.isDirectory()) rmSync(below(parent, name));
      else if (!removeEmpty(parent, name)) return;
    }
  } finally {
    closeAll(open);
  }
}

function removeEmpty(parent: OpenDirectory, name: Buffer): boolean {
  try {
    rmdirSync(below(parent, name));
    return true;
  } catch {
    return false;
  }
}

function put(root: OpenDirectory, path: Buffer, change: Change, content: Buffer, owner: Owner): void {
  const segments = split(path);
  const open = descend(root, segments.slice(0, -1), owner);
  if (!open) throw new SallyportError("worktree-failed", `${showPath(path)} cannot be written into the workspace`);
  try {
    const parent = open.at(-1) as OpenDirectory;
    const at = below(parent, segments.at(-1) as Buffer);
    rmSync(at, { recursive: true, force: true });
    if (change.mode === "120000") {
      symlinkSync(content, at);
      lchownSync(at, owner.uid, owner.gid);
      return;
    }
    const fd = openSync(at, createFlags, 0o600);
    try {
      writeFileSync(fd, content);
      fchownSync(fd, owner.uid, owner.gid);
      fchmodSync(fd, change.mode === "100755" ? 0o755 : 0o644);
    } finally {
      closeSync(fd);
    }
  } finally {
    closeAll(open);
  }
}

/**
 * Turns the workspace's content from `fromTree` into `toTree`. Only the daemon may have the workspace at this time.
 * Errors: `worktree-failed` for a submodule or a full layer, `git-failed` for a missing object.
 */
export async function seedWorkspace(
  workspace: { target: string },
  quarantine: Quarantine,
  fromTree: string,
  toTree: string,
  owner: Owner,
): Promise<void> {
  const changes = await quarantine.changes(fromTree, toTree);
  if (changes.length === 0) return;
  const bytesOf = (change: Change) => change.raw ?? Buffer.from(change.path);
  const root = openRoot(workspace.target);
  const objects = quarantine.objects();
  try {
    for (const change of changes) if (change.kind === "deleted") remove(root, bytesOf(change));
    for (const change of changes) {
      if (change.kind === "deleted") continue;
      if (change.mode === "160000") {
        throw new SallyportError("worktree-failed", `${showPath(bytesOf(change))} is a submodule`, {
          next: "Submodules are changed by hand, outside a delegation.",
        });
      }
      put(root, bytesOf(change), change, await objects.read(change.oid, "blob", blobCap), owner);
    }
  } finally {
    await objects.close();
    closeDirectory(root);
  }
}
