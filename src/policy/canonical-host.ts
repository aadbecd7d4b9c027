/**
 * One spelling for a host: lower-case ASCII without a trailing dot, or an IP address in its canonical text. Every
 * spelling of an IP address that a resolver or URL parser would read as one (decimal, octal, hex, short, full-width
 * digits) becomes that address here, so that no rule for names ever decides about an address.
 */
import { domainToASCII } from "node:url";
import { canonicalAddress } from "./address.ts";

export type CanonicalHost = { ok: true; host: string; literal: boolean } | { ok: false; why: string };

const refused = (why: string): CanonicalHost => ({ ok: false, why });

/**
 * The canonical form of a host as a request or rule writes it. IPv6 is read with or without brackets and given back
 * without. `literal` says that it is an IP address. Never throws.
 */
export function canonicalHost(text: string): CanonicalHost {
  if (text.length === 0) return refused("the host is empty");
  if (text.length > 1024) return refused("the host is longer than any name can be");
  if (/^[a-z]/.test(text) && plainName.test(text) && text.length <= 253 && !text.includes("xn--")) {
    return { ok: true, host: text, literal: false };
  }
  if (text.startsWith("[") || (text.match(/:/g)?.length ?? 0) >= 2) return literal6(text);
  if (/[\u0000-\u0020\u007f]/.test(text)) return refused("the host holds a control character or a space");
  if (/[%@/\\?#:[\]<>^|"'`{}*]/.test(text)) return refused("the host holds a character that no host name has");
  if (!text.isWellFormed()) return refused("the host holds half of a surrogate pair");

  // UTS 46 mapping first, so that look-alikes of dots and digits are judged as what they become.
  let ascii = domainToASCII(text);
  if (ascii === "") return refused("the host is neither a valid name nor a valid IPv4 address");
  if (ascii.endsWith(".")) ascii = ascii.slice(0, -1);
  const address = canonicalAddress(ascii);
  if (address !== undefined) return { ok: true, host: address, literal: true };
  if (ascii.length > 253) return refused("the host is longer than 253 characters");
  for (const label of ascii.split(".")) {
    if (label === "") return refused("the host has an empty label");
    if (label.length > 63) return refused("a label of the host is longer than 63 characters");
    if (!/^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/.test(label))
      return refused(`the host's label ${JSON.stringify(label)} is not valid`);
  }
  // Mapping must have come to rest: what the mapping would change again has no canonical form.
  if (domainToASCII(ascii) !== ascii) return refused("the host has no canonical form");
  return { ok: true, host: ascii, literal: false };
}

/** Names that the mapping leaves alone and that cannot be read as a number: the last label does not begin with a digit. */
const plainName = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

function literal6(text: string): CanonicalHost {
  const inner = text.startsWith("[") ? (text.endsWith("]") ? text.slice(1, -1) : undefined) : text;
  if (inner === undefined) return refused("the host has an unclosed bracket");
  if (inner.includes("%")) return refused("the host has a zone id");
  const address = inner.includes(":") ? canonicalAddress(inner) : undefined;
  return address === undefined
    ? refused("the host is not a valid IPv6 address")
    : { ok: true, host: address, literal: true };
}
