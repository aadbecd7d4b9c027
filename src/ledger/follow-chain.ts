/** Verifies a ledger that is being written: each line once, as far as it is durable, and again from the start on request. */
import { join } from "node:path";
import { closingBytes, genesis, type Head, readLine } from "./line.ts";
import { readLines, segmentName } from "./segment.ts";

/** Whether a base64 signature by a known key is over these bytes; an unknown key is false. */
export type VerifySignature = (keyid: string, bytes: Uint8Array, signature: string) => boolean;

/** How far a chain was verified, and what was found wrong. */
export interface Followed {
  head: Head;
  /** The last line that a signed segment vouches for; null where no segment is closed. */
  signedUpTo: number | null;
  keyids: string[];
  broken?: { at: string; problem: string };
}

export class ChainFollower {
  readonly #directory: string;
  readonly #verify: VerifySignature;
  #followed: Followed = { head: { seq: 0, hash: genesis }, signedUpTo: null, keyids: [] };
  #segment = 1;
  #offset = 0;
  #line = 0;
  #running: Promise<void> | undefined;

  constructor(directory: string, verify: VerifySignature) {
    this.#directory = directory;
    this.#verify = verify;
  }

  /** What is known now. */
  known(): Followed {
    return { ...this.#followed, keyids: [...this.#followed.keyids] };
  }

  #restart(): void {
    this.#followed = { head: { seq: 0, hash: genesis }, signedUpTo: null, keyids: [] };
    this.#segment = 1;
    this.#offset = 0;
    this.#line = 0;
  }

  /**
   * Verifies on, up to a durable head; stops at the first bad line for good. `again`: from the first line, since lines
   * that were changed after they were verified are not seen. One walk at a time. Never rejects.
   */
  async advance(upTo: Head, again = false): Promise<Followed> {
    while (this.#running) await this.#running;
    if (again) this.#restart();
    if (!this.#followed.broken && this.#followed.head.seq < upTo.seq) {
      this.#running = this.#walk(upTo).finally(() => {
        this.#running = undefined;
      });
      await this.#running;
    }
    return this.known();
  }

  async #walk(upTo: Head): Promise<void> {
    try {
      while (!this.#followed.broken && this.#followed.head.seq < upTo.seq) await this.#walkSegment(upTo);
    } catch (error) {
      const path = join(this.#directory, segmentName(this.#segment));
      this.#bad(error instanceof Error ? error.message : String(error), path);
    }
  }

  async #walkSegment(upTo: Head): Promise<void> {
    const path = join(this.#directory, segmentName(this.#segment));
    for await (const { bytes, offset, whole } of readLines(path, undefined, this.#offset)) {
      const { head } = this.#followed;
      this.#line += 1;
      const at = `${path}:${this.#line}`;
      const entry = whole ? readLine(bytes, head) : "the line is torn";
      if (typeof entry === "string") return this.#bad(entry, at);
      this.#offset = offset + bytes.length + 1;
      if (entry.type === "segment.closed") {
        const { segment, lines, keyid, signature } = entry.data;
        const place = { segment: this.#segment, lines: this.#line, seq: entry.seq, prev: head.hash, time: entry.time };
        if (segment !== this.#segment || lines !== this.#line)
          return this.#bad("the closing line is of another segment, or counts other lines", at);
        if (!this.#verify(keyid, closingBytes(place), signature))
          return this.#bad("the segment's signature is not by a known key over this segment", at);
        this.#followed.signedUpTo = entry.seq;
        if (!this.#followed.keyids.includes(keyid)) this.#followed.keyids.push(keyid);
        this.#segment += 1;
        this.#offset = 0;
        this.#line = 0;
      }
      this.#followed.head = { seq: entry.seq, hash: entry.hash };
      if (entry.seq === upTo.seq && entry.hash !== upTo.hash)
        return this.#bad("the line is not the one that was written", at);
      if (entry.seq >= upTo.seq || entry.type === "segment.closed") return;
    }
    this.#bad(`the ledger ends at seq ${this.#followed.head.seq}, expected ${upTo.seq}`, path);
  }

  #bad(problem: string, at: string): void {
    this.#followed.broken = { problem, at };
  }
}
