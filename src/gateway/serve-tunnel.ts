/**
 * A tunnel: asked for with CONNECT, or by a client that takes the gateway for the server and says its name in TLS. What a
 * rule lets be opened is opened, and each request inside is decided; what a rule passes through is carried unseen.
 */

import { connect, type Socket } from "node:net";
import type { DenialCode } from "../domain/denial.ts";
import { delayOverBudget } from "./budget.ts";
import { isOwn } from "./check-request.ts";
import type { Interception } from "./decisions.ts";
import { answerBare, type Denial } from "./denial.ts";
import { connectTime } from "./limits.ts";
import { openTls } from "./open-tls.ts";
import type { Way } from "./reach.ts";
import type { Record } from "./record.ts";
import { forbidden, type RawCall, type ServeContext, uncanonical } from "./serve-context.ts";
import { alert, carry, type Dial, type FirstBytes, firstBytes } from "./tunnel.ts";
import { tunnelThrough } from "./upstream-proxy.ts";

export interface ServeTunnel {
  /** A CONNECT. */
  tunnel(call: RawCall): Promise<void>;
  /** A connection to port 443 of a name that the sandbox takes the gateway for. */
  transparent(socket: Socket): Promise<void>;
}

interface Destination {
  host: string;
  port: number;
  /** As the client wrote it: what Host inside must agree with. */
  authority: string;
}

const established = "HTTP/1.1 200 Connection established\r\n\r\n";

