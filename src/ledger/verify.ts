/** Verifies a whole ledger, line by line in flat memory, and says what it can not prove. */
import type { Entry, EventData } from "../domain/event.ts";
import { closingBytes, genesis, type Head, readLine } from "./line.ts";
import { listSegments, readBatches } from "./segment.ts";

export interface VerifyOptions {
  /** Whether a base64 signature by a known key is over these bytes; an unknown key is false. */
  verifySignature: (keyid: string, bytes: Uint8Array, signature: string) => boolean;
  /** A head that was kept outside: the ledger must contain exactly this entry. */
  anchor?: Head;
  /** Verify up to this `seq` only: for a ledger that is being written, its durable head. */
  upTo?: number;
  /** The hashes of the entries with these `seq`s are told: to be compared with anchors. */
  marks?: ReadonlySet<number>;
}

/** A line that was checked, and what it says. */
export interface CheckedLine {
  entry: Entry;
  /** The line itself, without its newline. */
  bytes: Buffer;
}

export type Verification =
  | {
      ok: true;
      lines: number;
      segments: number;
      head: Head;
      /** The last entry that a signed segment vouches for; null where no segment is closed. */
      signedUpTo: number | null;
      cannotProve: string;
      /** Which keys signed its segments, in the order of their first signature. */
      keyids: string[];
    }
  | {
      ok: false;
      file: string;
      line: number;
      seq?: number;
      problem: string;
      next: string;
      /** The last entry before it that holds. */
      head: Head;
    };

/** What a walk over a ledger came to. */
export interface Walked {
  verification: Verification;
  /** The hash of line 1, by which a ledger is told from others; genesis for an empty one. */
  ledger: string;
  /** Hashes of the entries that were marked, as far as they are there. */
  marked: Map<number, string>;
}

const keep = "Keep the directory as it is, and compare it with a copy from before.";

/**
 * Checks every line's canonical form, place, chain and hash, every segment's end and signature, and the anchor. Stops
 * at the first bad line. Rejects only when the directory cannot be read.
 */
export async function verifyLedger(directory: string, options: VerifyOptions): Promise<Verification> {
  return (await verifyMarked(directory, options)).verification;
}

/** The same, with the hashes that anchors are compared with. */
export async function verifyMarked(directory: string, options: VerifyOptions): Promise<Walked> {
  const walk = walkLedger(directory, options);
  for (;;) {
    const step = await walk.next();
    if (step.done) return step.value;
  }
}

/**
 * Verifies, and gives what it has verified as it goes, some hundred lines at a time. What was given holds, whatever
 * comes after it; the value at the end says how far the ledger held.
 */
