/** The seam between a lane and the process around it, so that a lane knows neither the daemon nor the policy's code. */
import type { Decisions } from "./decisions.ts";
import type { ReserveAsk, Reserved, SettleReport } from "./model-reserve.ts";
import type { RequestEvent } from "./record.ts";
import type { Lookup } from "./resolve.ts";
import type { MakeTransform } from "./transform.ts";
import type { FindProxy } from "./upstream-proxy.ts";

/** What a lane is given by the process around it. */
export interface LaneServices {
  decisions: Decisions;
  lookup: Lookup;
  /** The proxy that the host must use for a destination, if any. */
  findProxy: FindProxy;
  /** Puts secrets in and scrubs them out. */
  makeTransform: MakeTransform;
  emit(event: RequestEvent): void;
  /** Asks the daemon; resolves with its status and body. */
  callVerb(sandbox: string, verb: string, body: unknown): Promise<{ status: number; body: unknown }>;
  /** Reserves the worst case of a request to a model: durable when it resolves. */
  reserve(sandbox: string, ask: ReserveAsk): Promise<Reserved>;
  /** Says that bytes of its answer come in. */
  progress(sandbox: string, reservation: string): void;
  /** Says how a reserved request ended. */
  settle(sandbox: string, report: SettleReport): void;
  /** Undefined when the daemon's record keeps up, else what to wait for: nothing is decided that could not be recorded. */
  room(): Promise<void> | undefined;
  now(): number;
}
