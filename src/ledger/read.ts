/** Reads entries back, each line checked again: what state is folded from is what was chained. */
import { join } from "node:path";
import { SallyportError } from "../domain/error.ts";
import type { Entry } from "../domain/event.ts";
import { genesis, type Head, readLine } from "./line.ts";
import { listSegments, readLines, type Segment, segmentName } from "./segment.ts";
import type { Span, Spans } from "./spans.ts";

/**
 * The entries of a ledger up to `head`, from `seq` `from` on (left out: the first), of one delegation if named. Whole
 * segments before `from` are passed over unread; with `spans`, which are filled on the way, only what is near the
 * delegation's own lines is read. Throws `ledger-broken` at the first line that is not what it must be.
 */
export async function* readEntries(
  directory: string,
  head: Head,
  options: { from?: number; delegation?: string; spans?: Spans } = {},
): AsyncGenerator<Entry> {
  const from = Math.max(options.from ?? 1, 1);
  if (head.seq < from) return;
  const spans = options.delegation === undefined ? undefined : options.spans?.of(options.delegation, head);
  if (spans && options.delegation !== undefined) {
    yield* readSpans(directory, spans, { from, delegation: options.delegation, upTo: head.seq });
    return;
  }
  const segments = await listSegments(directory);
  let start = 0;
  let place: Head = { seq: 0, hash: genesis };
  for (let index = segments.length - 1; index > 0 && from > 1; index--) {
    const first = await firstPlace(segments[index] as Segment);
    if (first === undefined || first.seq + 1 > from) continue;
    start = index;
    place = first;
    break;
  }
  for (const { path, number } of segments.slice(start)) {
    let line = 0;
    for await (const { bytes, offset, whole } of readLines(path)) {
      line += 1;
      const entry = whole ? readLine(bytes, place) : "the line is torn";
      if (typeof entry === "string") throw broken(path, line, entry);
      place = { seq: entry.seq, hash: entry.hash };
      options.spans?.add(entry, { segment: number, offset, next: offset + bytes.length + 1 });
      if (entry.seq >= from && (options.delegation === undefined || entry.delegation === options.delegation))
        yield entry;
      if (entry.seq === head.seq) {
        if (entry.hash !== head.hash) throw broken(path, line, "the line is not the one that was written");
        return;
      }
    }
  }
  throw new SallyportError(
    "ledger-broken",
    `the ledger in ${directory} ends at seq ${place.seq}, and its head is ${head.seq}`,
    {
      next: "Keep the directory as it is for `sallyport audit verify`.",
    },
  );
}

/** The entries of one delegation out of its spans: each span is checked from a known place in the chain to another. */
async function* readSpans(
  directory: string,
  spans: readonly Span[],
  which: { from: number; delegation: string; upTo: number },
): AsyncGenerator<Entry> {
  for (const { segment, offset, next, after, last } of spans) {
    if (last.seq < which.from) continue;
    const path = join(directory, segmentName(segment));
    let place = after;
    for await (const { bytes, offset: at, whole } of readLines(path, next, offset)) {
      const entry = whole ? readLine(bytes, place) : "the line is torn";
      if (typeof entry === "string") throw brokenAt(path, `at byte ${at}: ${entry}`);
      place = { seq: entry.seq, hash: entry.hash };
      if (entry.seq > which.upTo) return;
      if (entry.seq >= which.from && entry.delegation === which.delegation) yield entry;
    }
    if (place.hash !== last.hash) throw brokenAt(path, `before byte ${next}: the line is not the one that was written`);
  }
}

/** The place before a segment's first line, as that line claims it; undefined where there is none. */
async function firstPlace(segment: Segment): Promise<Head | undefined> {
  for await (const { bytes, whole } of readLines(segment.path)) {
    if (!whole) return undefined;
    try {
      const { seq, prev } = JSON.parse(bytes.toString()) as { seq: number; prev: string };
      return Number.isSafeInteger(seq) && typeof prev === "string" ? { seq: seq - 1, hash: prev } : undefined;
    } catch {
      return undefined;
    }
  }
  return undefined;
}

function broken(path: string, line: number, problem: string): SallyportError {
  return brokenAt(`${path}:${line}`, problem);
}

function brokenAt(at: string, problem: string): SallyportError {
  return new SallyportError("ledger-broken", `${at} ${problem}`, {
    next: "Keep the directory as it is for `sallyport audit verify`, and restore the ledger from a copy.",
    at,
  });
}
