/** What a sandbox printed: counted and hashed whole, kept only at its two ends, never parsed for a decision. */
import { createHash } from "node:crypto";
import { Writable } from "node:stream";
import type { SandboxOutput } from "./engine.ts";

const keptEnd = 64 * 1024;

/**
 * A sink of bounded memory. Calls `onFull` once when more than `limit` bytes have come; it goes on swallowing so that
 * the engine's stream never blocks.
 */
export class OutputSink extends Writable {
  #hash = createHash("sha256");
  #bytes = 0;
  #head = Buffer.alloc(0);
  #tail = Buffer.alloc(0);
  #full = false;
  readonly #limit: number;
  readonly #onFull: () => void;
  readonly #onChunk: ((chunk: Buffer) => void) | undefined;

  constructor(options: { limit: number; onFull: () => void; onChunk?: (chunk: Buffer) => void }) {
    super();
    this.#limit = options.limit;
    this.#onFull = options.onFull;
    this.#onChunk = options.onChunk;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#bytes += chunk.length;
    this.#hash.update(chunk);
    if (this.#head.length < keptEnd)
      this.#head = Buffer.concat([this.#head, chunk.subarray(0, keptEnd - this.#head.length)]);
    const last = chunk.subarray(Math.max(0, chunk.length - keptEnd));
    this.#tail = Buffer.concat([this.#tail.subarray(Math.max(0, this.#tail.length + last.length - keptEnd)), last]);
    if (this.#bytes > this.#limit && !this.#full) {
      this.#full = true;
      this.#onFull();
    }
    if (!this.#full) this.#onChunk?.(chunk);
    done();
  }

  /** The result so far. Call it once, after the end. */
  result(): SandboxOutput {
    return { bytes: this.#bytes, digest: this.#hash.digest("hex"), head: this.#head, tail: this.#tail };
  }
}
