/**
 * The typed client, `sallyport/client`: a method for every route of the daemon's API, over one of its Unix sockets or over
 * the network. Types are those of the schemas that the daemon checks requests by.
 */
import type { WrittenBrief, WrittenPlan } from "../domain/api.ts";
import { SallyportError } from "../domain/error.ts";
import type { Entry } from "../domain/event.ts";
import type { RouteAnswer, RouteKey, RouteRequest } from "../domain/routes.ts";
import { type ClientOptions, connection, type RequestOptions } from "./connection.ts";
import { eventsIn } from "./event-stream.ts";

export type { ClientOptions, RequestOptions } from "./connection.ts";
export type { Entry, RouteAnswer, RouteKey, RouteRequest };
export { SallyportError };

type Parts<K extends RouteKey> = RouteRequest<K>;
type Body<K extends RouteKey> = Parts<K> extends { body: infer B } ? B : never;
type Query<K extends RouteKey> = Parts<K> extends { query: infer Q } ? Q : never;

/** A delegation as it is asked for; the brief in the form of a brief's file. */
export type DelegateRequest = Omit<Body<"POST /v1/delegations">, "brief"> & { brief: WrittenBrief };
/** A plan as it is asked for. */
export type PlanRequest = Omit<Body<"POST /v1/plans">, "plan"> & { plan: WrittenPlan };
/** Which events: `from` the first line wanted; left out, those that come from now on. */
export type EventsRequest = { from?: number; delegation?: string; type?: readonly string[]; signal?: AbortSignal };

export type Client = ReturnType<typeof openClient>;

