/**
 * Content codings taken off a response, so that what is scrubbed is what the client will read. Memory is bounded
 * whatever the encoder claims; the bytes are bounded by whoever counts them.
 */

import type { Transform } from "node:stream";
import { constants, createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib";

const decoders: Record<string, () => Transform> = {
  gzip: () => createGunzip(),
  "x-gzip": () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress(),
  // A frame may ask for a window of 2 GiB; 8 MiB is what RFC 9659 lets an HTTP encoder use.
  zstd: () => createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: 23 } }),
};

/** Codings of one response, outermost decoder first; undefined where one is unknown or there are more than two. */
export function decodersFor(contentEncoding: string | undefined): Transform[] | undefined {
  const codings = (contentEncoding ?? "")
    .split(",")
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== "" && coding !== "identity");
  // A bomb inside a bomb multiplies.
  if (codings.length > 2) return undefined;
  const made: Transform[] = [];
  for (const coding of codings.reverse()) {
    const make = Object.hasOwn(decoders, coding) ? decoders[coding] : undefined;
    if (!make) {
      for (const decoder of made) decoder.destroy();
      return undefined;
    }
    made.push(make());
  }
  return made;
}

/** One pass over everything the decoders load on first use, while the program's files can still be read. */
export async function warmDecoders(): Promise<void> {
  for (const make of Object.values(decoders)) {
    const decoder = make();
    decoder.on("error", () => undefined);
    decoder.end(Buffer.from("x"));
    decoder.destroy();
  }
}
