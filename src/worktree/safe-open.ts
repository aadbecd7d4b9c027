/**
 * The one place that opens what a sandbox wrote. Every step is relative to an open directory (`/proc/self/fd/N/name`),
 * follows no link, waits for no fifo, and is checked on the opened file, not on its name. Node has no openat2(2).
 */
import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync } from "node:fs";
import { SallyportError } from "../domain/error.ts";
import { showPath } from "./names.ts";

/** An open directory, and where it is, for messages. */
export interface OpenDirectory {
  fd: number;
  path: Buffer;
}

/** A name below an open directory, as a path for system calls. */
export function below(directory: { fd: number }, name: Uint8Array | string): Buffer {
  const bytes = Buffer.from(name as Uint8Array);
  // A separator would leave the directory; `..` would too.
  if (bytes.length === 0 || bytes.includes(0x2f) || bytes.includes(0) || bytes.equals(dot) || bytes.equals(dotDot)) {
    throw new SallyportError("worktree-failed", `not one path segment: ${showPath(bytes)}`);
  }
  return Buffer.concat([Buffer.from(`/proc/self/fd/${directory.fd}/`), bytes]);
}

const dot = Buffer.from(".");
const dotDot = Buffer.from("..");

/** Joins segments for display and for git: never for opening. */
export function joinPath(directory: Uint8Array, name: Uint8Array): Buffer {
  return directory.length === 0 ? Buffer.from(name) : Buffer.concat([directory, Buffer.from("/"), name]);
}

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Opens a directory of the daemon's own by its absolute path. A link in its last step is an error. */
export function openRoot(path: string): OpenDirectory {
  return { fd: openSync(path, directoryFlags), path: Buffer.alloc(0) };
}

/** Opens a directory below an open one; null where it is missing or no directory. */
export function openDirectory(parent: OpenDirectory, name: Uint8Array): OpenDirectory | null {
  try {
    return { fd: openSync(below(parent, name), directoryFlags), path: joinPath(parent.path, name) };
  } catch (error) {
    if (isAbsent(error) || codeOf(error) === "ELOOP") return null;
    throw error;
  }
}

export function closeDirectory(directory: OpenDirectory): void {
  closeSync(directory.fd);
}

/** What lies under a name, without following it; null where there is nothing. */
export function statBelow(directory: OpenDirectory, name: Uint8Array): BigIntStats | null {
  try {
    return lstatSync(below(directory, name), { bigint: true });
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

/** The target of a link below a directory, as bytes. */
export function readLinkBelow(directory: OpenDirectory, name: Uint8Array): Buffer {
  return readlinkSync(below(directory, name), { encoding: "buffer" }) as Buffer;
}

/**
 * Opens a regular file for reading, and makes sure it is the one that `seen` described: type, inode, device, size, one
 * name only. Errors: `worktree-failed` where it is another one by now.
 */
export function openFile(directory: OpenDirectory, name: Uint8Array, seen: BigIntStats): number {
  const fd = openSync(
    below(directory, name),
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
  );
  const now = fstatSync(fd, { bigint: true });
  if (now.isFile() && now.ino === seen.ino && now.dev === seen.dev && now.size === seen.size && now.nlink === 1n)
    return fd;
  closeSync(fd);
  throw new SallyportError("worktree-failed", `${showPath(joinPath(directory.path, name))} changed while it was read`, {
    next: "The layer was not frozen: end every process that can write to it, then collect again.",
  });
}

/** The `code` of a system error. */
export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

/** True where the error says that there is nothing under that name, or something else than a directory above it. */
export function isAbsent(error: unknown): boolean {
  return codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR";
}
