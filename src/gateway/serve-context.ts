/** What the parts of serving share: one call each way they can come, and the lane around them. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { DenialCode } from "../domain/denial.ts";
import type { Checked, Head, Way } from "./check-request.ts";
import type { CanonicalRequest, Decision, Interception, Rules } from "./decisions.ts";
import type { Denial } from "./denial.ts";
import type { LaneCa } from "./lane-ca.ts";
import type { LaneServices } from "./lane-services.ts";
import type { LaneSpec } from "./messages.ts";
import type { Reach } from "./reach.ts";
import type { Record } from "./record.ts";
import type { RequestTransform } from "./transform.ts";
import type { Upstream } from "./upstream.ts";

export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  head: Head;
  checked: Checked;
  /** The client waits for `100 Continue` before it sends its body. */
  expects: boolean;
  /** Its place in the budget was taken when its tunnel was opened. */
  paid: boolean;
}

/** A connection that has left HTTP, or asks to: a CONNECT, or a WebSocket's handshake. */
export interface RawCall {
  request: IncomingMessage;
  socket: Socket;
  /** What came behind the head. */
  bytes: Buffer;
  head: Head;
  checked: Checked;
  paid: boolean;
}

/** The lane around it. */
export interface ServeContext {
  spec: LaneSpec;
  services: LaneServices;
  rules: Rules;
  reach: Reach;
  upstream: Upstream;
  transform: RequestTransform;
  ca: LaneCa;
  open(method: string, url: string): Record;
  spend(method: string, url: string): Denial | undefined;
  over(): boolean;
  closed(): boolean;
  track(socket: Duplex): void;
  /**
   * Makes a connection one of HTTP that came `way`. `opening` is the record of its tunnel, whose place in the budget the
   * first request takes over.
   */
  inner(socket: Duplex, way: Way, bytes: Buffer, opening?: Record): void;
}

/** A policy's denial as the client reads it. */
export function forbidden({ code, rule, why, next }: (Decision | Interception) & { allow: false }): Denial {
  return { status: 403, code, rule, why, next };
}

/** What has no canonical form. */
export function uncanonical(found: { code: DenialCode; why: string }, next: string): Denial {
  return { status: 400, code: found.code, rule: "canonical-request", why: found.why, next };
}

/** What allowed a request: its name, its place, and the private addresses it names. */
export interface Grant {
  request: CanonicalRequest;
  rule: string;
  by: { network: number } | { model: string };
  addresses: readonly string[];
}
