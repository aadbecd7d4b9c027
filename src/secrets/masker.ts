/** Replaces every form of every known value in a stream of bytes. Pure but for what it holds back. */
import { encodingsOf } from "./encodings.ts";
import { compileSearch, type Search } from "./search.ts";

/** Values by the name of their secret: the current one, and those that it replaced. */
export type KnownValues = ReadonlyMap<string, Iterable<string>>;

/** A search for all forms of the values. */
export function searchFor(values: KnownValues): Search {
  return compileSearch(
    [...values].flatMap(([name, texts]) =>
      [...texts].flatMap((text) => encodingsOf(text).map((bytes) => ({ name, bytes }))),
    ),
  );
}

export interface Masker {
  /** Takes a chunk and gives what may go on: all of it, unless its end could be the beginning of a value. */
  push(chunk: Buffer): Buffer;
  /** Gives what was held back. Nothing follows it. */
  end(): Buffer;
}

const BACKSLASH = 0x5c;

/** The text that stands where a value was. */
export const maskOf = (name: string): string => `[secret:${name}]`;

/**
 * A masker over one stream. It holds back fewer bytes than the longest form has, and none where no form has begun.
 * Matches that overlap become one mask: of two values that share bytes neither shows an end.
 */
export function createMasker(search: Search): Masker {
  const none = Buffer.alloc(0);
  let held = none;
  /** Bytes of `held` that a mask, already given, stands for. */
  let covered = 0;
  /** Whether an odd number of backslashes stands right before `held`. */
  let odd = false;

  /** Whether an odd number of backslashes ends before a place, so that the last one escapes what stands there. */
  const escapedAt = (buffer: Buffer, place: number): boolean => {
    let at = place;
    while (at > 0 && buffer[at - 1] === BACKSLASH) at--;
    return ((place - at) % 2 === 1) !== (at === 0 && odd);
  };

  const run = (buffer: Buffer, last: boolean): Buffer => {
    const parts: Buffer[] = [];
    const keep = last ? buffer.length : search.unfinished(buffer, 0);
    let cursor = covered;
    let found = search.next(buffer, 0);
    // A match behind an unfinished one may turn out to be a part of it.
    while (found && found.start < keep) {
      if (found.start >= cursor) {
        // In `\\/path` the second backslash belongs to the first, not to the form `\/path`: JSON stays JSON.
        const begin = buffer[found.start] === BACKSLASH && escapedAt(buffer, found.start) ? 1 : 0;
        parts.push(buffer.subarray(cursor, found.start + begin), Buffer.from(maskOf(found.name), "latin1"));
        cursor = found.end;
      } else if (found.end > cursor) cursor = found.end;
      found = search.next(buffer, found.start + 1);
    }
    if (keep > cursor) parts.push(buffer.subarray(cursor, keep));
    covered = Math.max(0, cursor - keep);
    odd = escapedAt(buffer, keep);
    // A copy, so that a few bytes do not keep a whole chunk alive.
    held = keep < buffer.length ? Buffer.from(buffer.subarray(keep)) : none;
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  };

  return {
    push(chunk) {
      if (search.longest === 0) return chunk;
      return run(held.length === 0 ? chunk : Buffer.concat([held, chunk]), false);
    },
    end() {
      if (search.longest === 0) return none;
      return run(held, true);
    },
  };
}

/** A whole text with every form of every known value masked. */
export function maskText(search: Search, text: string): string {
  if (search.longest === 0) return text;
  const bytes = Buffer.from(text, "utf8");
  if (!search.next(bytes, 0)) return text;
  const masker = createMasker(search);
  return Buffer.concat([masker.push(bytes), masker.end()]).toString("utf8");
}

/** The names of the secrets that bytes hold in any form, each once. */
export function namesIn(search: Search, bytes: Buffer): string[] {
  const names = new Set<string>();
  for (let found = search.next(bytes, 0); found; found = search.next(bytes, found.start + 1)) names.add(found.name);
  return [...names];
}
