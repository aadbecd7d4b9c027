/** Requests to a daemon, over its Unix socket or over the network: bounded in time and size, errors as the daemon gave them. */
import { Agent, type Dispatcher, request } from "undici";
import { type ErrorCode, errorCodes, SallyportError } from "../domain/error.ts";

/** Where the daemon is, and by what the caller is known there. */
export type ClientOptions = {
  /** Milliseconds for an answer to begin. Left out: a minute, which is more than the longest `wait`. */
  timeout?: number;
  /** Bytes that one answer may have. Left out: 128 MiB. */
  mostBytes?: number;
} & (
  | { /** The path of one of the daemon's sockets. */ socket: string }
  | {
      /** The daemon's address, such as https://build.example.org:7443. */
      url: string;
      /** What `sallyport token create` printed. */
      token: string;
      /** PEM of the authority that signed its certificate, where that is not one of the system's. */
      ca?: string | Buffer;
    }
);

export interface Connection {
  /** One request; the answer's bytes. Errors are the daemon's own. */
  send(method: string, path: string, body?: unknown, options?: RequestOptions): Promise<Buffer>;
  /** One request whose answer is read as it comes; `timeout` 0 lets it be silent. */
  open(method: string, path: string, options?: RequestOptions & { headers?: Record<string, string> }): Promise<Opened>;
  close(): Promise<void>;
}

export interface RequestOptions {
  signal?: AbortSignal | undefined;
  /** Milliseconds for the answer to begin; 0 for no bound, which a landing that waits for its turn wants. */
  timeout?: number | undefined;
}

export interface Opened {
  /** Whoever leaves the iteration ends the answer. */
  chunks: AsyncIterable<Buffer>;
  contentType: string;
}

/** Opens nothing yet: connections come with the first request, and are kept. */
export function connection(options: ClientOptions): Connection {
  const { timeout = 60_000, mostBytes = 128 * 1024 * 1024 } = options;
  const overSocket = "socket" in options;
  const origin = overSocket ? "http://sallyport" : new URL(options.url).origin;
  if (!overSocket && !origin.startsWith("https:"))
    throw new SallyportError("usage", `${options.url} is not https: the token would be read on the way`, {
      next: "The daemon serves the network over TLS alone.",
    });
  const where = overSocket ? options.socket : origin;
  const dispatcher = new Agent({
    connect: overSocket
      ? { socketPath: options.socket, timeout: 10_000 }
      : { timeout: 10_000, ...(options.ca === undefined ? {} : { ca: options.ca }) },
    bodyTimeout: 0,
  });
  const known = overSocket ? {} : { authorization: `Bearer ${options.token}` };

  async function ask(
    method: string,
    path: string,
    body: unknown,
    { signal, timeout: own = timeout, headers = {} }: RequestOptions & { headers?: Record<string, string> },
  ): Promise<Dispatcher.ResponseData> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    try {
      const answer = await request(`${origin}${path}`, {
        method: method as Dispatcher.HttpMethod,
        dispatcher,
        headers: { ...known, ...(payload === undefined ? {} : { "content-type": "application/json" }), ...headers },
        body: payload ?? null,
        headersTimeout: own,
        signal: signal ?? null,
      });
      if (answer.statusCode >= 400) throw await refusal(answer);
      return answer;
    } catch (cause) {
      throw cause instanceof SallyportError || signal?.aborted ? cause : unreachable(where, cause as Error);
    }
  }

  return {
    async send(method, path, body, request = {}) {
      const answer = await ask(method, path, body, request);
      return readAll(answer.body, mostBytes, where);
    },
    async open(method, path, request = {}) {
      const { body, headers } = await ask(method, path, undefined, request);
      // What ends early is let go; its own error is the iteration's to tell.
      body.on("error", () => {});
      return {
        chunks: body as AsyncIterable<Buffer>,
        contentType: String(headers["content-type"] ?? ""),
      };
    },
    close: () => dispatcher.destroy(),
  };
}

async function readAll(body: AsyncIterable<Buffer>, mostBytes: number, where: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > mostBytes)
        throw new SallyportError("answer-refused", `the answer has more than ${mostBytes} bytes`, {
          next: "Ask for less, or allow the client more.",
        });
      chunks.push(chunk);
    }
  } catch (cause) {
    throw cause instanceof SallyportError ? cause : unreachable(where, cause as Error);
  }
  return Buffer.concat(chunks);
}

/** An error as the daemon told it; what is none of its errors is said to be that. */
async function refusal({ statusCode, body }: Dispatcher.ResponseData): Promise<SallyportError> {
  const text = (await readAll(body, 1024 * 1024, "the daemon").catch(() => Buffer.alloc(0))).toString("utf8");
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string; next: string; at?: string } };
    const { code, message, next, at } = error;
    if (Object.hasOwn(errorCodes, code) && typeof message === "string")
      return new SallyportError(code as ErrorCode, message, { next, ...(at ? { at } : {}) });
  } catch {
    // Said below.
  }
  return new SallyportError("answer-refused", `the daemon answered ${statusCode}: ${text.slice(0, 500)}`, {
    next: "Is it a Sallyport of this version that answers there?",
  });
}

function unreachable(where: string, cause: Error & { code?: string }): SallyportError {
  if (cause.code === "UND_ERR_HEADERS_TIMEOUT")
    return new SallyportError("answer-refused", `the daemon at ${where} did not answer in time`, {
      next: "It may still do what was asked: look before you ask again.",
      cause,
    });
  const why =
    cause.code === "EACCES"
      ? "this user may not open it"
      : cause.code === "ENOENT" || cause.code === "ECONNREFUSED"
        ? "nobody answers on it"
        : cause.message;
  return new SallyportError("host-unreachable", `no daemon at ${where}: ${why}`, {
    next: "Start one with `sallyport daemon`, or name its --state or --socket.",
    cause,
  });
}
