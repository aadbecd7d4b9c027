/** What one delegation did, as far as the ledger tells: the material that a policy is tried on or learned from. */
import type { Brief } from "../domain/brief.ts";
import type { EventData } from "../domain/event.ts";
import type { Policy } from "../domain/policy.ts";
import type { Asked } from "./asked.ts";
import { canonicalRequest, splitAuthority } from "./canonical-request.ts";

export type RecordedRequest = EventData<"request">;

export interface Recorded {
  id: string;
  /** The policy that was enforced: the operator's, narrowed by the brief. */
  policy: Policy;
  brief: Brief;
  requests: readonly RecordedRequest[];
  /** Paths of every collected proposal. */
  changes: readonly { path: string }[];
  spend: {
    /** Milliseconds and requests of the executors over all attempts. */
    wall: number;
    requests: number;
    attempts: number;
    /** The largest patch, and the most that one sandbox of an executor printed, in bytes. */
    patch: number;
    output: number;
  };
}

/** A recorded request as it can be decided again; `query` says that it had one, which the ledger does not keep. */
export type Replay =
  | { asked: Exclude<Asked, string>; query: boolean }
  | { model: string }
  /** A request to the gateway itself: a verb of the role's, which no policy decides. */
  | { own: true }
  | { unreadable: string };

/** Reads a recorded request back. Never throws. */
export function replayOf(request: RecordedRequest): Replay {
  const { method, url, rule } = request;
  // An allowed call of a model route is recorded with the URL it went to, and its route as the rule.
  const called = /^models\.(.+)$/.exec(rule)?.[1];
  if (called !== undefined) return { model: called };
  // A tunnel to the gateway, or one for plain http: nothing is decided but the requests inside.
  if (rule === "gateway" || rule === "plain-http") return { own: true };
  if (method === "CONNECT") {
    const split = splitAuthority(url);
    return typeof split === "string"
      ? { unreadable: split }
      : { asked: { tls: { host: split.host, port: split.port ?? 443 } }, query: false };
  }
  const ours = /^http:\/\/sallyport(\/.*)$/.exec(url)?.[1] ?? (url.startsWith("/") ? url : undefined);
  if (ours !== undefined) {
    const route = /^\/model\/([^/?]+)/.exec(ours)?.[1];
    return route === undefined ? { own: true } : { model: route };
  }
  // A url that was cut, or that the gateway could not read, is not one that can be decided.
  if (url.endsWith("…")) return { unreadable: "its URL was cut when it was recorded" };
  const mark = url.indexOf("?");
  // After the mark stands how long the query was, and not the query: queries carry keys.
  const bare = mark < 0 ? url : url.slice(0, mark);
  const socket = request.upgrade === "websocket";
  const canonical = canonicalRequest({
    method,
    url: bare,
    ...(socket && method === "GET" ? { upgrade: "websocket" as const } : {}),
  });
  return canonical.ok ? { asked: { request: canonical.request }, query: mark >= 0 } : { unreadable: canonical.why };
}
