/**
 * Carries one decided request to its upstream and the answer back, streaming both ways with back-pressure. Nothing is
 * followed, retried or cached: a redirect is the client's to ask for, and is decided anew.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { Transform } from "node:stream";
import { type Dispatcher, errors } from "undici";
import type { DenialCode, RecordCode } from "../domain/denial.ts";
import { type Answer, answerDecoders, plainAnswer, scrubbedAnswer, withoutChanged } from "./answer.ts";
import { headerValues } from "./check-request.ts";
import { answerDenial } from "./denial.ts";
import { responseHeaders } from "./headers.ts";
import { requestBytes, responseBytes } from "./limits.ts";
import type { Outcome } from "./record.ts";
import type { BodyScan, Refusal, ResponseScrub } from "./transform.ts";

export interface Forward {
  request: IncomingMessage;
  response: ServerResponse;
  dispatcher: Dispatcher;
  method: string;
  /** The rule that allowed it. */
  rule: string;
  /** Path and query, as decided and prepared. */
  path: string;
  /** Names and values in turn, as prepared. */
  headers: readonly string[];
  body: boolean;
  /** The body where it was read and checked before; left out: the client's, as it comes. */
  bytes?: Buffer | undefined;
  scan?: BodyScan | undefined;
  /** Set where the answer has to be scrubbed. */
  scrub?: ResponseScrub | undefined;
  /** Told as bytes go by, for a record that someone else ends. */
  count(sent: number, received: number): void;
  limits?: { request: number; response: number };
}

/** How an exchange ended. `reached` says that its request began to be written to an open connection. */
export interface Forwarded extends Outcome {
  refused?: Refusal;
  reached: boolean;
}

/** Resolves when the exchange is over, however it ended; it never rejects. A refusal of the body's scan is `refused`. */
export function forward(exchange: Forward): Promise<Forwarded> {
  const { request, response, dispatcher, limits = { request: requestBytes, response: responseBytes } } = exchange;
  const { promise, resolve } = Promise.withResolvers<Forwarded>();
  let controller: Dispatcher.DispatchController | undefined;
  let status: number | undefined;
  let sent = 0;
  let received = 0;
  let decoded = 0;
  let over = false;
  let refused: Refusal | undefined;
  let answer: Answer | undefined;

  const finish = (code: RecordCode) => {
    if (over) return;
    over = true;
    response.off("close", gone);
    body?.destroy();
    answer?.destroy();
    const reached = controller !== undefined;
    const said = status === undefined ? {} : { status };
    resolve({ code, ...said, sent, received, reached, ...(refused ? { refused } : {}) });
  };
  // Ends what is half-way: a client must see that the answer was cut, so its connection is destroyed.
  const cut = (
    code: DenialCode | "client-gone",
    said: number,
    why: string,
    rule = "upstream",
    next = "Try again; the request itself was allowed.",
  ) => {
    if (over) return;
    if (code !== "client-gone" && !response.headersSent && !response.destroyed) {
      status = said;
      answerDenial(response, { status: said, code, rule, why, next }, true);
    } else response.destroy();
    finish(code);
    controller?.abort(new Error(code));
  };
  const gone = () => cut("client-gone", 0, "");
  const large = () => cut("response-too-large", 502, `the answer is larger than ${limits.response} bytes`);
  const refuse = (refusal: Refusal) => {
    refused = refusal;
    cut(refusal.code, 403, refusal.why, refusal.rule ?? exchange.rule, refusal.next);
  };
  response.on("close", gone);

  const body =
    exchange.body && !exchange.bytes
      ? meteredBody(exchange.scan, {
          passed(bytes) {
            sent += bytes;
            exchange.count(sent, received);
            if (sent <= limits.request) return true;
            cut("request-too-large", 413, `the body is larger than ${limits.request} bytes`);
            return false;
          },
          refuse,
        })
      : null;
  if (body) {
    body.on("error", () => undefined);
    // A client that goes in the middle of its body must not leave upstream with a whole request.
    request.on("error", (error) => body.destroy(error));
    request.on("aborted", () => body.destroy(new Error("client-gone")));
    request.pipe(body);
  }

  const begin = (code: number, upstream: Record<string, string | string[] | undefined>) => {
    const drained = () => controller?.resume();
    let headers: readonly string[] = responseHeaders(upstream);
    const { scrub } = exchange;
    if (scrub === undefined) answer = plainAnswer(response, drained);
    else {
      const encoding = [upstream["content-encoding"]].flat().join(",");
      const decoders = answerDecoders(exchange.method, code, encoding);
      if (decoders === undefined) {
        return cut("encoding-refused", 502, `the answer is coded as ${encoding.slice(0, 40)}, and cannot be read`);
      }
      headers = withoutChanged(scrub.headers(headers));
      answer = scrubbedAnswer(response, scrub, decoders, {
        drained,
        decoded(bytes) {
          decoded += bytes;
          if (decoded > limits.response) large();
          return !over;
        },
        fail: () => cut("encoding-broken", 502, "the answer's coding is broken"),
      });
    }
    status = code;
    response.sendDate = false;
    // A client that has not finished its body would go on sending it after the answer.
    if (!request.complete) response.shouldKeepAlive = false;
    // Head, first bytes and end of a short answer come in one turn: one TLS record and one write for all of them. The
    // socket is corked and not the response, which would write the empty chunk below as the end of the body.
    const { socket } = response;
    socket?.cork();
    process.nextTick(() => socket?.uncork());
    response.writeHead(code, headers as string[]);
    // Sends the head at once, byte for byte: flushHeaders would write it as UTF-8 and change bytes above 0x7f.
    response.write("", "latin1");
  };

  try {
    dispatcher.dispatch(
      {
        path: exchange.path,
        method: exchange.method,
        headers:
          exchange.body && !exchange.bytes
            ? withLength(exchange.headers, request.rawHeaders)
            : (exchange.headers as string[]),
        body: exchange.bytes ?? body,
      },
      {
        onRequestStart(started) {
          controller = started;
          sent += exchange.bytes?.length ?? 0;
          exchange.count(sent, received);
          if (over) started.abort(new Error("client-gone"));
        },
        onResponseStart(_, code, headers) {
          if (!over && code >= 200) begin(code, headers);
        },
        onResponseData(control, chunk) {
          if (over) return;
          received += chunk.length;
          exchange.count(sent, received);
          if (received > limits.response) large();
          else if (!answer?.push(chunk) && !over) control.pause();
        },
        onResponseEnd() {
          if (over) return;
          response.off("close", gone);
          const flushed = () => finish("allowed");
          response.once("close", flushed);
          answer?.end(flushed);
        },
        onResponseError(_, error) {
          const [code, said, why] = explain(error);
          cut(code, said, why);
        },
      },
    );
  } catch (error) {
    // undici checks names and values again before it writes them, and throws on what it would not send.
    cut("request-refused", 400, error instanceof Error ? error.message : "the request cannot be sent");
  }
  return promise;
}

