/**
 * Reads a secret's file. The checks are on what was opened, not on its name: a file that somebody else could read has
 * been read, and one that somebody else could put there is not the operator's (ATTACKS S6).
 */
import { constants } from "node:fs";
import { lstat, open, readlink } from "node:fs/promises";
import { dirname } from "node:path";

/** Bytes of the largest file that is read. */
const fileBytes = 64 * 1024;

/** The text of a secret's file, or what is wrong with it. `owner` is the only uid that may own it. */
export async function readSecretFile(path: string, owner: number): Promise<{ text: string } | { fault: string }> {
  const around = await faultAround(path, owner);
  if (around) return { fault: around };
  // Not waiting for the other end of a fifo, and not through a link.
  const handle = await open(
    path,
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
  ).catch((error: NodeJS.ErrnoException) => error);
  if (handle instanceof Error) {
    return {
      fault: handle.code === "ELOOP" ? "it is a symbolic link" : `it cannot be opened (${handle.code ?? "unknown"})`,
    };
  }
  try {
    const found = await handle.stat();
    const fault =
      (!found.isFile() && "it is not a regular file") ||
      (found.uid !== owner && `it belongs to uid ${found.uid}, not ${owner}`) ||
      ((found.mode & 0o177) !== 0 &&
        `its mode is ${(found.mode & 0o7777).toString(8).padStart(4, "0")}, not 0600 or 0400`) ||
      (found.nlink !== 1 && `it has ${found.nlink} names (hard links)`) ||
      (found.size > fileBytes && `it is larger than ${fileBytes} bytes`) ||
      ((await readlink(`/proc/self/fd/${handle.fd}`)) !== path && "a directory on its way is a symbolic link");
    if (fault) return { fault };
    const buffer = Buffer.alloc(fileBytes);
    const { bytesRead } = await handle.read(buffer, 0, fileBytes, 0);
    return { text: buffer.toString("latin1", 0, bytesRead) };
  } finally {
    await handle.close();
  }
}

/**
 * What is wrong with the directories above a file: whoever can write to one can put another file in its place. A
 * sticky directory such as /tmp keeps others from that. With `links`, one of root's may lead on (`/bin` is often one).
 */
export async function faultAround(path: string, owner: number, links = false): Promise<string | undefined> {
  for (let directory = dirname(path); ; directory = dirname(directory)) {
    const found = await lstat(directory).catch((error: NodeJS.ErrnoException) => error);
    if (found instanceof Error) return `${directory} cannot be looked at (${found.code ?? "unknown"})`;
    if (found.isSymbolicLink() && links && found.uid === 0) continue;
    if (found.isSymbolicLink()) return `${directory} is a symbolic link`;
    if (found.uid !== owner && found.uid !== 0) return `${directory} belongs to uid ${found.uid}`;
    if ((found.mode & 0o022) !== 0 && (found.mode & 0o1000) === 0) return `${directory} can be written by others`;
    if (directory === "/") return undefined;
  }
}
