/**
 * A request on a model route. The order holds invariants 4, 8 and 9: the endpoint is one of the
 * protocol's, the body is read and checked, the address is checked, the worst case is reserved and durable, and only
 * then does anything go out; when it is over, what it used is settled.
 */

import { createHash } from "node:crypto";
import type { ModelProtocol } from "../domain/model.ts";
import { modelMatches } from "../domain/model.ts";
import type { ModelRoute } from "../domain/policy.ts";
import { forward } from "./forward.ts";
import { checkBody } from "./model-body.ts";
import { endpointOf, endpointsOf } from "./model-endpoint.ts";
import { createMeter, type Meter } from "./model-meter.ts";
import { createBodyReader } from "./model-read.ts";
import { answerRefusal } from "./model-refusal.ts";
import type { ModelDenial, Reserved } from "./model-reserve.ts";
import type { Way } from "./reach.ts";
import type { Record } from "./record.ts";
import type { Exchange, Grant, ServeContext } from "./serve-context.ts";
import { identity, type Prepared } from "./transform.ts";

/** What serving gives: the checked way and the request with its secrets in. */
export type Prepare = (
  grant: Grant,
  rawHeaders: readonly string[],
  record: Record,
  plain: boolean,
) => Ready | Promise<Ready>;
type Ready =
  | { ok: true; way: Way; prepared: Exclude<Prepared, { refuse: unknown }> }
  | { ok: false; denial: ModelDenial };

export interface ServeModel {
  /** Carries a request that is paid for; false for one that only looks, which goes as any other request does. */
  carry(exchange: Exchange, grant: Grant, record: Record): Promise<boolean>;
  /** The protocol of the route that a path names. */
  protocolOf(path: string): ModelProtocol | undefined;
  /** Settles all that is under way: the lane ends. */
  close(): void;
}

export function createServeModel(context: ServeContext, prepare: Prepare): ServeModel {
  const { spec, services, upstream, transform } = context;
  const bodies = createBodyReader();
  const meters = new Set<Meter>();

  const routeOf = (
    path: string,
  ): { name: string; route: ModelRoute; protocol: ModelProtocol; rest: string } | undefined => {
    const [, name = "", rest = ""] = /^\/model\/([^/?]*)\/?(.*)$/s.exec(path) ?? [];
    const route = Object.hasOwn(spec.models, name) ? spec.models[name] : undefined;
    return route?.protocol === undefined ? undefined : { name, route, protocol: route.protocol, rest };
  };

  async function carry(exchange: Exchange, grant: Grant, record: Record): Promise<boolean> {
    const { head, request, response, checked } = exchange;
    const found = checked.ok && checked.target.form === "own" ? routeOf(checked.target.path) : undefined;
    if (!found) return false;
    const { name, route, protocol } = found;
    const rule = `models.${name}`;
    const deny = (denial: ModelDenial): true => {
      record.deny(denial);
      answerRefusal(response, protocol, denial, !request.complete || denial.status === 429);
      return true;
    };
    const [rest = "", query = ""] = found.rest.split("?", 2);
    const endpoint = endpointOf(protocol, head.method, rest, query);
    if (!endpoint.ok) {
      const next = `Use one of: ${endpointsOf(protocol)}.`;
      return deny({ status: 403, code: "model-endpoint", rule, why: endpoint.why, next });
    }
    if (endpoint.kind === "look") return false;

    if (exchange.expects) response.writeContinue();
    const read = await bodies.read(request);
    if (read === undefined || context.closed()) {
      record.abandon("client-gone");
      return true;
    }
    if ("denial" in read) return deny({ ...read.denial, rule });
    try {
      const digest = createHash("sha256").update(read.bytes).digest("hex");
      const check = checkBody(protocol, route, name, read.bytes, endpoint.model);
      if (!check.ok) return deny(check.denial);
      const { body } = check;
      if (route.models && !route.models.some((glob) => modelMatches(glob, body.model))) {
        const why = `the model ${body.model} is not one of this route's`;
        const next = `This route's models: ${route.models.join(", ")}.`;
        return deny({ status: 403, code: "model-refused", rule: `${rule}.models`, why, next });
      }
      const ready = await prepare(grant, head.rawHeaders, record, true);
      if (!ready.ok) return deny(ready.denial);
      if (response.destroyed || context.closed()) {
        record.abandon("client-gone");
        return true;
      }
      let granted: (Reserved & { ok: true }) | undefined;
      let meter: Meter | undefined;
      if (endpoint.kind === "answer") {
        const reserved = await services.reserve(spec.sandbox, {
          route: name,
          model: body.model,
          input: body.input,
          ...(body.output === undefined ? {} : { output: body.output }),
          body: digest,
        });
        if (!reserved.ok) return deny(reserved);
        granted = reserved;
        meter = createMeter(
          protocol,
          reserved.reservation,
          (report) => services.settle(spec.sandbox, report),
          () => services.progress(spec.sandbox, reserved.reservation),
          services.now,
        );
        meters.add(meter);
      }
      try {
        if (response.destroyed || context.closed()) {
          record.abandon("client-gone");
          meter?.end({ code: "client-gone", sent: 0, received: 0, reached: false });
          return true;
        }
        const bytes = body.write(granted?.output, granted?.note);
        const { scan } = ready.prepared;
        const scanned = scan ? scanWhole(scan, bytes) : bytes;
        if (!Buffer.isBuffer(scanned)) {
          meter?.end({ code: scanned.refuse.code, sent: 0, received: 0, reached: false });
          return deny({ status: 403, rule, ...scanned.refuse });
        }
        const inner = transform.active ? transform.scrub() : identity.scrub();
        const { dispatcher, prefix, headers } = upstream.at(grant.request, ready.way);
        const outcome = await forward({
          request,
          response,
          dispatcher,
          method: grant.request.method,
          rule,
          path: prefix + ready.prepared.target,
          headers: [...asJson(ready.prepared.headers), ...headers],
          body: true,
          bytes: scanned,
          scrub: meter ? meter.watch(inner) : transform.active ? inner : undefined,
          count: (sent, received) => record.count(sent, received),
        });
        record.end(outcome);
        meter?.end(outcome);
        return true;
      } finally {
        if (meter) {
          meter.cut("the exchange failed");
          meters.delete(meter);
        }
      }
    } finally {
      read.release();
    }
  }

  return {
    carry,
    protocolOf: (path) => routeOf(path)?.protocol,
    close() {
      for (const meter of meters) meter.cut("the sandbox ended");
      meters.clear();
    },
  };
}

function scanWhole(scan: NonNullable<Exclude<Prepared, { refuse: unknown }>["scan"]>, bytes: Buffer) {
  const first = scan.push(bytes);
  if (!Buffer.isBuffer(first)) return first;
  const last = scan.end();
  return Buffer.isBuffer(last) ? Buffer.concat([first, last]) : last;
}

/** What is sent is JSON, whatever the client called it: as a form it would mean something that nobody checked. */
function asJson(headers: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at]?.toLowerCase();
    if (name !== "content-type" && name !== "content-encoding") kept.push(headers[at] ?? "", headers[at + 1] ?? "");
  }
  return [...kept, "content-type", "application/json"];
}
