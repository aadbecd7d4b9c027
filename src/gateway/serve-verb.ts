/** A verb's call: counted by itself, read, passed to the host, and answered with what the host said. */
import type { Denial } from "./denial.ts";
import { laneVerbs, laneVerbsAtOnce } from "./limits.ts";
import type { Exchange, ServeContext } from "./serve-context.ts";
import { findVerb, readVerbBody } from "./verbs.ts";

export interface ServeVerb {
  call(exchange: Exchange, path: string): Promise<void>;
  /** Whether the lane has used up its calls. */
  over(): boolean;
}

export function createServeVerb(
  context: ServeContext,
  refuse: (exchange: Exchange, denial: Denial) => Promise<void>,
): ServeVerb {
  const { spec, services } = context;
  let calls = 0;
  let atOnce = 0;

  async function call(exchange: Exchange, path: string): Promise<void> {
    const { head, request, response } = exchange;
    const url = `http://sallyport${path}`;
    const denied = (denial: Denial) => {
      context.open(head.method, url).deny(denial);
      return refuse(exchange, denial);
    };
    calls += 1;
    if (calls > laneVerbs || atOnce >= laneVerbsAtOnce) {
      const denial = usedUp(calls > laneVerbs);
      // Recorded once: a loop of refused calls must not fill the ledger.
      if (calls <= laneVerbs + 1) return denied(denial);
      return refuse(exchange, denial);
    }
    const found = findVerb(head.method, path, spec.verbs, head.rawHeaders);
    if ("denial" in found) return denied(found.denial);
    atOnce += 1;
    try {
      if (exchange.expects) response.writeContinue();
      const body = await readVerbBody(request);
      if (body === undefined || context.closed()) return;
      if ("denial" in body) return denied(body.denial);
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
      atOnce -= 1;
    }
  }

  return { call, over: () => calls > laneVerbs };
}

function usedUp(all: boolean): Denial {
  return {
    status: 429,
    code: "verbs-used-up",
    rule: "verbs",
    why: all ? `more than ${laneVerbs} verb calls in one lane` : "too many verb calls at once",
    next: all ? "End the work: the host takes no more from this lane." : "Wait for an answer before the next call.",
  };
}
