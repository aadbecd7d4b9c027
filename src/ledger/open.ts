/** Opens a ledger: verifies where it ends, cuts a torn last line, and gives the one writer of it. */
import { constants } from "node:fs";
import { chmod, type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../domain/error.ts";
import type { Entry, Event } from "../domain/event.ts";
import { Appender, type Position, type Sign } from "./append.ts";
import { genesis, type Head, readLine } from "./line.ts";
import { readEntries } from "./read.ts";
import { listSegments, readLines, type Segment, syncDirectory } from "./segment.ts";
import { Spans } from "./spans.ts";

/** An open ledger. */
export interface Ledger {
  /** Resolves when the entry is durable. Rejects with `internal` for an invalid event, `ledger-failed` when it cannot be kept. */
  append(event: Event): Promise<Entry>;
  /** Not waited for: rides with the next group, within 100 ms. Throws `internal` for an invalid event; a failed write surfaces on the next append. */
  record(event: Event): void;
  /** The durable entries up to the head at the time of the call, each checked again; `from` is the first `seq` (1 is the first there is). */
  read(options?: { from?: number; delegation?: string }): AsyncIterable<Entry>;
  /** Called for every entry after it is durable, in order. Returns the way to stop it. */
  subscribe(listener: (entry: Entry) => void): () => void;
  /** The last durable entry's place; `seq` 0 and 64 zeros for an empty ledger. */
  head(): Head;
  /** Why the ledger refuses appends; undefined while it takes them. */
  failure(): SallyportError | undefined;
  /** Resolves when everything called before is durable. */
  flush(): Promise<void>;
  /** Flushes and closes the segment with a signed head. */
  close(): Promise<void>;
}

export interface LedgerOptions {
  directory: string;
  now: () => Date;
  sign: Sign;
  /** A segment is closed when it has this many bytes. Left out: 64 MiB. */
  segmentBytes?: number;
}

/**
 * Opens the ledger in a directory, which is made if missing. The last segment is verified; a torn last line is cut, its
 * bytes are kept in `torn-<seq>`, and `recovered` is appended. Anything else that is wrong throws `ledger-broken` and
 * names the first bad line.
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const { directory, segmentBytes = 64 * 1024 ** 2 } = options;
  await prepareDirectory(directory);
  const { position, file, torn } = await findEnd(directory);
  // Filled by the first reading of everything, which is how a daemon starts; until then a reading scans.
  const spans = new Spans();
  const appender = new Appender({ ...options, segmentBytes, position, file, spans });
  try {
    if (torn) await appender.append({ type: "recovered", data: torn });
  } catch (error) {
    await appender.close().catch(() => undefined);
    throw error;
  }
  return {
    append: (event) => appender.append(event),
    record: (event) => appender.record(event),
    read: (range) => readEntries(directory, appender.head(), { ...range, spans }),
    subscribe: (listener) => appender.subscribe(listener),
    head: () => appender.head(),
    failure: () => appender.failure(),
    flush: () => appender.flush(),
    close: () => appender.close(),
  };
}

async function prepareDirectory(directory: string): Promise<void> {
  try {
    const made = await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
    if (made) await syncDirectory(join(directory, ".."));
  } catch (cause) {
    throw new SallyportError("ledger-failed", `${directory} cannot be made: ${(cause as Error).message}`, {
      next: "Make the state directory writable for the daemon.",
      cause,
    });
  }
}

interface End {
  position: Position;
  file: FileHandle | undefined;
  torn?: { what: string; kept: string };
}

async function findEnd(directory: string): Promise<End> {
  const segments = await listSegments(directory);
  for (const [index, { number, path }] of segments.entries()) {
    if (number !== index + 1) throw broken(path, undefined, `expected segment ${index + 1} here`);
  }
  const last = segments.at(-1);
  if (!last) return { position: { head: { seq: 0, hash: genesis }, segment: 1, bytes: 0, lines: 0 }, file: undefined };

  const file = await open(last.path, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    // What a crashed writer left in the page cache is made durable before anything is decided on it.
    await file.sync();
    const before = segments.at(-2);
    const scan = await scanSegment(last, before ? await closedHead(before) : { seq: 0, hash: genesis });
    const torn = scan.tail && (await setAside(directory, last, scan.tail, scan.head.seq));
    if (scan.tail) {
      await file.truncate(scan.bytes);
      await file.sync();
    }
    if (scan.closed) {
      await file.close();
      return {
        position: { head: scan.head, segment: last.number + 1, bytes: 0, lines: 0 },
        file: undefined,
        ...(torn ? { torn } : {}),
      };
    }
    const position = { head: scan.head, segment: last.number, bytes: scan.bytes, lines: scan.lines };
    return { position, file, ...(torn ? { torn } : {}) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

interface Scan {
  head: Head;
  bytes: number;
  lines: number;
  closed: boolean;
  /** Bytes after the last newline. */
  tail: Buffer | undefined;
}

