/**
 * The one seam between forwarding and secrets: what goes upstream is prepared here, and what comes back is scrubbed
 * here. A lane without secrets has the identity below, which costs nothing. Implementations are synchronous and pure
 * of I/O: values are known before the lane is opened, and nothing may wait between a decision and its request.
 */
import type { CanonicalRequest } from "./decisions.ts";
import type { LaneSpec } from "./messages.ts";

/** A request that was allowed, as it would go upstream. */
export interface OutgoingRequest {
  /** What was decided on. */
  canonical: CanonicalRequest;
  /** What allowed it: a place in the lane's `network`, or the name of one of its model routes. */
  by: { network: number } | { model: string };
  /** Names and values in turn, hop-by-hop fields gone already; never holds Host, framing or an Upgrade. */
  headers: readonly string[];
  /** Path and query. */
  target: string;
}

/** What goes upstream instead, with the name (never the value) of the secret that was put in; or why it does not go. */
export type Prepared =
  | { headers: readonly string[]; target: string; secret?: string }
  | { refuse: { code: string; why: string; next: string } };

/** One response's scrubbing. `headers` is called once and first; then each chunk of the decoded body in order. */
export interface ResponseScrub {
  /** Names and values in turn, as they would enter the sandbox; also called for each 101 answer. */
  headers(headers: readonly string[]): readonly string[];
  /** Takes a chunk and gives what may go on now; it may hold bytes back that could be the beginning of a secret. */
  push(chunk: Buffer): Buffer;
  /** Gives what was held back. Called once, when the body is whole. */
  end(): Buffer;
}

/** One lane's transform. */
export interface RequestTransform {
  /**
   * Whether a response can hold anything to scrub. Where it is set, encoded bodies (gzip, br, deflate, zstd) are decoded
   * before `push`, their Content-Encoding and Content-Length are dropped, and an encoding that cannot be decoded is
   * refused.
   */
  readonly active: boolean;
  prepare(request: OutgoingRequest): Prepared;
  /** Called for each response when `active`. */
  scrub(): ResponseScrub;
}

/** Makes the transform of a lane when it is opened. */
export type MakeTransform = (lane: LaneSpec) => RequestTransform;

/** Nothing is put in and nothing is looked for: a lane without secrets. */
export const identity: RequestTransform = {
  active: false,
  prepare: ({ headers, target }) => ({ headers, target }),
  scrub: () => ({ headers: (headers) => headers, push: (chunk) => chunk, end: () => Buffer.alloc(0) }),
};