/** A request's body on its way: counted, scanned, and cut where either says so. */
function meteredBody(
  scan: BodyScan | undefined,
  hooks: { passed(bytes: number): boolean; refuse(refusal: Refusal): void },
): Transform {
  const give = (found: Buffer | { refuse: Refusal }, done: (error?: Error | null, data?: Buffer) => void) => {
    if (Buffer.isBuffer(found)) return done(null, found);
    hooks.refuse(found.refuse);
    done(new Error("refused"));
  };
  return new Transform({
    transform(chunk: Buffer, _, done) {
      if (!hooks.passed(chunk.length)) done(new Error("request-too-large"));
      else if (scan) give(scan.push(chunk), done);
      else done(null, chunk);
    },
    flush(done) {
      if (scan) give(scan.end(), done);
      else done();
    },
  });
}

function withLength(headers: readonly string[], raw: readonly string[]): string[] {
  const length = headerValues(raw, "content-length")[0];
  return length === undefined ? [...headers] : [...headers, "content-length", length];
}

/** A failure of upstream as code, status and words. TLS failures are never downgraded, so they end here too. */
export function explain(error: unknown): [code: DenialCode, status: number, why: string] {
  if (error instanceof errors.ConnectTimeoutError || (error instanceof Error && error.message === "late"))
    return ["upstream-timeout", 504, "upstream did not accept a connection in time"];
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) {
    return ["upstream-timeout", 504, "upstream was silent for too long"];
  }
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  if (/^(CERT_|ERR_TLS_|DEPTH_|SELF_SIGNED|UNABLE_TO_|ERR_SSL_|HOSTNAME_)/.test(code)) {
    return ["upstream-certificate", 502, `upstream's certificate was refused (${code})`];
  }
  return ["upstream-failed", 502, `upstream could not be spoken to${code ? ` (${code})` : ""}`];
}
