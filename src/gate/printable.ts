/** Text for people and models out of what nobody vouches for. Pure. */
import { visible } from "../domain/visible.ts";

/**
 * Bytes as text in which control and bidi characters are shown, not acted on. Colour and cursor sequences are left out;
 * what is not UTF-8 becomes U+FFFD.
 */
export function printable(bytes: Uint8Array | string): string {
  const text = typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("utf8");
  return visible(text.toWellFormed().replace(/\x1b\[[0-9;?]*[A-Za-z]/g, ""));
}

/**
 * The first `max` UTF-16 units. A character that the cut would halve becomes U+FFFD: half of one has no canonical JSON,
 * and a line that cannot be written ends the ledger (ATTACKS L2).
 */
export function cut(text: string, max: number): string {
  return text.slice(0, max).toWellFormed();
}

/** The last `max` UTF-16 units, cut like `cut`. */
export function cutTail(text: string, max: number): string {
  return text.slice(-max).toWellFormed();
}
