/** A gateway whose requests to models are counted by real budgets, and small providers on loopback that answer as told. */
import { mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest, type IncomingHttpHeaders, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BudgetAccount } from "../../src/domain/budget.ts";
import type { Event, EventData, EventType } from "../../src/domain/event.ts";
import type { Role } from "../../src/domain/identity.ts";
import type { ModelRoute } from "../../src/domain/policy.ts";
import { type Gateway, startGateway } from "../../src/gateway/process.ts";
import { type Budgets, openBudgets } from "../../src/host/budgets.ts";
import { type Recorder, recorder, sandboxId } from "./rig.ts";

export interface ModelLane {
  sandbox: string;
  socket: string;
}

export interface ModelRig extends AsyncDisposable {
  gateway: Gateway;
  budgets: Budgets;
  events: Event[];
  /** Data of the events of a type. */
  of<T extends EventType>(type: T): EventData<T>[];
  /** Sandboxes that were to be ended, with why. */
  ended: { sandbox: string; what: string; at: number }[];
  lane(models: Record<string, ModelRoute>, caps?: Partial<BudgetAccount>, more?: LaneOptions): Promise<ModelLane>;
}

export interface LaneOptions {
  requests?: number;
  role?: Role;
  accounts?: BudgetAccount[];
}

export async function modelRig(
  options: { grace?: number; patience?: number; now?: () => Date } = {},
): Promise<ModelRig> {
  const directory = await mkdtemp(join(tmpdir(), "model-route-"));
  const events: Event[] = [];
  const ended: ModelRig["ended"] = [];
  const { now = () => new Date(), ...times } = options;
  const budgets = openBudgets({
    append: async (event) => void events.push(event),
    note: (event) => void events.push(event),
    now,
    onOver: (sandbox, what) => void ended.push({ sandbox, what, at: Date.now() }),
    ...times,
  });
  const gateway = await startGateway({
    directory,
    uid: 10002,
    gid: 10002,
    onRequest: (data) => void events.push({ type: "request", data }),
    onVerb: async () => ({ status: 200, body: null }),
    onReserve: budgets.reserve,
    onSettle: budgets.settle,
    onExit: (reason) => console.error(`the gateway ended: ${reason}`),
    log: (line) => console.error(line),
  }).catch(async (error: unknown) => {
    await rm(directory, { recursive: true, force: true });
    throw error;
  });
  return {
    gateway,
    budgets,
    events,
    ended,
    of: <T extends EventType>(type: T) =>
      events.filter((event) => event.type === type).map((event) => event.data as EventData<T>),
    async lane(models, caps = {}, { requests = 10_000, role = "executor", accounts } = {}) {
      const sandbox = sandboxId();
      const own = { id: `delegation:${sandbox}`, whose: "this delegation", rule: "budget", ...caps };
      budgets.open({
        sandbox,
        delegation: undefined,
        role,
        attempt: 1,
        models,
        accounts: () => accounts ?? [own],
      });
      const { directory: lane } = await gateway.openLane({ sandbox, role, network: [], models, requests, verbs: [] });
      return { sandbox, socket: join(lane, "host.sock") };
    },
    async [Symbol.asyncDispose]() {
      await gateway.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface Said {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** Milliseconds to the first byte of the body. */
  first: number;
}

/** A request to a lane's own paths. Rejects when the connection ends without a whole answer. */
export function call(
  lane: ModelLane,
  path: string,
  body: unknown,
  options: { method?: string; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Said> {
  const { promise, resolve, reject } = Promise.withResolvers<Said>();
  const began = performance.now();
  const { method = "POST", headers = {}, signal } = options;
  const bytes =
    body === undefined ? undefined : typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const sent = httpRequest({
    socketPath: lane.socket,
    path,
    method,
    agent: false,
    headers: {
      host: "127.0.0.1:3128",
      ...(bytes === undefined
        ? {}
        : { "content-type": "application/json", "content-length": Buffer.byteLength(bytes) }),
      ...headers,
    },
    ...(signal ? { signal } : {}),
  });
  sent.on("response", (response) => {
    let first = -1;
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => {
      if (first < 0) first = performance.now() - began;
      chunks.push(chunk);
    });
    response.on("end", () =>
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        text: Buffer.concat(chunks).toString("utf8"),
        first,
      }),
    );
    response.on("error", reject);
  });
  sent.on("error", reject);
  sent.setTimeout(20_000, () => sent.destroy(new Error("no answer in time")));
  sent.end(bytes);
  return promise;
}

/** A provider that answers every request with JSON, or with parts of a stream. */
export function provider(
  answer: (
    body: Record<string, unknown>,
    seen: number,
  ) => {
    status?: number;
    headers?: Record<string, string>;
    json?: unknown;
    parts?: readonly (string | Buffer)[];
    pause?: number;
    cut?: boolean;
  },
): Promise<Recorder> {
  let count = 0;
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", async () => {
      const text = Buffer.concat(chunks).toString("utf8");
      const said = answer(text === "" ? {} : JSON.parse(text), count++);
      const { status = 200, parts, json, pause = 0, cut = false } = said;
      response.writeHead(status, { "content-type": parts ? "text/event-stream" : "application/json", ...said.headers });
      for (const part of parts ?? [JSON.stringify(json ?? {})]) {
        response.write(part);
        if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      }
      if (cut) response.destroy();
      else response.end();
    });
  };
  return recorder(listener);
}

/** A route to a provider on loopback. */
export function routeTo(server: Recorder, more: Partial<ModelRoute> = {}): ModelRoute {
  return { base: `http://127.0.0.1:${server.port}`, addresses: ["127.0.0.1"], protocol: "openai-chat", ...more };
}

/** One model at one dollar for a million tokens in, ten out. */
export const cheap: NonNullable<ModelRoute["table"]> = {
  version: 1,
  date: "2026-01-01",
  models: [{ model: "m*", input: 1_000_000, output: 10_000_000, cached: 100_000 }],
};

export const chat = (more: object = {}) => ({
  model: "m1",
  messages: [{ role: "user", content: "hello" }],
  max_tokens: 100,
  ...more,
});
export const chatJson = (prompt: number, completion: number, cached = 0) => ({
  object: "chat.completion",
  model: "m1-2026",
  choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
  usage: { prompt_tokens: prompt, completion_tokens: completion, prompt_tokens_details: { cached_tokens: cached } },
});
