/**
 * Where in the segments the lines of each delegation are: to read one costs what it wrote, not what the ledger holds.
 * Spans of one that lie near each other are one: memory follows the ledger's bytes, not its lines.
 */
import type { Head } from "./line.ts";

/** A line's place in its file. */
export interface Place {
  segment: number;
  /** Where it starts, and where the next one does. */
  offset: number;
  next: number;
}

/** A part of a segment: lines of one delegation, and perhaps others between them. */
export interface Span {
  segment: number;
  offset: number;
  next: number;
  /** The place in the chain before its first line, and at its last: what is read must fit both. */
  after: Head;
  last: Head;
}

/** Lines of others that a span may pass over, in bytes, rather than that another one begins. */
const gap = 64 * 1024;

export class Spans {
  readonly #spans = new Map<string, Span[]>();
  #covered = 0;

  /** Takes the line after the last one it took; any other is passed over. */
  add(entry: { seq: number; prev: string; hash: string; delegation?: string }, place: Place): void {
    if (entry.seq !== this.#covered + 1) return;
    this.#covered = entry.seq;
    if (entry.delegation === undefined) return;
    const spans = this.#spans.get(entry.delegation) ?? [];
    const current = spans.at(-1);
    const last = { seq: entry.seq, hash: entry.hash };
    if (current && current.segment === place.segment && place.offset - current.next <= gap) {
      current.next = place.next;
      current.last = last;
      return;
    }
    spans.push({ ...place, after: { seq: entry.seq - 1, hash: entry.prev }, last });
    this.#spans.set(entry.delegation, spans);
  }

  /** The spans of a delegation, in order; undefined where not every line up to `head` was taken. */
  of(delegation: string, head: Head): readonly Span[] | undefined {
    if (this.#covered < head.seq) return undefined;
    return (this.#spans.get(delegation) ?? []).map((span) => ({ ...span }));
  }
}
