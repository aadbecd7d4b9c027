/** Takes every known value out of one response before it enters the sandbox. */
import { createMasker, namesIn } from "../secrets/masker.ts";
import type { Search } from "../secrets/search.ts";
import type { ResponseScrub } from "./transform.ts";

/** Fields that speak of the bytes as they were: a changed body would contradict them. */
const aboutBytes: ReadonlySet<string> = new Set([
  "content-md5",
  "digest",
  "content-digest",
  "repr-digest",
  "accept-ranges",
  "content-range",
]);

/** The scrubbing of one response by what is known when it begins. */
export function scrubWith(search: Search): ResponseScrub {
  const body = createMasker(search);
  return {
    headers(headers) {
      const kept: string[] = [];
      for (let at = 0; at + 1 < headers.length; at += 2) {
        const name = headers[at] ?? "";
        if (aboutBytes.has(name.toLowerCase())) continue;
        // A name with a mask in it would be no name.
        if (name.length >= search.shortest && namesIn(search, Buffer.from(name, "latin1")).length > 0) continue;
        kept.push(name, maskField(search, headers[at + 1] ?? ""));
      }
      return kept;
    },
    push: (chunk) => body.push(chunk),
    end: () => body.end(),
  };
}

/** A header's value, whose characters are bytes. */
function maskField(search: Search, value: string): string {
  if (value.length < search.shortest) return value;
  const bytes = Buffer.from(value, "latin1");
  if (search.next(bytes, 0) === undefined) return value;
  const masker = createMasker(search);
  return Buffer.concat([masker.push(bytes), masker.end()]).toString("latin1");
}
