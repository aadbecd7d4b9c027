/** What the API offers to a planner: the verbs of the host, and nothing that weakens it. */
import type { DelegationRequest } from "../delegation/admit.ts";
import type { Log } from "./log.ts";
import type { Store } from "./store.ts";

export interface Host {
  store: Store;
  log: Log;
  status(): object;
  /** Admits a brief; resolves with the delegation's id once it is durable. */
  delegate(request: DelegationRequest): Promise<string>;
  /** A proposal's patch; the last one where no attempt is named. */
  diff(id: string, attempt: number | undefined): Promise<Buffer>;
  stop(id: string): Promise<object>;
  land(id: string, onto: string | undefined): Promise<object>;
  discard(id: string): Promise<object>;
}
