/**
 * The one seam between forwarding and secrets: what goes upstream is prepared here, and what comes back is scrubbed
 * here. A lane without secrets has the identity below, which costs nothing.
 */
import type { DenialCode } from "../domain/denial.ts";
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

/** Why a request does not go on, in the words of a denial; `rule` left out: the rule that allowed it. */
export interface Refusal {
  code: DenialCode;
  rule?: string;
  why: string;
  next: string;
}

/** Sees a request's body on its way. Both verbs give what may go on now (bytes may be held back), or refuse the request. */
export interface BodyScan {
  push(chunk: Buffer): Buffer | { refuse: Refusal };
  /** Called once, when the body is whole. */
  end(): Buffer | { refuse: Refusal };
}

/** What goes upstream instead, with the name (never the value) of the secret that was put in; or why it does not go. */
export type Prepared =
  | { headers: readonly string[]; target: string; secret?: string; scan?: BodyScan }
  | { refuse: Refusal };

/** One response's scrubbing. `headers` is called once and first; then each chunk of the decoded body in order. */
export interface ResponseScrub {
  /** Names and values in turn, as they would enter the sandbox; also called for a WebSocket's 101. */
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
  /** Called for each allowed request after its address was checked; may wait for a value. A rejection refuses it. */
  prepare(request: OutgoingRequest): Prepared | Promise<Prepared>;
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
