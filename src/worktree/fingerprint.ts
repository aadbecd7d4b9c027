/**
 * What a layer looks like while its sandbox runs: told without reading a byte of what was written there, and without
 * following a link. Two prints that differ say that something changed; equal ones, that nothing did as far as was looked.
 */
import { opendirSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { setImmediate as breathe } from "node:timers/promises";
import type { Layer } from "./layer.ts";
import { closeDirectory, type OpenDirectory, openDirectory, openRoot, statBelow } from "./safe-open.ts";

/** Entries that are looked at before the file system's own counts stand for the rest. */
const entriesCap = 4096;
/** Directories below one another: each is an open descriptor. */
const depthCap = 64;
const dotGit = Buffer.from(".git");

/**
 * A text that changes with the layer: entries, bytes, and the newest change of an inode, which a sandbox cannot set
 * (ctime; it can set mtime). The top-level `.git` does not count: harnesses write its index without changing a file.
 * A layer of more entries than are looked at is told by its free blocks and inodes as well.
 */
export async function layerFingerprint(layer: Pick<Layer, "upper" | "mount">): Promise<string> {
  const seen = { entries: 0, bytes: 0n, newest: 0n };
  const root = openRoot(layer.upper);
  try {
    await look(root, 0, seen);
  } finally {
    closeDirectory(root);
  }
  const print = `${seen.entries} entries, ${seen.bytes} bytes, ${seen.newest}`;
  if (seen.entries < entriesCap) return print;
  const { bfree, ffree } = await statfs(layer.mount);
  return `${print}, ${bfree} blocks and ${ffree} inodes free`;
}

async function look(
  directory: OpenDirectory,
  depth: number,
  seen: { entries: number; bytes: bigint; newest: bigint },
): Promise<void> {
  const names = namesIn(directory, entriesCap - seen.entries);
  for (const name of names) {
    if (seen.entries >= entriesCap) return;
    if (depth === 0 && name.equals(dotGit)) continue;
    const stat = statBelow(directory, name);
    // It went meanwhile: the next look tells.
    if (!stat) continue;
    seen.entries += 1;
    seen.bytes += stat.size;
    if (stat.ctimeNs > seen.newest) seen.newest = stat.ctimeNs;
    const below = stat.isDirectory() && depth < depthCap ? openDirectory(directory, name) : null;
    if (!below) continue;
    try {
      await look(below, depth + 1, seen);
    } finally {
      closeDirectory(below);
    }
  }
  // Other lanes get their turn between two directories.
  await breathe();
}

/** Names in an open directory, as bytes, at most so many. */
function namesIn(directory: OpenDirectory, most: number): Buffer[] {
  const names: Buffer[] = [];
  const listing = opendirSync(`/proc/self/fd/${directory.fd}`, { encoding: "buffer" as BufferEncoding });
  try {
    while (names.length < most) {
      const entry = listing.readSync();
      if (!entry) break;
      names.push(entry.name as unknown as Buffer);
    }
  } finally {
    listing.closeSync();
  }
  return names;
}
