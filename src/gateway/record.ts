/** One decision's record: begun when the request is read, and sent once, when it is denied or over. */
import type { RecordCode } from "../domain/denial.ts";
import type { EventData } from "../domain/event.ts";
import type { Denial } from "./denial.ts";
import { eventUrl } from "./limits.ts";

export type RequestEvent = EventData<"request">;

export interface Outcome {
  code: RecordCode;
  status?: number;
  sent: number;
  received: number;
}

export interface Record {
  /** It asks to become a WebSocket: what is learned from it must not be a rule for requests. */
  upgrades(): void;
  /** The rule that allowed, and the address that is connected to (or the proxy that was asked to). */
  allowed(rule: string, address?: string): void;
  /** The name of the secret that was put in. */
  carries(secret: string): void;
  /** Ends it unsent: what it stood for is recorded by others. */
  drop(): void;
  deny(denial: Denial, bytes?: { sent: number; received: number }): void;
  end(outcome: Outcome): void;
  /** Ends what someone else cut: the client that left, or the lane that was closed. */
  abandon(code: RecordCode): void;
  /** Bytes so far, for an end that is not its own. */
  count(sent: number, received: number): void;
}

/**
 * The url as it is kept: no userinfo, and of a query only how long it was, since queries carry keys. A url that could
 * not be read is kept as its first characters, escaped by whoever shows it.
 */
export function recordedUrl(url: string): string {
  const bare = url.replace(/^([a-z]+:\/\/)[^/?#]*@/i, "$1");
  const query = bare.indexOf("?");
  const kept = query < 0 ? bare : `${bare.slice(0, query)}?${Buffer.byteLength(bare.slice(query + 1))}`;
  return kept.length > eventUrl ? `${kept.slice(0, eventUrl)}…` : kept;
}

/** Begins a record. Only its first end is sent. */
export function openRecord(
  sandbox: string,
  method: string,
  url: string,
  emit: (event: RequestEvent) => void,
  now: () => number,
  dropped: () => void = () => undefined,
): Record {
  const began = now();
  let over = false;
  let upgrade = false;
  let rule = "";
  let address: string | undefined;
  let secret: string | undefined;
  let counted = { sent: 0, received: 0 };
  const send = (
    decision: "allow" | "deny",
    code: RecordCode,
    by: string,
    status: number | undefined,
    bytes: { sent: number; received: number },
  ) => {
    if (over) return;
    over = true;
    emit({
      sandbox,
      method: method.slice(0, 32),
      url: recordedUrl(url),
      ...(upgrade ? { upgrade: "websocket" as const } : {}),
      decision,
      code,
      rule: by,
      ...(status === undefined ? {} : { status }),
      sent: bytes.sent,
      received: bytes.received,
      milliseconds: Math.max(0, Math.round(now() - began)),
      ...(address === undefined ? {} : { address }),
      ...(secret === undefined ? {} : { secret }),
    });
  };
  return {
    upgrades() {
      upgrade = true;
    },
    allowed(by, at) {
      rule = by;
      address = at;
    },
    carries(name) {
      secret = name;
    },
    drop() {
      over = true;
      dropped();
    },
    count(sent, received) {
      counted = { sent, received };
    },
    abandon(code) {
      send(rule === "" ? "deny" : "allow", code, rule, undefined, counted);
    },
    deny(denial, bytes) {
      send("deny", denial.code, denial.rule, denial.status, bytes ?? counted);
    },
    end(outcome) {
      const bytes = {
        sent: Math.max(outcome.sent, counted.sent),
        received: Math.max(outcome.received, counted.received),
      };
      send("allow", outcome.code, rule, outcome.status, bytes);
    },
  };
}
