/**
 * Finds any of many byte strings in a buffer: Wu and Manber's algorithm ("A fast algorithm for multi-pattern
 * searching", 1994) with blocks of two bytes, which reads about one byte in five where nothing is found.
 */

/** Something to look for, and what a match is called. */
export interface Pattern {
  name: string;
  bytes: Buffer;
}

export interface Match {
  name: string;
  start: number;
  end: number;
}

export interface Search {
  /** Bytes of the longest pattern; 0 where there is none. */
  readonly longest: number;
  /** Bytes of the shortest pattern; 0 where there is none. What has fewer bytes holds nothing. */
  readonly shortest: number;
  /** The leftmost match that starts at `from` or later, the longest of those that start there. */
  next(buffer: Buffer, from: number): Match | undefined;
  /** Where the first unfinished pattern begins that more bytes could complete; the buffer's length where none does. */
  unfinished(buffer: Buffer, from: number): number;
}

/** Patterns of two bytes or more, made ready. */
export function compileSearch(patterns: readonly Pattern[]): Search {
  const sorted = [...patterns].sort((a, b) => b.bytes.length - a.bytes.length);
  const longest = sorted[0]?.bytes.length ?? 0;
  const shortest = sorted.at(-1)?.bytes.length ?? 0;
  if (sorted.length > 0 && shortest < 2) throw new RangeError("a pattern has at least two bytes");
  // A byte holds the shift.
  const window = Math.min(shortest, 256);
  const shifts = new Uint8Array(65_536).fill(Math.max(0, window - 1));
  const byLastBlock = new Map<number, Pattern[]>();
  const byFirst: Pattern[][] = Array.from({ length: 256 }, () => []);
  const block = (bytes: Buffer, at: number) => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  for (const pattern of sorted) {
    const { bytes } = pattern;
    for (let at = 0; at + 2 <= window; at++) {
      const here = block(bytes, at);
      shifts[here] = Math.min(shifts[here] ?? 0, window - 2 - at);
    }
    const last = block(bytes, window - 2);
    byLastBlock.set(last, [...(byLastBlock.get(last) ?? []), pattern]);
    byFirst[bytes[0] ?? 0]?.push(pattern);
  }
  const isAt = (buffer: Buffer, start: number, { bytes }: Pattern, length: number) =>
    buffer[start] === bytes[0] &&
    (length < 2 || buffer[start + 1] === bytes[1]) &&
    buffer.compare(bytes, 0, length, start, start + length) === 0;

  return {
    longest,
    shortest,
    next(buffer, from) {
      if (longest === 0) return undefined;
      const length = buffer.length;
      let at = from + window - 1;
      while (at < length) {
        const here = ((buffer[at - 1] as number) << 8) | (buffer[at] as number);
        const shift = shifts[here] as number;
        if (shift > 0) {
          at += shift;
          continue;
        }
        const start = at - window + 1;
        for (const pattern of byLastBlock.get(here) ?? []) {
          const end = start + pattern.bytes.length;
          if (end <= length && isAt(buffer, start, pattern, pattern.bytes.length))
            return { name: pattern.name, start, end };
        }
        at += 1;
      }
      return undefined;
    },
    unfinished(buffer, from) {
      const length = buffer.length;
      for (let start = Math.max(from, length - longest + 1, 0); start < length; start++) {
        const left = length - start;
        for (const pattern of byFirst[buffer[start] as number] as Pattern[]) {
          if (pattern.bytes.length <= left) break;
          if (isAt(buffer, start, pattern, left)) return start;
        }
      }
      return length;
    },
  };
}
