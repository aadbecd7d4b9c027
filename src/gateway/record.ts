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
  const bare = url.includes("@") ? url.replace(/^([a-z]+:\/\/)[^/?#]*@/i, "$1") : url;
  const query = bare.indexOf("?");
  const kept = query < 0 ? bare : `${bare.slice(0, query)}?${Buffer.byteLength(bare.slice(query + 1))}`;
  return kept.length > eventUrl ? `${kept.slice(0, eventUrl)}…` : kept;
}

/** What a lane does with its records. */
export interface RecordKeeper {
  sandbox: string;
  now(): number;
  /** Takes the one event of a record. */
  ended(record: Record, event: RequestEvent): void;
  dropped(record: Record): void;
}

/** Begins a record. Only its first end is sent. */
export function openRecord(keeper: RecordKeeper, method: string, url: string): Record {
  return new OpenRecord(keeper, method, url);
}

/** A class, since each request makes one: nine functions of its own would be most of what a request leaves to collect. */
class OpenRecord implements Record {
  readonly #keeper: RecordKeeper;
  readonly #method: string;
  readonly #url: string;
  readonly #began: number;
  #over = false;
  #upgrade = false;
  #rule = "";
  #address: string | undefined;
  #secret: string | undefined;
  #sent = 0;
  #received = 0;

  constructor(keeper: RecordKeeper, method: string, url: string) {
    this.#keeper = keeper;
    this.#method = method;
    this.#url = url;
    this.#began = keeper.now();
  }

  upgrades(): void {
    this.#upgrade = true;
  }

  allowed(rule: string, address?: string): void {
    this.#rule = rule;
    this.#address = address;
  }

  carries(secret: string): void {
    this.#secret = secret;
  }

  drop(): void {
    this.#over = true;
    this.#keeper.dropped(this);
  }

  count(sent: number, received: number): void {
    this.#sent = sent;
    this.#received = received;
  }

  abandon(code: RecordCode): void {
    this.#send(this.#rule === "" ? "deny" : "allow", code, this.#rule, undefined, this.#sent, this.#received);
  }

  deny(denial: Denial, bytes?: { sent: number; received: number }): void {
    const { sent, received } = bytes ?? { sent: this.#sent, received: this.#received };
    this.#send("deny", denial.code, denial.rule, denial.status, sent, received);
  }

  end({ code, status, sent, received }: Outcome): void {
    this.#send("allow", code, this.#rule, status, Math.max(sent, this.#sent), Math.max(received, this.#received));
  }

  #send(
    decision: "allow" | "deny",
    code: RecordCode,
    rule: string,
    status: number | undefined,
    sent: number,
    received: number,
  ): void {
    if (this.#over) return;
    this.#over = true;
    const milliseconds = Math.max(0, Math.round(this.#keeper.now() - this.#began));
    const event: RequestEvent = {
      sandbox: this.#keeper.sandbox,
      method: this.#method.slice(0, 32),
      url: recordedUrl(this.#url),
      decision,
      code,
      rule,
      sent,
      received,
      milliseconds,
    };
    if (this.#upgrade) event.upgrade = "websocket";
    if (status !== undefined) event.status = status;
    if (this.#address !== undefined) event.address = this.#address;
    if (this.#secret !== undefined) event.secret = this.#secret;
    this.#keeper.ended(this, event);
  }
}
