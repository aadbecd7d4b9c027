/**
 * What a lane does with a checked request: a verb, a model route, a request elsewhere, or a tunnel. The order holds
 * the invariants: count, decide, resolve and check the address, and only then open anything.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { delayOverBudget } from "./budget.ts";
import { type Checked, type Head, isOwn } from "./check-request.ts";
import type { CanonicalRequest, Decision, Rules } from "./decisions.ts";
import { answerBare, answerDenial, type Denial } from "./denial.ts";
import { forward } from "./forward.ts";
import type { LaneServices } from "./lane-services.ts";
import { laneVerbs, laneVerbsAtOnce } from "./limits.ts";
import type { LaneSpec } from "./messages.ts";
import { isModelPath, routeModel } from "./model-route.ts";
import type { Record } from "./record.ts";
import type { Resolver } from "./resolve.ts";
import { alert, carry, firstBytes } from "./tunnel.ts";
import { originOf, type Upstream } from "./upstream.ts";
import { findVerb, isVerbPath, readVerbBody } from "./verbs.ts";

export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  head: Head;
  checked: Checked;
  /** The client waits for `100 Continue` before it sends its body. */
  expects: boolean;
}

export interface TunnelCall {
  socket: Socket;
  /** What came behind the head of the CONNECT. */
  bytes: Buffer;
  head: Head;
  checked: Checked;
}

/** The lane around it. */
export interface ServeContext {
  spec: LaneSpec;
  services: LaneServices;
  rules: Rules;
  resolver: Resolver;
  upstream: Upstream;
  open(method: string, url: string): Record;
  spend(method: string, url: string): Denial | undefined;
  over(): boolean;
  closed(): boolean;
  track(socket: Socket): void;
  /** Makes a tunnel's connection one of plain HTTP to `authority`. */
  inner(socket: Socket, authority: string, bytes: Buffer): void;
}

export interface Serve {
  request(exchange: Exchange): Promise<void>;
  tunnel(call: TunnelCall): Promise<void>;
}

