/** Talks to the daemon over its Unix socket. */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { type ErrorCode, errorCodes, SallyportError } from "../domain/error.ts";
import type { StateDirectory } from "../host/state-directory.ts";
import { unreachable } from "./unreachable.ts";

function open(state: StateDirectory, method: string, path: string, body?: unknown): Promise<IncomingMessage> {
  const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        socketPath: state.socket,
        method,
        path,
        headers: {
          host: "sallyport",
          ...(payload ? { "content-type": "application/json", "content-length": payload.length } : {}),
        },
      },
      resolve,
    );
    request.once("error", (cause: NodeJS.ErrnoException) => reject(unreachable(state.socket, cause)));
    request.end(payload);
  });
}

async function read(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function failure(message: IncomingMessage): Promise<SallyportError> {
  const text = (await read(message)).toString("utf8");
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string; next: string; at?: string } };
    const code: ErrorCode = Object.hasOwn(errorCodes, error.code) ? (error.code as ErrorCode) : "internal";
    return new SallyportError(code, error.message, { next: error.next, ...(error.at ? { at: error.at } : {}) });
  } catch {
    return new SallyportError("internal", `the daemon answered ${message.statusCode}: ${text.slice(0, 500)}`);
  }
}

/** One call; the answer's JSON. Errors are the daemon's own, with their codes. */
export async function call<T>(state: StateDirectory, method: string, path: string, body?: unknown): Promise<T> {
  return JSON.parse((await callRaw(state, method, path, body)).toString("utf8")) as T;
}

/** One call; the answer's bytes. */
export async function callRaw(state: StateDirectory, method: string, path: string, body?: unknown): Promise<Buffer> {
  const answer = await open(state, method, path, body);
  if ((answer.statusCode ?? 500) >= 400) throw await failure(answer);
  return read(answer);
}

/** A stream of JSON lines. */
export async function* lines<T>(state: StateDirectory, path: string): AsyncGenerator<T> {
  const answer = await open(state, "GET", path);
  if ((answer.statusCode ?? 500) >= 400) throw await failure(answer);
  try {
    for await (const line of createInterface({ input: answer })) {
      if (line) yield JSON.parse(line) as T;
    }
  } finally {
    answer.destroy();
  }
}

/** All of a list, page by page from its end back: no answer of the daemon's is without bound. */
export async function listAll<T>(state: StateDirectory, kind: "delegations" | "plans" | "missions"): Promise<T[]> {
  const all: T[] = [];
  let before = "";
  do {
    const page = await call<Record<string, T[]> & { next?: string }>(state, "GET", `/v1/${kind}?limit=500${before}`);
    all.unshift(...(page[kind] ?? []));
    before = page.next === undefined ? "" : `&before=${page.next}`;
  } while (before !== "");
  return all;
}

/** Where the API has what an id names: a plan's begins with `p-`, a mission's with `m-`. */
export function pathOf(id: string): string {
  const kind = id.startsWith("p-") ? "plans" : id.startsWith("m-") ? "missions" : "delegations";
  return `/v1/${kind}/${encodeURIComponent(id)}`;
}
