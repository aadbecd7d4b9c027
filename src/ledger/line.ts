/**
 * One line of the ledger: the canonical JSON of an entry. Its hash is SHA-256 over the same text without the member
 * `hash`, so there is exactly one line for an entry, and exactly one hash for a line.
 */
import { isAscii, isUtf8 } from "node:buffer";
import { hash as digest } from "node:crypto";
import { canonicalJson } from "../domain/canonical.ts";
import { type Entry, entryEnvelope } from "../domain/event.ts";

/** The `prev` of the first line, and the hash of an empty ledger's head. */
export const genesis = "0".repeat(64);

/** A place in the chain: the entry with this `seq` has this `hash`. `seq` 0 is before the first entry. */
export interface Head {
  seq: number;
  hash: string;
}

/** An event with its data already as canonical text. */
export interface Sealed {
  type: string;
  delegation: string | undefined;
  data: string;
  time: string;
}

/** The line (without its newline) and hash of an event at a place in the chain. */
export function formLine(event: Sealed, seq: number, prev: string): { line: string; hash: string } {
  const delegation = event.delegation === undefined ? "" : `,"delegation":${JSON.stringify(event.delegation)}`;
  const head = `{"data":${event.data}${delegation}`;
  const tail = tailOf(seq, prev, event.time, event.type);
  const hash = digest("sha256", `${head},${tail}`, "hex");
  return { line: `${head},"hash":"${hash}",${tail}`, hash };
}

/** The members that follow `hash` in canonical order. */
function tailOf(seq: number, prev: string, time: string, type: string): string {
  return `"prev":"${prev}","seq":${seq},"time":${JSON.stringify(time)},"type":${JSON.stringify(type)}}`;
}

/**
 * Reads one line and checks it against its place: one canonical form (no duplicate keys, no other spelling, no lone
 * surrogates), a known envelope, the next `seq`, the chain, the hash. A string says what is wrong.
 */
export function readLine(bytes: Uint8Array, after: Head): Entry | string {
  if (!isUtf8(bytes)) return "the line is not UTF-8";
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString(isAscii(bytes) ? "latin1" : "utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "the line is not JSON";
  }
  try {
    if (!isPlainlyCanonical(value, text) && canonicalJson(value) !== text)
      return "the line is not in its canonical form";
  } catch (error) {
    return `the line has no canonical form: ${error instanceof Error ? error.message : String(error)}`;
  }
  const envelope = entryEnvelope.safeParse(value);
  if (!envelope.success) {
    const [issue] = envelope.error.issues;
    return `the line is not an entry: ${issue?.path.map(String).join(".") || "line"}: ${issue?.message ?? "unknown"}`;
  }
  const entry = envelope.data as Entry;
  if (entry.seq !== after.seq + 1) return `seq is ${entry.seq}, expected ${after.seq + 1}`;
  if (entry.prev !== after.hash) return "prev is not the hash of the line before";
  // The text is canonical, so `hash` stands exactly here; a key `hash` within `data` stands before it.
  const tail = tailOf(entry.seq, entry.prev, entry.time, entry.type);
  const hashed = `${text.slice(0, text.length - tail.length - entry.hash.length - 10)}${tail}`;
  if (digest("sha256", hashed, "hex") !== entry.hash) return "hash is not the hash of the line";
  return entry;
}

/**
 * A quick yes, at a third of the cost of making the canonical text again: RFC 8785 writes literals as JSON.stringify does, and sorts
 * members. What is left out here, and said by the slow way: escaped surrogates, which may be lone and have no canonical form.
 */
function isPlainlyCanonical(value: unknown, text: string): boolean {
  return JSON.stringify(value) === text && !text.includes("\\ud") && isSorted(value);
}

/** Whether the members of every object stand in the order of their names' UTF-16 units. */
function isSorted(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(isSorted);
  let last: string | undefined;
  for (const name of Object.keys(value)) {
    if (last !== undefined && last >= name) return false;
    last = name;
    if (!isSorted((value as Record<string, unknown>)[name])) return false;
  }
  return true;
}

/**
 * What the signature that closes a segment is over: this canonical JSON as UTF-8. `prev` is the hash of the line before
 * the closing one, so that it vouches for every line up to there; with `seq`, `lines` and `time` it covers all that the
 * closing line says. `purpose` keeps it from being taken for a signature over anything else made with the same key.
 */
export function closingBytes(closing: {
  segment: number;
  lines: number;
  seq: number;
  prev: string;
  time: string;
}): Uint8Array {
  const { segment, lines, seq, prev, time } = closing;
  return Buffer.from(canonicalJson({ purpose: "sallyport-ledger-segment-v1", segment, lines, seq, prev, time }));
}