async function scanSegment(segment: Segment, start: Head): Promise<Scan> {
  const scan: Scan = { head: start, bytes: 0, lines: 0, closed: false, tail: undefined };
  for await (const { bytes, offset, whole } of readLines(segment.path)) {
    if (!whole) {
      scan.tail = bytes;
      break;
    }
    if (scan.closed) throw broken(segment.path, scan.lines + 1, "a line follows the one that closes the segment");
    const entry = readLine(bytes, scan.head);
    if (typeof entry === "string") throw broken(segment.path, scan.lines + 1, entry);
    scan.head = { seq: entry.seq, hash: entry.hash };
    scan.bytes = offset + bytes.length + 1;
    scan.lines += 1;
    scan.closed = entry.type === "segment.closed";
  }
  return scan;
}

/** The head that a closed segment ends with: its last line, checked for itself. */
async function closedHead(segment: Segment): Promise<Head> {
  let last: { bytes: Buffer; whole: boolean } | undefined;
  let line = 0;
  for await (const { bytes, whole } of readLines(segment.path)) {
    last = { bytes, whole };
    line += 1;
  }
  if (!last?.whole) throw broken(segment.path, line, "the segment is not closed, and another follows it");
  const place = placeOf(last.bytes);
  const entry = place ? readLine(last.bytes, place) : "the line is not an entry";
  if (typeof entry === "string") throw broken(segment.path, line, entry);
  if (entry.type !== "segment.closed")
    throw broken(segment.path, line, "the segment is not closed, and another follows it");
  return { seq: entry.seq, hash: entry.hash };
}

function placeOf(bytes: Uint8Array): Head | undefined {
  try {
    const { seq, prev } = JSON.parse(Buffer.from(bytes).toString()) as { seq: number; prev: string };
    return { seq: seq - 1, hash: prev };
  } catch {
    return undefined;
  }
}

async function setAside(
  directory: string,
  segment: Segment,
  tail: Buffer,
  seq: number,
): Promise<{ what: string; kept: string }> {
  const base = `torn-${seq + 1}`;
  for (let attempt = 1; ; attempt++) {
    const kept = attempt === 1 ? base : `${base}-${attempt}`;
    try {
      const file = await open(join(directory, kept), "wx", 0o600);
      try {
        await file.writeFile(tail);
        await file.sync();
      } finally {
        await file.close();
      }
      await syncDirectory(directory);
      return { what: `${tail.length} bytes of a torn line after seq ${seq}, in segment ${segment.number}`, kept };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST" && attempt < 1000) continue;
      throw error;
    }
  }
}

function broken(path: string, line: number | undefined, problem: string): SallyportError {
  const at = line === undefined ? path : `${path}:${line}`;
  return new SallyportError("ledger-broken", `${at} ${problem}`, {
    next: "Keep the directory as it is for `sallyport audit verify`, and restore the ledger from a copy.",
    at,
  });
}
