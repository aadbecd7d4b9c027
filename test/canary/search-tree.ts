/** Looks for canaries in every file below a directory, in git's compressed objects too. */
import { execFileSync } from "node:child_process";
import { closeSync, lstatSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import type { Search } from "../../src/secrets/search.ts";

export interface Leak {
  path: string;
  /** Which canary it is. */
  name: string;
}

const chunkBytes = 1024 * 1024;
/** Bytes of a packed repository that is still unpacked to be searched. */
const packBytes = 64 * 1024 * 1024;

/** Every file that holds one in its bytes or its name. Links are not followed and other file systems not entered. */
export function searchTree(root: string, search: Search, allowed: readonly string[] = []): Leak[] {
  const leaks: Leak[] = [];
  const device = lstatSync(root).dev;
  const open = [root];
  const look = (path: string, bytes: Buffer) => {
    const found = search.next(bytes, 0);
    if (found) leaks.push({ path, name: found.name });
  };
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const here = path;
    if (allowed.some((one) => here === one || here.startsWith(`${one}/`))) continue;
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (!status || status.dev !== device) continue;
    look(path, Buffer.from(path.slice(root.length)));
    if (status.isDirectory()) for (const name of readdirSync(path)) open.push(join(path, name));
    else if (status.isFile()) {
      const name = searchFile(path, search);
      if (name !== undefined) leaks.push({ path, name });
      if (/\/objects\/[0-9a-f]{2}\/[0-9a-f]{38,62}$/.test(path)) look(path, inflated(path));
      if (/\/objects\/pack\/.*\.pack$/.test(path) && status.size <= packBytes) leaks.push(...searchPack(path, search));
    }
  }
  return leaks;
}

/** The first canary in a file, in pieces of bounded size. */
function searchFile(path: string, search: Search): string | undefined {
  const fd = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(chunkBytes + search.longest);
    let kept = 0;
    for (;;) {
      const read = readSync(fd, buffer, kept, chunkBytes, null);
      if (read === 0) return undefined;
      const filled = buffer.subarray(0, kept + read);
      const match = search.next(filled, 0);
      if (match) return match.name;
      // The end of this piece may be the beginning of a canary.
      kept = Math.min(filled.length, search.longest - 1);
      filled.copyWithin(0, filled.length - kept);
    }
  } finally {
    closeSync(fd);
  }
}

/** A loose object's content; what is no object is searched as it is alone. */
function inflated(path: string): Buffer {
  try {
    return inflateSync(readFileSync(path), { maxOutputLength: packBytes });
  } catch {
    return Buffer.alloc(0);
  }
}

function searchPack(path: string, search: Search): Leak[] {
  const directory = mkdtempSync(join(tmpdir(), "unpacked-"));
  const options = {
    cwd: directory,
    env: { PATH: process.env.PATH, GIT_CONFIG_NOSYSTEM: "1", HOME: directory },
    stdio: ["pipe", "ignore", "ignore"] as ["pipe", "ignore", "ignore"],
    timeout: 60_000,
  };
  try {
    execFileSync("git", ["init", "-q", "--bare", "."], options);
    // Tests break packs on purpose: what can be unpacked is searched.
    execFileSync("git", ["unpack-objects", "-q", "-r"], { ...options, input: readFileSync(path) });
  } catch {
    // Searched below as far as it came.
  }
  try {
    return searchTree(directory, search).map(({ path: inner, name }) => ({
      path: `${path}${inner.slice(directory.length)}`,
      name,
    }));
  } finally {
    // Not by the functions that search again what they remove.
    execFileSync("rm", ["-rf", directory]);
  }
}
