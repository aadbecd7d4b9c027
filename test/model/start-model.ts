/**
 * A model stand-in: a real HTTP server on loopback that speaks Anthropic Messages, OpenAI Responses, OpenAI Chat and
 * Gemini, streamed or whole. Only what it says is scripted, turn by turn; many conversations can go on at once. It
 * records every request as it came.
 */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { callsFor } from "./actions.ts";
import { anthropic } from "./anthropic.ts";
import { chat } from "./chat.ts";
import type { Asked, Dialect, Protocol, Said, Usage } from "./dialect.ts";
import { gemini } from "./gemini.ts";
import { responses } from "./responses.ts";
import type { Fault, Turn, Turns } from "./turn.ts";

export type { Action, ToolCall } from "./actions.ts";
export type { Asked, Protocol, ToolOffer, Usage } from "./dialect.ts";
export type { Fault, Turn, Turns } from "./turn.ts";

const dialects: readonly Dialect[] = [anthropic, responses, chat, gemini];

/** A request as it came. */
export interface ModelRequest {
  method: string;
  /** Path and query. */
  path: string;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  /** The body's text, and what it parses to ({} when it is no JSON object). */
  raw: string;
  body: Record<string, unknown>;
  /** Of which protocol the path is; undefined for any other path. */
  protocol: Protocol | undefined;
  /** What was asked; undefined for what is no request for an answer. */
  asked: Asked | undefined;
  /** The number of answers the conversation already held; -1 for what is no request for an answer. */
  turn: number;
  /** The key of the scripted conversation that it belongs to. */
  conversation: string | undefined;
}

/** What the model says: by turn, or worked out from the request. */
export type Script = Turns | ((request: ModelRequest & { asked: Asked }) => Turn);

export interface ModelOptions {
  /** For conversations that no key names. Without it the model says "done". */
  script?: Script;
  /** Scripts by a key: a conversation belongs to the first key that is found in what was said to the model. */
  conversations?: Readonly<Record<string, Script>>;
  /** Where the harness works: paths of actions are made absolute with it. */
  workspace?: string;
}

export interface Model {
  /** `http://127.0.0.1:PORT`, without `/v1`: a policy's model route has it as its base. */
  url: string;
  requests: ModelRequest[];
  /** The requests of one conversation. */
  requestsOf(conversation: string): ModelRequest[];
  /** Adds or replaces the script of a key. */
  converse(key: string, script: Script): void;
  close(): Promise<void>;
}

interface Stage {
  scripts: Map<string, Script>;
  fallback: Script;
  workspace: string;
  requests: ModelRequest[];
  /** How often each turn of each conversation was asked for. */
  tries: Map<string, number>;
}

/** Starts the stand-in on a free port of 127.0.0.1. Close it: it keeps the process alive. */
export async function startModel(options: ModelOptions = {}): Promise<Model> {
  const stage: Stage = {
    scripts: new Map(Object.entries(options.conversations ?? {})),
    fallback: options.script ?? [],
    workspace: options.workspace ?? "/workspace",
    requests: [],
    tries: new Map(),
  };
  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing, stage).catch((error: unknown) => outgoing.destroy(error as Error));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: stage.requests,
    requestsOf: (key) => stage.requests.filter((request) => request.conversation === key),
    converse: (key, script) => void stage.scripts.set(key, script),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function serve(incoming: IncomingMessage, outgoing: ServerResponse, stage: Stage): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const raw = Buffer.concat(chunks).toString("utf8");
  const path = incoming.url ?? "";
  const plain = path.replace(/\?.*$/, "");
  const dialect = incoming.method === "POST" ? dialects.find((one) => one.path(plain) !== undefined) : undefined;
  const body = parsed(raw);
  const read = dialect && body ? dialect.read(body, plain) : undefined;
  const asked = dialect?.path(plain) === "answer" && typeof read === "object" ? read : undefined;
  const conversation = asked && [...stage.scripts.keys()].find((key) => asked.text.includes(key));
  const request: ModelRequest = {
    method: incoming.method ?? "",
    path,
    headers: incoming.headers,
    rawHeaders: incoming.rawHeaders,
    raw,
    body: body ?? {},
    protocol: dialect?.protocol,
    asked,
    turn: asked?.turn ?? -1,
    conversation,
  };
  stage.requests.push(request);

  const id = `${stage.requests.length}`;
  if (!dialect) return fail(outgoing, responses, 404, `no ${request.method} ${path} here`);
  if (!body) return fail(outgoing, dialect, 400, "the body is not a JSON object");
  if (typeof read === "string") return fail(outgoing, dialect, 400, read);
  if (!asked) return json(outgoing, 200, dialect.count(Math.ceil(raw.length / 4)));
  let turn: Turn;
  let calls: Said["calls"];
  try {
    turn = pick(stage, { ...request, asked });
    calls = callsFor(turn.do ?? [], asked.tools, stage.workspace).map((call, index) => ({
      ...call,
      id: `call_${asked.turn}_${id}_${index}`,
    }));
  } catch (error) {
    // The script does not fit the harness: a client error is not tried again, and its message says why.
    return fail(outgoing, dialect, 400, `the script: ${(error as Error).message}`);
  }
  if (turn.delay) await pause(turn.delay);
  if (turn.status !== undefined && turn.status !== 200) {
    const retry = turn.retryAfter === undefined ? {} : { "retry-after": String(turn.retryAfter) };
    return fail(outgoing, dialect, turn.status, turn.text ?? "scripted failure", retry);
  }
  const text = turn.text ?? (calls.length > 0 ? "" : "done");
  const said: Said = {
    id,
    model: asked.model,
    text: turn.huge === undefined ? text : text.padEnd(turn.huge, " more"),
    calls,
    usage: usageOf(turn, raw, text, calls),
    cut: turn.cut === true,
  };
  await write(outgoing, turn, asked.stream, asked.stream ? dialect.events(said, asked) : halves(dialect.whole(said)));
}

