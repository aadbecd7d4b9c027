/** Segments: the ledger's files, `00000001.jsonl` and up, read line by line in flat memory. */
import { constants } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../domain/error.ts";

/** A segment's number and file. */
export interface Segment {
  number: number;
  path: string;
}

/** A line longer than this is no line of ours. */
export const lineBytesMax = 256 * 1024 ** 2;
const chunkBytes = 256 * 1024;

export function segmentName(number: number): string {
  return `${String(number).padStart(8, "0")}.jsonl`;
}

/** The segments in a directory, in order. Other files are not looked at. A missing directory is `ledger-broken`. */
export async function listSegments(directory: string): Promise<Segment[]> {
  const names = await readdir(directory).catch((cause: NodeJS.ErrnoException) => {
    throw new SallyportError("ledger-broken", `${directory} cannot be read: ${cause.code ?? cause.message}`, {
      next: "Name the ledger's directory.",
      cause,
    });
  });
  return names
    .filter((name) => /^\d{8}\.jsonl$/.test(name))
    .sort()
    .map((name) => ({ number: Number(name.slice(0, 8)), path: join(directory, name) }));
}

/** A line as bytes without its newline, the offset it starts at, and whether its newline is there. */
export interface RawLine {
  bytes: Buffer;
  offset: number;
  whole: boolean;
}

/**
 * The lines of a file, those of one read at a time, from byte `from` (the start of a line) up to `end` (left out: as long
 * as it is now). Links are not followed. The last one may be unfinished.
 */
export async function* readBatches(
  path: string,
  { from = 0, end }: { from?: number; end?: number | undefined } = {},
): AsyncGenerator<RawLine[]> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await handle.stat();
    if (!stat.isFile())
      throw new SallyportError("ledger-broken", `${path} is not a regular file`, { next: "Restore it from a copy." });
    const limit = Math.min(end ?? stat.size, stat.size);
    let kept: Buffer[] = [];
    let keptBytes = 0;
    let position = from;
    while (position < limit) {
      // A new one each time: the lines are views into it, and whoever holds one may still read it.
      const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, limit - position));
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, position);
      if (bytesRead === 0) break;
      const lines: RawLine[] = [];
      let start = 0;
      for (
        let newline = chunk.indexOf(10, 0);
        newline >= 0 && newline < bytesRead;
        newline = chunk.indexOf(10, start)
      ) {
        const rest = chunk.subarray(start, newline);
        const bytes = keptBytes === 0 ? rest : Buffer.concat([...kept, rest]);
        lines.push({ bytes, offset: position + start - keptBytes, whole: true });
        if (keptBytes > 0) kept = [];
        keptBytes = 0;
        start = newline + 1;
      }
      if (start < bytesRead) {
        kept.push(chunk.subarray(start, bytesRead));
        keptBytes += bytesRead - start;
        if (keptBytes > lineBytesMax) {
          throw new SallyportError("ledger-broken", `${path} holds a line of more than ${lineBytesMax} bytes`, {
            next: "Restore it from a copy.",
          });
        }
      }
      position += bytesRead;
      if (lines.length > 0) yield lines;
    }
    if (keptBytes > 0) yield [{ bytes: Buffer.concat(kept), offset: position - keptBytes, whole: false }];
  } finally {
    await handle.close();
  }
}

/** The same, line by line. */
export async function* readLines(path: string, end?: number, from = 0): AsyncGenerator<RawLine> {
  for await (const batch of readBatches(path, { from, end })) yield* batch;
}

/** Makes what a directory lists durable: a file that was synced but not listed is lost with the power. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