export function createServeTunnel(context: ServeContext): ServeTunnel {
  const { services, rules, reach } = context;

  async function tunnel(call: RawCall): Promise<void> {
    const { socket, checked, head } = call;
    socket.setTimeout(0);
    const spent = context.spend("CONNECT", head.target);
    if (spent) {
      await delayOverBudget();
      return answerBare(socket, spent);
    }
    const record = context.open("CONNECT", head.target);
    const deny = (denial: Denial) => {
      record.deny(denial);
      answerBare(socket, denial);
    };
    if (!checked.ok) return deny(checked.denial);
    if (checked.target.form !== "tunnel") throw new Error("a request came as a CONNECT");
    const { authority } = checked.target;
    if (isOwn(authority)) {
      record.allowed("gateway");
      record.end({ code: "allowed", status: 200, sent: 0, received: 0 });
      socket.write(established);
      return context.inner(socket, { kind: "tunnel", authority, scheme: "http" }, call.bytes);
    }
    const found = destination(authority);
    if ("denial" in found) return deny(found.denial);
    const { host, port } = found.to;
    const decision = rules.intercept(host, port);
    let way: Way | undefined;
    if (!decision.allow) {
      if (!plainOnly(host, port, decision.code)) return deny(forbidden(decision));
    } else if (decision.mode === "passthrough") {
      const reached = await reach({ scheme: "https", host, port }, { addresses: decision.addresses }, decision.rule);
      if (socket.destroyed) return record.abandon("client-gone");
      if (!reached.ok) return deny(reached.denial);
      way = reached.way;
      record.allowed(decision.rule, reached.shown);
    } else record.allowed(decision.rule);
    socket.write(established);
    const first = await firstBytes(socket, call.bytes, host);
    if (first === undefined || socket.destroyed) return silent(socket, record);
    await through(socket, record, found.to, decision, way, first);
  }

  async function transparent(socket: Socket): Promise<void> {
    await services.room();
    const first = await firstBytes(socket, Buffer.alloc(0), undefined);
    const name = first?.kind === "tls" ? (first.serverName ?? "") : "";
    const authority = `${name}:443`;
    const spent = context.spend("CONNECT", authority);
    if (spent) {
      await delayOverBudget();
      return void socket.destroy();
    }
    const record = context.open("CONNECT", authority);
    if (first === undefined || socket.destroyed) return silent(socket, record);
    const refuse = (denial: Denial) => refuseTls(socket, record, denial);
    if (first.kind === "refused") return refuse(first.denial);
    if (first.kind === "http") {
      const why = "the connection to port 443 carries no TLS";
      return refuse({ status: 403, code: "tunnel-protocol", rule: "tunnel", why, next: "Speak TLS." });
    }
    const found = destination(authority);
    if ("denial" in found) return refuse(found.denial);
    const { host, port } = found.to;
    const decision = rules.intercept(host, port);
    if (!decision.allow) return refuse(forbidden(decision));
    let way: Way | undefined;
    if (decision.mode === "passthrough") {
      const reached = await reach({ scheme: "https", host, port }, { addresses: decision.addresses }, decision.rule);
      if (!reached.ok) return refuse(reached.denial);
      way = reached.way;
      record.allowed(decision.rule, reached.shown);
    } else record.allowed(decision.rule);
    await through(socket, record, found.to, decision, way, first);
  }

  /** From the client's first bytes on, whichever way they came. */
  async function through(
    socket: Socket,
    record: Record,
    to: Destination,
    decision: Interception,
    way: Way | undefined,
    first: FirstBytes,
  ): Promise<void> {
    if (first.kind === "refused") return refuseTls(socket, record, first.denial);
    const { authority, host, port } = to;
    if (first.kind === "http") {
      if (!decision.allow) record.allowed("plain-http");
      record.end({ code: "allowed", status: 200, sent: 0, received: 0 });
      return context.inner(socket, { kind: "tunnel", authority, scheme: "http" }, first.bytes);
    }
    if (!decision.allow) return refuseTls(socket, record, forbidden(decision));
    if (way) {
      const end = await carry(socket, first.bytes, dialer(way, host, port), context.track);
      return record.end({ ...end, status: 200 });
    }
    const opened = await openTls(socket, first.bytes, await context.ca.contextFor(host));
    if ("failed" in opened) {
      return record.deny({
        status: 403,
        code: "tls-handshake",
        rule: decision.rule,
        why: `the client did not finish TLS with the gateway: ${opened.failed}`,
        next: "Let it trust /run/sallyport/ca.pem and speak HTTP/1.1, or name the host with `tls: passthrough`.",
      });
    }
    if (context.closed()) return void opened.secure.destroy();
    context.inner(opened.secure, { kind: "tunnel", authority, scheme: "https" }, Buffer.alloc(0), record);
  }

  function destination(authority: string): { to: Destination } | { denial: Denial } {
    const canonical = services.decisions.canonicalRequest({ method: "GET", url: `https://${authority}/` });
    if (!canonical.ok) return { denial: uncanonical(canonical, "Send CONNECT host:port.") };
    const { host, port } = canonical.request;
    return { to: { host, port, authority } };
  }

  /**
   * Some clients (undici's proxy agent) open a tunnel for plain http too. Where only http is allowed, the tunnel is
   * opened for that alone: each request in it is decided, and nothing goes upstream before.
   */
  function plainOnly(host: string, port: number, code: DenialCode): boolean {
    if (port !== 80 && code !== "scheme") return false;
    const probe = rules.decide({ scheme: "http", host, port, method: "GET", path: "/", query: "" });
    return probe.allow || ["method", "path", "query", "websocket"].includes(probe.code);
  }

  return { tunnel, transparent };
}

function silent(socket: Socket, record: Record): void {
  record.abandon(socket.destroyed ? "client-gone" : "tunnel-silent");
  socket.destroy();
}

function refuseTls(socket: Socket, record: Record, denial: Denial): void {
  record.deny(denial);
  socket.end(alert("unrecognized-name"));
  socket.destroySoon();
}

/** How a passed-through tunnel's upstream is dialled. Rejects with the message `late` when it takes too long. */
function dialer(way: Way, host: string, port: number): Dial {
  if ("proxy" in way) return (opened) => tunnelThrough(way.proxy, host, port, opened);
  return (opened) => {
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const socket = connect({ host: way.address, port, allowHalfOpen: true, noDelay: true });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error("late"));
    }, connectTime);
    opened(socket);
    socket.once("connect", () => resolve(socket));
    socket.on("error", reject);
    return promise.finally(() => clearTimeout(timer));
  };
}
