/**
 * What a lane does with a checked request: a verb, a model route, a request elsewhere, or a WebSocket. The order holds
 * the invariants: count, decide, resolve and check the address, put secrets in, and only then open anything.
 */
import type { DenialCode } from "../domain/denial.ts";
import { delayOverBudget } from "./budget.ts";
import type { Checked } from "./check-request.ts";
import type { CanonicalRequest } from "./decisions.ts";
import { answerBare, answerDenial, type Denial } from "./denial.ts";
import { forward } from "./forward.ts";
import { requestHeaders } from "./headers.ts";
import { answerRefusal } from "./model-refusal.ts";
import { isModelPath, routeModel } from "./model-route.ts";
import type { Reached, Way } from "./reach.ts";
import type { Record } from "./record.ts";
import { type Exchange, forbidden, type Grant, type RawCall, type ServeContext, uncanonical } from "./serve-context.ts";
import { createServeModel } from "./serve-model.ts";
import { createServeVerb } from "./serve-verb.ts";
import type { Prepared } from "./transform.ts";
import { originOf } from "./upstream.ts";
import { isVerbPath } from "./verbs.ts";
import { carryWebSocket } from "./websocket.ts";

export interface Serve {
  request(exchange: Exchange): Promise<void>;
  webSocket(call: RawCall): Promise<void>;
  /** Settles what is under way: the lane ends. */
  close(): void;
}

type Ready = { ok: true; way: Way; prepared: Exclude<Prepared, { refuse: unknown }> } | { ok: false; denial: Denial };
type Granted = { ok: true; grant: Grant } | { ok: false; shown?: string; denial: Denial };

