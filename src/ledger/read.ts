/** Reads entries back, each line checked again: what state is folded from is what was chained. */
import { SallyportError } from "../domain/error.ts";
import type { Entry } from "../domain/event.ts";
import { genesis, type Head, readLine } from "./line.ts";
import { listSegments, readLines, type Segment } from "./segment.ts";

/**
 * The entries of a ledger up to `head`, from `seq` `from` on (left out: the first), of one delegation if named. Whole
 * segments before `from` are passed over unread. Throws `ledger-broken` at the first line that is not what it must be.
 */
export async function* readEntries(
  directory: string,
  head: Head,
  options: { from?: number; delegation?: string } = {},
): AsyncGenerator<Entry> {
  const from = Math.max(options.from ?? 1, 1);
  if (head.seq < from) return;
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
  for (const { path } of segments.slice(start)) {
    let line = 0;
    for await (const { bytes, whole } of readLines(path)) {
      line += 1;
      const entry = whole ? readLine(bytes, place) : "the line is torn";
      if (typeof entry === "string") throw broken(path, line, entry);
      place = { seq: entry.seq, hash: entry.hash };
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
  return new SallyportError("ledger-broken", `${path}:${line} ${problem}`, {
    next: "Keep the directory as it is for `sallyport audit verify`, and restore the ledger from a copy.",
    at: `${path}:${line}`,
  });
}
