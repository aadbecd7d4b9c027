import { createHash } from "node:crypto";
import { canonicalJson } from "../domain/canonical.ts";

/** SHA-256 of bytes, in hex. */
export function digestBytes(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** SHA-256 of a value's canonical JSON (RFC 8785), in hex: what an approval names a brief, report or verdict by. */
export function digestValue(value: unknown): string {
  return digestBytes(Buffer.from(canonicalJson(value), "utf8"));
}