/** The turn that is due, or the fault that comes before it. */
function pick(stage: Stage, request: ModelRequest & { asked: Asked }): Turn {
  const script = request.conversation === undefined ? stage.fallback : stage.scripts.get(request.conversation);
  if (typeof script === "function") return script(request);
  // A harness asks its model for titles and summaries beside the work, without tools: that is no turn of a script
  // that wants things done.
  if (request.asked.tools.length === 0 && script?.some((turn) => turn.do !== undefined)) return { text: "done" };
  const turn = script?.[request.turn];
  if (!turn) return { text: "done" };
  const key = `${request.conversation ?? ""}\0${request.turn}`;
  const tries = stage.tries.get(key) ?? 0;
  stage.tries.set(key, tries + 1);
  return turn.first?.[tries] ?? turn;
}

/** Tokens at four characters each, unless the turn says otherwise. */
function usageOf(turn: Fault, raw: string, text: string, calls: Said["calls"]): Said["usage"] {
  if (turn.usage === "missing") return undefined;
  const said = text.length + calls.reduce((sum, call) => sum + JSON.stringify(call.arguments).length, 0);
  const counted: Usage = { input: Math.ceil(raw.length / 4), output: Math.ceil(Math.max(said, turn.huge ?? 0) / 4) };
  return turn.usage ?? counted;
}

async function write(outgoing: ServerResponse, turn: Turn, stream: boolean, parts: string[]): Promise<void> {
  if (turn.malformed !== undefined) {
    parts.splice(1, 0, turn.malformed === true ? 'data: {"broken": [1,\n\n' : turn.malformed);
  }
  outgoing.writeHead(200, {
    "content-type": stream ? "text/event-stream; charset=utf-8" : "application/json",
    "cache-control": "no-cache",
    "x-request-id": "req_scripted",
  });
  outgoing.flushHeaders();
  for (const [index, part] of parts.entries()) {
    if (turn.dropAfter === index) return cut(outgoing);
    if (index > 0 && turn.between) await pause(turn.between);
    if (outgoing.destroyed) return;
    if (!outgoing.write(part)) await drained(outgoing);
  }
  if (turn.dropAfter !== undefined) return cut(outgoing);
  outgoing.end();
}

/** A pause that does not keep the process alive: an answer may be scripted to come in an hour. */
async function pause(milliseconds: number): Promise<void> {
  await wait(milliseconds, undefined, { ref: false });
}

/** Until there is room again, or nobody there. */
async function drained(outgoing: ServerResponse): Promise<void> {
  const ended = new AbortController();
  const { signal } = ended;
  await Promise.race([once(outgoing, "drain", { signal }), once(outgoing, "close", { signal })]).catch(() => {});
  ended.abort();
}

/** Ends the connection in the middle of the answer, after what was written has left. */
async function cut(outgoing: ServerResponse): Promise<void> {
  await pause(10);
  outgoing.destroy();
}

function halves(answer: object): string[] {
  const text = JSON.stringify(answer);
  return [text.slice(0, text.length >> 1), text.slice(text.length >> 1)];
}

function parsed(raw: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(raw || "{}");
    return value !== null && typeof value === "object" && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function fail(outgoing: ServerResponse, dialect: Dialect, status: number, why: string, headers: object = {}): void {
  json(outgoing, status, dialect.error(status, why), headers);
}

function json(outgoing: ServerResponse, status: number, body: object, headers: object = {}): void {
  outgoing.writeHead(status, { "content-type": "application/json", ...headers });
  outgoing.end(JSON.stringify(body));
}
