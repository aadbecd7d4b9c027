/**
 * What the host sees of a running executor, folded into what the detectors judge. Pure: times are passed in, in
 * milliseconds of one clock. Nothing the executor says of itself is in it.
 */
import type { StuckThresholds } from "../domain/stuck.ts";

/** One thing that the host saw. */
export type Sight =
  /** It printed something. */
  | { is: "output" }
  /** It used a verb: a note counts as a sign of life. */
  | { is: "verb" }
  /** A look at the layer and the processor: `layer` as its fingerprint, `cpu` in milliseconds since the start. */
  | { is: "look"; layer: string; cpu?: number | undefined }
  /** A request that is over. `request` is its method and URL. */
  | { is: "request"; allowed: boolean; request: string; code: string; model: boolean; status?: number }
  /** A model was asked, and has not answered yet; `body` is the digest of what it was asked. */
  | { is: "asked"; reservation: string; body?: string | undefined }
  /** Bytes of its answer came back. */
  | { is: "upstream"; reservation: string }
  /** A model's answer is over; `tokens` are those that were not read from a cache. */
  | { is: "answered"; reservation: string; tokens: number };

export interface Sights {
  began: number;
  /** When anything at all was seen last; `began` while nothing was. */
  active: number;
  /** Whether anything was seen. */
  alive: boolean;
  layer: string | undefined;
  cpu: { at: number; used: number } | undefined;
  /** Model requests that are open, with the time of the last sign of an answer. */
  open: ReadonlyMap<string, number>;
  /** Since the layer changed last. */
  idle: { tokens: number; requests: number; denied: ReadonlyMap<string, number> };
  /** The last model request's body, and how often it came in a row. */
  same: { body: string | undefined; count: number; status: number | undefined };
  /** Denials since the last request that was allowed, and the last of them. */
  streak: { count: number; last: string };
}

/** The share of one processor above which an executor is at work, though it says nothing: a build, a test run. */
const working = 0.05;
/** Denied requests that are told apart since the layer changed last; more are as good as different. */
const deniedCap = 256;

export function noSights(now: number): Sights {
  return {
    began: now,
    active: now,
    alive: false,
    layer: undefined,
    cpu: undefined,
    open: new Map(),
    idle: { tokens: 0, requests: 0, denied: new Map() },
    same: { body: undefined, count: 0, status: undefined },
    streak: { count: 0, last: "" },
  };
}

/** The sights with one more. */
export function withSight(sights: Sights, sight: Sight, now: number): Sights {
  const active = { ...sights, active: now, alive: true };
  switch (sight.is) {
    case "output":
    case "verb":
      return active;
    case "look":
      return looked(sights, sight, now);
    case "request":
      return requested(active, sight);
    case "asked":
      return asked(active, sight, now);
    case "upstream":
      return sights.open.has(sight.reservation)
        ? { ...active, open: new Map(sights.open).set(sight.reservation, now) }
        : active;
    case "answered": {
      const open = new Map(sights.open);
      open.delete(sight.reservation);
      return { ...active, open, idle: { ...sights.idle, tokens: sights.idle.tokens + sight.tokens } };
    }
  }
}

function looked(sights: Sights, { layer, cpu }: Sight & { is: "look" }, now: number): Sights {
  const first = sights.layer === undefined;
  const changed = !first && sights.layer !== layer;
  const before = sights.cpu;
  const span = before === undefined ? 0 : now - before.at;
  const busy = before !== undefined && cpu !== undefined && span > 0 && (cpu - before.used) / span > working;
  return {
    ...sights,
    layer,
    cpu: cpu === undefined ? before : { at: now, used: cpu },
    // Work of the processor keeps it from being silent; it does not say that it ever began to do what it is for.
    ...(changed || busy ? { active: now } : {}),
    ...(changed ? { alive: true } : {}),
    // Before the first look it may have changed too: what was counted by then counts for nothing.
    ...(changed || first ? { idle: { tokens: 0, requests: 0, denied: new Map() } } : {}),
  };
}

function asked(sights: Sights, { reservation, body }: Sight & { is: "asked" }, now: number): Sights {
  const { same, idle } = sights;
  const again = body !== undefined && body === same.body;
  return {
    ...sights,
    open: new Map(sights.open).set(reservation, now),
    idle: { ...idle, requests: idle.requests + 1 },
    same: { body, count: body === undefined ? 0 : again ? same.count + 1 : 1, status: again ? same.status : undefined },
  };
}

function requested(sights: Sights, sight: Sight & { is: "request" }): Sights {
  const { allowed, request, model, status, code } = sight;
  const { idle, same, streak } = sights;
  if (!allowed) {
    const denied = new Map(idle.denied);
    if (denied.size < deniedCap || denied.has(request)) denied.set(request, (denied.get(request) ?? 0) + 1);
    return {
      ...sights,
      idle: { ...idle, denied },
      streak: { count: streak.count + 1, last: `${request} (${code})` },
    };
  }
  const next = { ...sights, streak: { count: 0, last: "" } };
  return model && status !== undefined ? { ...next, same: { ...same, status } } : next;
}

/** The fastest that any threshold could be passed by time alone, in milliseconds; undefined where time passes none. */
export function shortestWait(thresholds: StuckThresholds): number | undefined {
  const waits = [thresholds.silence, thresholds.upstream].filter((wait) => wait !== undefined && wait > 0) as number[];
  return waits.length > 0 ? Math.min(...waits) : undefined;
}
