/**
 * One canonical JSON text for a value (RFC 8785): what is hashed, chained or signed is this text and nothing else.
 * Lone surrogates and NaN have no canonical form and are an error instead of a guess.
 */
import canonicalize from "canonicalize";

/** The RFC 8785 text of a value. Throws TypeError where there is none. */
export function canonicalJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = canonicalize(value);
  } catch (error) {
    throw new TypeError(`no canonical JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (text === undefined) throw new TypeError("no canonical JSON for undefined");
  return text;
}