/** Opens a client. It connects with its first request; `close` ends what it has open. */
export function openClient(options: ClientOptions) {
  const wire = connection(options);
  const mostLength = options.mostBytes ?? 128 * 1024 * 1024;

  /** One request of a route, typed by its key. */
  async function call<K extends RouteKey>(
    key: K,
    parts?: RouteRequest<K>,
    more?: RequestOptions,
  ): Promise<RouteAnswer<K>> {
    const { method, path, body } = written(key, parts);
    const answer = (await wire.send(method, path, body, more)).toString("utf8");
    try {
      return JSON.parse(answer) as RouteAnswer<K>;
    } catch (cause) {
      throw new SallyportError("answer-refused", `the answer to ${key} is not JSON: ${answer.slice(0, 200)}`, {
        cause,
      });
    }
  }

  async function bytes<K extends RouteKey>(key: K, parts: RouteRequest<K>, more?: RequestOptions): Promise<Buffer> {
    const { method, path } = written(key, parts);
    return wire.send(method, path, undefined, more);
  }

  /** Lines of the ledger until the stream ends. */
  async function* lines<K extends RouteKey>(
    key: K,
    parts: RouteRequest<K>,
    more?: RequestOptions,
  ): AsyncGenerator<Entry> {
    const { method, path } = written(key, parts);
    const opened = await wire.open(method, path, more);
    let rest = "";
    const decoder = new TextDecoder();
    // Left early, the iteration ends the answer with it.
    for await (const chunk of opened.chunks) {
      const whole = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = whole.pop() ?? "";
      if (rest.length > mostLength)
        throw new SallyportError("answer-refused", `a line has more than ${mostLength} characters`);
      for (const line of whole) if (line) yield JSON.parse(line) as Entry;
    }
  }

  /** One connection's worth of events; `place` is moved with them. */
  async function* stream(query: Record<string, unknown>, place: { next: number | undefined }, signal?: AbortSignal) {
    const path = `/v1/events${queryOf({ ...query, from: place.next })}`;
    const opened = await wire.open("GET", path, { signal });
    for await (const { id, event, data } of eventsIn(opened.chunks, mostLength)) {
      if (event === "resume") {
        place.next = (JSON.parse(data) as { from: number }).from;
        return;
      }
      const seq = Number(id);
      if (data) yield JSON.parse(data) as Entry;
      // Only what the caller has taken is behind it.
      if (Number.isSafeInteger(seq)) place.next = Math.max(seq + 1, place.next ?? 0);
    }
  }

  /**
   * The ledger's lines as they become durable, without a gap or one twice: a connection that is lost is made again, and
   * goes on where it was. Ends with `signal`, or when the loop over it is left; throws what the daemon refuses.
   */
  async function* events({ from, delegation, type, signal }: EventsRequest = {}): AsyncGenerator<Entry> {
    // Without a place to go on from, what came while the connection was lost would be missing.
    const place = { next: from ?? (await call("GET /v1/status", undefined, { signal })).head.seq + 1 };
    for (let failures = 0; !signal?.aborted; ) {
      try {
        for await (const entry of stream({ delegation, type: type?.join(",") }, place, signal)) {
          failures = 0;
          yield entry;
        }
      } catch (error) {
        if (signal?.aborted) return;
        const lost = !(error instanceof SallyportError) || ["host-unreachable", "rate-limited"].includes(error.code);
        if (!lost) throw error;
      }
      failures += 1;
      await pause(Math.min(100 * 2 ** failures, 10_000) * (0.5 + Math.random() / 2), signal);
    }
  }

  const words = <K extends "delegations" | "plans" | "missions">(kind: K) => ({
    list: (query: Query<`GET /v1/${K}`> = {} as never) => call(`GET /v1/${kind}`, { query } as never),
    show: (id: string) => call(`GET /v1/${kind}/:id`, { params: { id } } as never),
    /** Answers once it rests or its `updated` is no more `since`; at most after `seconds` (45). */
    wait: (id: string, query: Query<`GET /v1/${K}/:id/wait`> = {} as never, more?: RequestOptions) =>
      call(`GET /v1/${kind}/:id/wait`, { params: { id }, query } as never, more),
    log: (id: string, query: Query<`GET /v1/${K}/:id/log`> = {} as never, more?: RequestOptions) =>
      lines(`GET /v1/${kind}/:id/log`, { params: { id }, query } as never, more),
    stop: (id: string) => call(`POST /v1/${kind}/:id/stop`, { params: { id } } as never),
    /** Answers when it has landed, which may take as long as the tests of a moved target: without a bound of its own. */
    land: (id: string, onto?: string, more?: RequestOptions) =>
      call(`POST /v1/${kind}/:id/land`, { params: { id }, body: onto === undefined ? {} : { onto } } as never, {
        timeout: 0,
        ...more,
      }),
    act: (id: string, action: string, again = false, more?: RequestOptions) =>
      call(`POST /v1/${kind}/:id/act`, { params: { id }, body: { action, again } } as never, { timeout: 0, ...more }),
    verify: (id: string, onto?: string, more?: RequestOptions) =>
      call(`POST /v1/${kind}/:id/verify`, { params: { id }, body: onto === undefined ? {} : { onto } } as never, {
        timeout: 0,
        ...more,
      }),
    page: (id: string) => call(`GET /v1/${kind}/:id/page`, { params: { id } } as never),
    discard: (id: string) => call(`POST /v1/${kind}/:id/discard`, { params: { id } } as never),
  });

  return {
    call,
    status: () => call("GET /v1/status"),
    description: () => call("GET /v1/openapi.json"),
    policies: () => call("GET /v1/policies"),
    /** What a policy decides about a request such as `GET https://a.org/x`. */
    explain: (name: string, request: string) =>
      call("GET /v1/policies/:name/explain", { params: { name }, query: { request } }),
    summaries: (query: Query<"GET /v1/summaries"> = {}) => call("GET /v1/summaries", { query }),
    chain: (query: Query<"GET /v1/chain"> = {}) => call("GET /v1/chain", { query }),
    /** Figures in the Prometheus text format. */
    metrics: async () => new TextDecoder().decode(await bytes("GET /v1/metrics", {})),
    /** Clears away what nobody needs. `older` in seconds. */
    gc: (request: Body<"POST /v1/gc"> = {}) => call("POST /v1/gc", { body: request }, { timeout: 0 }),
    drain: (seconds?: number) => call("POST /v1/drain", { body: seconds === undefined ? {} : { seconds } }),
    executors: (since?: Date) => call("GET /v1/executors", { query: since ? { since: since.toISOString() } : {} }),
    cost: (id: string) => call("GET /v1/cost/:id", { params: { id } }),
    events,
    delegate: (request: DelegateRequest) => call("POST /v1/delegations", { body: request }),
    runPlan: (request: PlanRequest) => call("POST /v1/plans", { body: request }),
    runMission: (request: Body<"POST /v1/missions">) => call("POST /v1/missions", { body: request }),
    delegations: {
      ...words("delegations"),
      diff: (id: string, attempt?: number) =>
        bytes("GET /v1/delegations/:id/diff", { params: { id }, query: attempt === undefined ? {} : { attempt } }),
    },
    plans: { ...words("plans"), diff: (id: string) => bytes("GET /v1/plans/:id/diff", { params: { id } }) },
    missions: { ...words("missions"), diff: (id: string) => bytes("GET /v1/missions/:id/diff", { params: { id } }) },
    gate: {
      status: () => call("GET /v1/gate"),
      calibrate: (request: Body<"POST /v1/gate/calibrate"> = {}) => call("POST /v1/gate/calibrate", { body: request }),
      canary: (id: string) => call("GET /v1/gate/canaries/:id", { params: { id } }),
      open: (reason: string, who?: string) => call("POST /v1/gate/open", { body: { reason, ...(who ? { who } : {}) } }),
      close: (reason: string, who?: string) =>
        call("POST /v1/gate/close", { body: { reason, ...(who ? { who } : {}) } }),
    },
    close: () => wire.close(),
    [Symbol.asyncDispose]: () => wire.close(),
  };
}

/** A route's key with its parts put in. */
function written(key: RouteKey, parts: unknown): { method: string; path: string; body?: unknown } {
  const {
    params = {},
    query = {},
    body,
  } = (parts ?? {}) as Record<"params" | "query" | "body", Record<string, unknown>>;
  const [method = "", pattern = ""] = key.split(" ");
  const path = pattern.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(params[name])));
  return { method, path: path + queryOf(query), body };
}

function queryOf(query: Record<string, unknown>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString();
  return text ? `?${text}` : "";
}

/** Resolves after the time, or with the signal. */
function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, milliseconds);
    signal?.addEventListener("abort", finish);
  });
}
