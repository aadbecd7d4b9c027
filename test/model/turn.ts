/** One answer of a scripted model, and how it can go wrong. */
import type { Action } from "./actions.ts";
import type { Usage } from "./dialect.ts";

/** What goes wrong with an answer. All of it happens on the wire, as it does with a real provider. */
export interface Fault {
  /** An error of the provider's instead of an answer: 400, 401, 429, 500, 503, 529. */
  status?: number;
  /** Seconds in the `retry-after` header of an error. */
  retryAfter?: number;
  /** The connection is cut after that many parts of the answer; 0: after the head. */
  dropAfter?: number;
  /** `missing`, or any object in place of the protocol's usage, or tokens that may be absurd or negative. */
  usage?: Usage | "missing" | { raw: unknown };
  /** Milliseconds until the head of the answer. */
  delay?: number;
  /** Milliseconds between its parts. */
  between?: number;
  /** The text is filled up to that many characters. */
  huge?: number;
  /** A part that is no event, after the first one; `true`: JSON that breaks off. */
  malformed?: true | string;
  /** The answer says that the output cap ended it. */
  cut?: boolean;
}

/** One answer: text, things to do, or both. */
export interface Turn extends Fault {
  text?: string;
  do?: readonly Action[];
  /** What the first requests for this turn get instead, one each: a harness that tries again gets the answer. */
  first?: readonly Fault[];
}

/** The answers of a conversation in their order; after the last one the model says "done". */
export type Turns = readonly Turn[];
