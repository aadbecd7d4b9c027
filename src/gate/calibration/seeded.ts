/** Choices that follow from a seed alone: the same seed always makes the same ones. Pure. */
import { createHash } from "node:crypto";

export interface Seeded {
  /** A whole number from 0 to below `below`. */
  below(below: number): number;
  pick<T>(from: readonly T[]): T;
  /** As many hex digits. */
  hex(digits: number): string;
}

/** SHA-256 over the seed and a counter, read as numbers. Not for secrets: whoever knows the seed knows the choices. */
export function seeded(seed: string): Seeded {
  let counter = 0;
  const block = () => createHash("sha256").update(`${seed}:${counter++}`).digest();
  const below = (limit: number): number => {
    if (!Number.isInteger(limit) || limit < 1) throw new RangeError(`nothing to choose from: ${limit}`);
    // 48 bits over a small limit: the bias is below 2^-30.
    return block().readUIntBE(0, 6) % limit;
  };
  return {
    below,
    pick<T>(from: readonly T[]): T {
      const found = from[below(from.length)];
      if (found === undefined) throw new RangeError("nothing to choose from");
      return found;
    },
    hex: (digits) =>
      block()
        .toString("hex")
        .repeat(Math.ceil(digits / 64))
        .slice(0, digits),
  };
}

/** The items in an order that follows from the seed (Fisher–Yates). */
export function shuffled<T>(items: readonly T[], seed: string): T[] {
  const choose = seeded(seed);
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = choose.below(i + 1);
    [out[i], out[j]] = [out[j] as T, out[i] as T];
  }
  return out;
}