export function createServe(context: ServeContext): Serve {
  const { spec, services, rules, resolver, upstream } = context;
  let verbCalls = 0;
  let verbsOpen = 0;

  /** Ends a request with a denial. What was refused with a body unread cannot keep its connection. */
  async function refuse(exchange: Exchange, denial: Denial): Promise<void> {
    if (context.over() || verbCalls > laneVerbs) await delayOverBudget();
    const unread = !exchange.checked.ok || exchange.checked.body;
    answerDenial(exchange.response, denial, unread || denial.status === 429);
  }

  async function request(exchange: Exchange): Promise<void> {
    const { head, checked } = exchange;
    if (checked.ok && checked.target.form === "own" && isVerbPath(checked.target.path)) {
      return verb(exchange, checked.target.path);
    }
    const shown = !checked.ok ? head.target : showTarget(checked);
    const spent = context.spend(head.method, shown);
    if (spent) return refuse(exchange, spent);
    if (!checked.ok) return denied(exchange, context.open(head.method, shown), checked.denial);
    if (checked.target.form === "own") return own(exchange, checked.target.path);
    if (checked.target.form === "elsewhere") return elsewhere(exchange, checked.target.url);
    throw new Error("a CONNECT came as a request");
  }

  function denied(exchange: Exchange, record: Record, denial: Denial): Promise<void> {
    record.deny(denial);
    return refuse(exchange, denial);
  }

  async function own(exchange: Exchange, path: string): Promise<void> {
    const { head } = exchange;
    if (!isModelPath(path)) {
      return denied(exchange, context.open(head.method, `http://sallyport${path}`), {
        status: 404,
        code: "path-unknown",
        rule: "gateway",
        why: "the gateway has nothing at this path",
        next: "Use /model/<name>/... or one of this lane's verbs; send other requests with their whole URL.",
      });
    }
    const routed = routeModel(head.method, path, spec.models, services.decisions.canonicalRequest);
    if (!routed.ok) return denied(exchange, context.open(head.method, `http://sallyport${path}`), routed.denial);
    return send(exchange, routed.request, routed.rule, routed.addresses);
  }

  async function elsewhere(exchange: Exchange, url: string): Promise<void> {
    const { head } = exchange;
    const canonical = services.decisions.canonicalRequest({ method: head.method, url });
    if (!canonical.ok) {
      return denied(exchange, context.open(head.method, url), {
        status: 400,
        code: canonical.code,
        rule: "canonical-request",
        why: canonical.why,
        next: "Spell the URL plainly: what has no canonical form is denied.",
      });
    }
    const decision = rules.decide(canonical.request);
    if (!decision.allow) {
      return denied(exchange, context.open(head.method, showRequest(canonical.request)), forbidden(decision));
    }
    return send(exchange, canonical.request, decision.rule, decision.addresses);
  }

  async function send(
    exchange: Exchange,
    request: CanonicalRequest,
    rule: string,
    named: readonly string[],
  ): Promise<void> {
    const record = context.open(request.method, showRequest(request));
    const resolved = await resolver.resolve(request.host, named, rule);
    if (exchange.response.destroyed) return record.abandon("client-gone");
    if (!resolved.ok) return denied(exchange, record, resolved.denial);
    record.allowed(rule, resolved.address);
    if (exchange.expects) exchange.response.writeContinue();
    const outcome = await forward({
      request: exchange.request,
      response: exchange.response,
      dispatcher: upstream.at(request, resolved.address),
      method: request.method,
      path: request.query === "" ? request.path : `${request.path}?${request.query}`,
      body: exchange.checked.ok && exchange.checked.body,
      count: record.count,
    });
    record.end(outcome);
  }

  async function verb(exchange: Exchange, path: string): Promise<void> {
    const { head, request, response } = exchange;
    const url = `http://sallyport${path}`;
    verbCalls += 1;
    if (verbCalls > laneVerbs || verbsOpen >= laneVerbsAtOnce) {
      const denial: Denial = {
        status: 429,
        code: "verbs-used-up",
        rule: "verbs",
        why: verbCalls > laneVerbs ? `more than ${laneVerbs} verb calls in one lane` : "too many verb calls at once",
        next:
          verbCalls > laneVerbs
            ? "End the work: the host takes no more from this lane."
            : "Wait for an answer before the next call.",
      };
      // Recorded once: a loop of refused calls must not fill the ledger.
      if (verbCalls <= laneVerbs + 1) context.open(head.method, url).deny(denial);
      return refuse(exchange, denial);
    }
    const found = findVerb(head.method, path, spec.verbs, head.rawHeaders);
    if ("denial" in found) return denied(exchange, context.open(head.method, url), found.denial);
    verbsOpen += 1;
    try {
      if (exchange.expects) response.writeContinue();
      const body = await readVerbBody(request);
      if (body === undefined || context.closed()) return;
      if ("denial" in body) return denied(exchange, context.open(head.method, url), body.denial);
      const answer = await services.callVerb(spec.sandbox, found.verb, body.value);
      if (response.destroyed) return;
      const text = `${JSON.stringify(answer.body ?? null)}\n`;
      response.sendDate = false;
      response.writeHead(answer.status, {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(text),
      });
      response.end(text);
    } finally {
      verbsOpen -= 1;
    }
  }

  async function tunnel(call: TunnelCall): Promise<void> {
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
      return context.inner(socket, authority, call.bytes);
    }
    const canonical = services.decisions.canonicalRequest({ method: "GET", url: `https://${authority}/` });
    if (!canonical.ok) {
      return deny({
        status: 400,
        code: canonical.code,
        rule: "canonical-request",
        why: canonical.why,
        next: "Send CONNECT host:port.",
      });
    }
    const { host, port } = canonical.request;
    const decision = rules.tunnel(host, port);
    let address = "";
    if (decision.allow) {
      const resolved = await resolver.resolve(host, decision.addresses, decision.rule);
      if (socket.destroyed) return record.abandon("client-gone");
      if (!resolved.ok) return deny(resolved.denial);
      address = resolved.address;
      record.allowed(decision.rule, address);
    } else if (!plainOnly(host, port, decision.code)) {
      return deny(forbidden(decision));
    }
    socket.write(established);
    let first = await firstBytes(socket, call.bytes, host);
    if (!decision.allow && first?.kind === "tls") first = { kind: "refused", denial: forbidden(decision) };
    if (first === undefined || socket.destroyed) {
      record.abandon(socket.destroyed ? "client-gone" : "tunnel-silent");
      return void socket.destroy();
    }
    if (first.kind === "refused") {
      record.deny(first.denial);
      socket.end(alert("unrecognized-name"));
      return socket.destroySoon();
    }
    if (first.kind === "http") {
      if (!decision.allow) record.allowed("plain-http");
      record.end({ code: "allowed", status: 200, sent: 0, received: 0 });
      return context.inner(socket, authority, first.bytes);
    }
    const end = await carry(socket, first.bytes, { address, port }, context.track);
    record.end({ ...end, status: 200 });
  }

  /**
   * Some clients (undici's proxy agent) open a tunnel for plain http too. Where only http is allowed, the tunnel is
   * opened for that alone: each request in it is decided, and nothing goes upstream before.
   */
  function plainOnly(host: string, port: number, code: string): boolean {
    if (port !== 80 && code !== "scheme") return false;
    const probe = rules.decide({ scheme: "http", host, port, method: "GET", path: "/", query: "" });
    return probe.allow || probe.code === "method" || probe.code === "path";
  }

  return { request, tunnel };
}

const established = "HTTP/1.1 200 Connection established\r\n\r\n";

function forbidden({ code, rule, why, next }: Decision & { allow: false }): Denial {
  return { status: 403, code, rule, why, next };
}

/** A canonical request as it is recorded. */
function showRequest(request: CanonicalRequest): string {
  return `${originOf(request)}${request.path}${request.query === "" ? "" : `?${request.query}`}`;
}

function showTarget(checked: Checked & { ok: true }): string {
  const { target } = checked;
  if (target.form === "own") return `http://sallyport${target.path}`;
  return target.form === "elsewhere" ? target.url : target.authority;
}