export function createServe(context: ServeContext): Serve {
  const { spec, services, rules, reach, upstream, transform } = context;
  const verbs = createServeVerb(context, refuse);
  const modelCalls = createServeModel(context, prepare);

  /** Ends a request with a denial. What was refused with a body unread cannot keep its connection. */
  async function refuse(exchange: Exchange, denial: Denial): Promise<void> {
    if (context.over() || verbs.over()) await delayOverBudget();
    const { checked, response } = exchange;
    const close = !checked.ok || checked.body || denial.status === 429;
    const protocol =
      checked.ok && checked.target.form === "own" ? modelCalls.protocolOf(checked.target.path) : undefined;
    if (protocol === undefined) answerDenial(response, denial, close);
    else answerRefusal(response, protocol, denial, close);
  }

  async function request(exchange: Exchange): Promise<void> {
    const { head, checked } = exchange;
    if (checked.ok && checked.target.form === "own" && isVerbPath(checked.target.path)) {
      return verbs.call(exchange, checked.target.path);
    }
    const shown = showTarget(checked, head.target);
    const spent = exchange.paid ? undefined : context.spend(head.method, shown);
    if (spent) return refuse(exchange, spent);
    const found = grant(head.method, checked);
    const record = context.open(head.method, found.ok ? showRequest(found.grant.request) : (found.shown ?? shown));
    const denied = (denial: Denial) => {
      record.deny(denial);
      return refuse(exchange, denial);
    };
    if (!found.ok) return denied(found.denial);
    if ("model" in found.grant.by && (await modelCalls.carry(exchange, found.grant, record))) return;
    const prepared = prepare(found.grant, head.rawHeaders, record);
    const ready = prepared instanceof Promise ? await prepared : prepared;
    if (exchange.response.destroyed) return record.abandon("client-gone");
    if (!ready.ok) return denied(ready.denial);
    if (exchange.expects) exchange.response.writeContinue();
    const { dispatcher, prefix, headers } = upstream.at(found.grant.request, ready.way);
    const outcome = await forward({
      request: exchange.request,
      response: exchange.response,
      dispatcher,
      method: found.grant.request.method,
      rule: found.grant.rule,
      path: prefix + ready.prepared.target,
      headers: headers.length > 0 ? [...ready.prepared.headers, ...headers] : ready.prepared.headers,
      body: checked.ok && checked.body,
      scan: ready.prepared.scan,
      scrub: transform.active ? transform.scrub() : undefined,
      count: (sent, received) => record.count(sent, received),
    });
    const { refused } = outcome;
    if (refused) record.deny({ status: 403, rule: found.grant.rule, ...refused }, outcome);
    else record.end(outcome);
  }

  async function webSocket(call: RawCall): Promise<void> {
    const { socket, head, checked } = call;
    socket.setTimeout(0);
    const shown = showTarget(checked, head.target);
    const spent = call.paid ? undefined : context.spend(head.method, shown);
    if (spent) {
      await delayOverBudget();
      return answerBare(socket, spent);
    }
    const found = grant(head.method, checked);
    const record = context.open(head.method, found.ok ? showRequest(found.grant.request) : (found.shown ?? shown));
    record.upgrades();
    const denied = (denial: Denial) => {
      record.deny(denial);
      answerBare(socket, denial);
    };
    if (!found.ok) return denied(found.denial);
    // A secret in frames could be cut across them or compressed; what cannot be scrubbed is not carried.
    if (transform.active) {
      return denied({
        status: 403,
        code: "websocket-secret",
        rule: found.grant.rule,
        why: "this lane has secrets, and what comes back in a WebSocket cannot be scrubbed of them",
        next: "Use plain requests, or a policy without secrets for this work.",
      });
    }
    const ready = await prepare(found.grant, head.rawHeaders, record);
    if (socket.destroyed) return record.abandon("client-gone");
    if (!ready.ok) return denied(ready.denial);
    const { dispatcher, prefix, headers } = upstream.at(found.grant.request, ready.way, "websocket");
    const outcome = await carryWebSocket({
      request: call.request,
      socket,
      bytes: call.bytes,
      dispatcher,
      path: prefix + ready.prepared.target,
      headers: [...ready.prepared.headers, ...headers],
      opened: context.track,
      count: (sent, received) => record.count(sent, received),
    });
    record.end(outcome);
  }

  /** Decides a request, wherever it goes. */
  function grant(method: string, checked: Checked): Granted {
    if (!checked.ok) return { ok: false, denial: checked.denial };
    const { target } = checked;
    if (target.form === "own") return ownPath(method, target.path, checked.websocket);
    if (target.form === "tunnel") throw new Error("a CONNECT came as a request");
    const canonical = services.decisions.canonicalRequest({ method, url: target.url });
    if (!canonical.ok) {
      const next = "Spell the URL plainly: what has no canonical form is denied.";
      return { ok: false, shown: target.url, denial: uncanonical(canonical, next) };
    }
    const request: CanonicalRequest = checked.websocket
      ? { ...canonical.request, upgrade: "websocket" }
      : canonical.request;
    const decision = rules.decide(request);
    if (!decision.allow) return { ok: false, shown: showRequest(request), denial: forbidden(decision) };
    const { rule, index, addresses } = decision;
    return { ok: true, grant: { request, rule, by: { network: index }, addresses } };
  }

  function ownPath(method: string, path: string, websocket: boolean): Granted {
    const shown = `http://sallyport${path}`;
    const refused = (code: DenialCode, why: string, next: string): Granted => ({
      ok: false,
      shown,
      denial: { status: 404, code, rule: "gateway", why, next },
    });
    if (!isModelPath(path) || websocket) {
      const next = "Use /model/<name>/... or one of this lane's verbs; send other requests with their whole URL.";
      return refused("path-unknown", "the gateway has nothing at this path", next);
    }
    const routed = routeModel(method, path, spec.models, services.decisions.canonicalRequest);
    if (!routed.ok) return { ok: false, shown, denial: routed.denial };
    const { request, rule, name, addresses } = routed;
    return { ok: true, grant: { request, rule, by: { model: name }, addresses } };
  }

  /**
   * The checked way to it, and what is sent: secrets are put in last, when nothing can refuse any more. Waits only where
   * there is something to wait for.
   */
  function prepare(
    grant: Grant,
    rawHeaders: readonly string[],
    record: Record,
    plain = transform.active,
  ): Ready | Promise<Ready> {
    const { request, addresses, by, rule } = grant;
    const secret = "model" in by ? spec.models[by.model]?.secret : spec.network[by.network]?.secret;
    // What a policy may say at load (plain http to loopback alone) must hold for the address that the name has now.
    const reached = reach(request, { addresses, only: secret !== undefined && request.scheme === "http" }, rule);
    return reached instanceof Promise
      ? reached.then((found) => putIn(grant, rawHeaders, record, found, plain))
      : putIn(grant, rawHeaders, record, reached, plain);
  }

  function putIn(
    { request, rule, by }: Grant,
    rawHeaders: readonly string[],
    record: Record,
    reached: Reached,
    plain: boolean,
  ): Ready | Promise<Ready> {
    if (!reached.ok) return reached;
    const { way } = reached;
    record.allowed(rule, reached.shown);
    const unavailable = (): Ready => {
      const why = "a secret that this request carries could not be had";
      const next = "Try again; tell the operator.";
      return { ok: false, denial: { status: 502, code: "secret-unavailable", rule, why, next } };
    };
    const ready = (prepared: Prepared): Ready => {
      if ("refuse" in prepared) return { ok: false, denial: { status: 403, rule, ...prepared.refuse } };
      if (prepared.secret !== undefined) record.carries(prepared.secret);
      return { ok: true, way, prepared };
    };
    try {
      const made = transform.prepare({
        canonical: request,
        by,
        headers: requestHeaders(rawHeaders, plain),
        target: request.query === "" ? request.path : `${request.path}?${request.query}`,
      });
      return made instanceof Promise ? made.then(ready, unavailable) : ready(made);
    } catch {
      return unavailable();
    }
  }

  return { request, webSocket, close: modelCalls.close };
}

/** A canonical request as it is recorded. */
function showRequest(request: CanonicalRequest): string {
  return `${originOf(request)}${request.path}${request.query === "" ? "" : `?${request.query}`}`;
}

function showTarget(checked: Checked, raw: string): string {
  if (!checked.ok) return raw;
  const { target } = checked;
  if (target.form === "own") return `http://sallyport${target.path}`;
  return target.form === "elsewhere" ? target.url : target.authority;
}
