/** Reads on where it stopped: only what came since, over the rolls of segments and restarts of whoever writes. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../domain/error.ts";
import type { Entry } from "../domain/event.ts";
import { genesis, type Head, readLine } from "./line.ts";
import { listSegments, readBatches, segmentName } from "./segment.ts";

/** Where reading goes on. It moves with what was read. */
export interface Cursor {
  segment: number;
  /** Bytes of the segment that were read. */
  offset: number;
  /** Whether the last entry that was read closes its segment. */
  closed: boolean;
  /** The last entry that was read. */
  head: Head;
}

/** A cursor before the first entry of the segment that holds `from`, or of the last there is. */
export async function cursorBefore(directory: string, from: number): Promise<Cursor> {
  for (const { number, path } of (await listSegments(directory)).reverse()) {
    if (number === 1) break;
    for await (const [first] of readBatches(path)) {
      const place = first?.whole ? placeOf(first.bytes) : undefined;
      if (place && place.seq < from) return { segment: number, offset: 0, closed: false, head: place };
      break;
    }
  }
  return { segment: 1, offset: 0, closed: false, head: { seq: 0, hash: genesis } };
}

/** The place before a line, as it claims it: the chain of what follows is checked from there. */
function placeOf(bytes: Uint8Array): Head | undefined {
  try {
    const { seq, prev } = JSON.parse(Buffer.from(bytes).toString()) as { seq: number; prev: string };
    return Number.isSafeInteger(seq) && /^[0-9a-f]{64}$/.test(prev) ? { seq: seq - 1, hash: prev } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The entries after the cursor up to `upTo` (left out: every finished line there is), each checked. A line that is being
 * written is left for the next time. Throws `ledger-broken` at a bad line, or where what was read is no longer there.
 */
export async function* readOn(
  directory: string,
  cursor: Cursor,
  upTo = Number.POSITIVE_INFINITY,
): AsyncGenerator<Entry> {
  while (cursor.head.seq < upTo) {
    const path = join(directory, segmentName(cursor.segment + (cursor.closed ? 1 : 0)));
    const size = await stat(path).then(
      (found) => found.size,
      () => undefined,
    );
    if (cursor.closed) {
      if (size === undefined) return;
      Object.assign(cursor, { segment: cursor.segment + 1, offset: 0, closed: false });
    } else if ((size ?? 0) < cursor.offset) throw broken(path, cursor, "what was read is no longer there");
    else if (size === undefined) return;
    for await (const batch of readBatches(path, { from: cursor.offset })) {
      for (const { bytes, offset, whole } of batch) {
        if (!whole || cursor.head.seq >= upTo) return;
        const entry = cursor.closed ? "a line follows the one that closes the segment" : readLine(bytes, cursor.head);
        if (typeof entry === "string") throw broken(path, cursor, entry);
        cursor.head = { seq: entry.seq, hash: entry.hash };
        cursor.offset = offset + bytes.length + 1;
        cursor.closed = entry.type === "segment.closed";
        yield entry;
      }
    }
    if (!cursor.closed) return;
  }
}

function broken(path: string, cursor: Cursor, problem: string): SallyportError {
  return new SallyportError("ledger-broken", `${path} after seq ${cursor.head.seq}: ${problem}`, {
    next: "Keep the directory as it is, and run `sallyport audit verify`.",
    at: `${path} at byte ${cursor.offset}`,
  });
}