export async function* walkLedger(directory: string, options: VerifyOptions): AsyncGenerator<CheckedLine[], Walked> {
  const { anchor, marks, upTo = Number.POSITIVE_INFINITY } = options;
  const marked = new Map<number, string>();
  const keyids = new Set<string>();
  let head: Head = { seq: 0, hash: genesis };
  let ledger = genesis;
  let signedUpTo: number | null = null;
  let file = directory;
  let line = 0;
  const bad = (problem: string, seq?: number, next = keep): Walked => ({
    verification: { ok: false, file, line, ...(seq === undefined ? {} : { seq }), problem, next, head },
    ledger,
    marked,
  });
  if (anchor && anchor.seq === 0 && anchor.hash !== genesis)
    return bad("the anchor names no entry", 0, "Name an anchor that was printed by this ledger.");

  const segments = await listSegments(directory);
  let read = 0;
  for (const [index, segment] of segments.entries()) {
    if (head.seq >= upTo) break;
    file = segment.path;
    line = 0;
    let closed = false;
    if (segment.number !== index + 1)
      return bad(`segment ${index + 1} is missing: this file is segment ${segment.number}`);
    for await (const batch of readBatches(segment.path)) {
      if (head.seq >= upTo) break;
      const good: CheckedLine[] = [];
      let problem: Walked | undefined;
      for (const { bytes, whole } of batch) {
        if (head.seq >= upTo) break;
        line += 1;
        const seq = head.seq + 1;
        if (closed) problem = bad("a line follows the one that closes the segment", seq);
        else if (!whole)
          problem = bad(
            "the last line is not finished: it is being written, or was torn by a crash",
            seq,
            "Start the daemon, which cuts a torn line and keeps its bytes; then verify again.",
          );
        if (problem) break;
        const entry = readLine(bytes, head);
        if (typeof entry === "string") {
          problem = bad(entry, seq);
          break;
        }
        if (entry.type === "segment.closed") {
          const fault = closingProblem(entry.data, segment.number, line);
          const signed = closingBytes({ segment: segment.number, lines: line, seq, prev: head.hash, time: entry.time });
          if (fault) problem = bad(fault, seq);
          else if (!options.verifySignature(entry.data.keyid, signed, entry.data.signature))
            problem = bad("the segment's signature is not by a known key over this segment", seq);
          if (problem) break;
          closed = true;
          signedUpTo = seq;
          keyids.add(entry.data.keyid);
        }
        if (anchor?.seq === seq && anchor.hash !== entry.hash) {
          problem = bad("the line is not the one that was anchored: another chain is in its place", seq);
          break;
        }
        head = { seq, hash: entry.hash };
        if (seq === 1) ledger = entry.hash;
        if (marks?.has(seq)) marked.set(seq, entry.hash);
        good.push({ entry, bytes });
      }
      if (good.length > 0) yield good;
      if (problem) return problem;
    }
    read += 1;
    const next = segments[index + 1];
    if (!closed && next && head.seq < upTo) {
      line += 1;
      return bad("the segment is not closed, and another follows it: its end is missing", head.seq + 1);
    }
  }
  if (anchor && head.seq < anchor.seq && upTo >= anchor.seq) {
    line += 1;
    return bad(
      `the ledger ends at seq ${head.seq}, and seq ${anchor.seq} was anchored: its tail is missing`,
      head.seq + 1,
    );
  }
  if (upTo !== Number.POSITIVE_INFINITY && head.seq < upTo) {
    line += 1;
    return bad(`the ledger ends at seq ${head.seq}, expected ${upTo}`, head.seq + 1);
  }
  const cannotProve = limits(head, signedUpTo, anchor);
  return {
    verification: {
      ok: true,
      lines: head.seq,
      segments: read,
      head,
      signedUpTo,
      cannotProve,
      keyids: [...keyids],
    },
    ledger,
    marked,
  };
}

function closingProblem(data: EventData<"segment.closed">, segment: number, lines: number): string | undefined {
  const numbers = [data?.segment, data?.lines];
  if (typeof data?.keyid !== "string" || typeof data.signature !== "string")
    return "the closing line carries no signature";
  if (numbers[0] !== segment) return `the closing line is of segment ${numbers[0]}, not ${segment}`;
  return numbers[1] === lines ? undefined : `the closing line counts ${numbers[1]} lines, and there are ${lines}`;
}

function limits(head: Head, signedUpTo: number | null, anchor: Head | undefined): string {
  const anchored = anchor ? anchor.seq : 0;
  const parts: string[] = [];
  if (anchored < head.seq || head.seq === 0) {
    const after = anchored > 0 ? `the anchored seq ${anchored}` : "an anchor, of which none was given";
    parts.push(`that nothing was cut off after ${after}: a shorter ledger from before verifies too`);
  }
  if ((signedUpTo ?? 0) < head.seq && anchored < head.seq) {
    const from = Math.max(signedUpTo ?? 0, anchored);
    parts.push(`who wrote the lines after seq ${from}: no signature or anchor covers them yet`);
  }
  return parts.length > 0 ? `It cannot tell ${parts.join(", nor ")}.` : "";
}
