/**
 * Carries one decided request to its upstream and the answer back, streaming both ways with back-pressure. Nothing is
 * followed, retried, cached or decompressed: a redirect is the client's to ask for, and is decided anew.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Transform } from "node:stream";
import { type Dispatcher, errors } from "undici";
import { answerDenial } from "./denial.ts";
import { requestHeaders, responseHeaders } from "./headers.ts";
import { requestBytes, responseBytes } from "./limits.ts";
import type { Outcome } from "./record.ts";

export interface Forward {
  request: IncomingMessage;
  response: ServerResponse;
  dispatcher: Dispatcher;
  method: string;
  /** Path and query, as decided. */
  path: string;
  body: boolean;
  /** Told as bytes go by, for a record that someone else ends. */
  count(sent: number, received: number): void;
  limits?: { request: number; response: number };
}

/** Resolves when the exchange is over, however it ended; it never rejects. */
export function forward(exchange: Forward): Promise<Outcome> {
  const { request, response, dispatcher, limits = { request: requestBytes, response: responseBytes } } = exchange;
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  let controller: Dispatcher.DispatchController | undefined;
  let status: number | undefined;
  let sent = 0;
  let received = 0;
  let over = false;

  const finish = (code: string) => {
    if (over) return;
    over = true;
    response.off("close", gone);
    body?.destroy();
    resolve({ code, ...(status === undefined ? {} : { status }), sent, received });
  };
  // Ends what is half-way: a client must see that the answer was cut, so its connection is destroyed.
  const cut = (code: string, answer: number, why: string) => {
    if (over) return;
    if (!response.headersSent && !response.destroyed) {
      status = answer;
      answerDenial(
        response,
        { status: answer, code, rule: "upstream", why, next: "Try again; the request itself was allowed." },
        true,
      );
    } else response.destroy();
    finish(code);
    controller?.abort(new Error(code));
  };
  const gone = () => cut("client-gone", 0, "");
  response.on("close", gone);

  const body = exchange.body
    ? new Transform({
        transform(chunk: Buffer, _, done) {
          sent += chunk.length;
          exchange.count(sent, received);
          if (sent > limits.request) {
            cut("request-too-large", 413, `the body is larger than ${limits.request} bytes`);
            done(new Error("request-too-large"));
          } else done(null, chunk);
        },
      })
    : null;
  if (body) {
    body.on("error", () => undefined);
    // A client that goes in the middle of its body must not leave upstream with a whole request.
    request.on("error", (error) => body.destroy(error));
    request.on("aborted", () => body.destroy(new Error("client-gone")));
    request.pipe(body);
  }

  try {
    dispatcher.dispatch(
      {
        path: exchange.path,
        method: exchange.method,
        headers: requestHeaders(request.rawHeaders, exchange.body),
        body,
      },
      {
        onRequestStart(started) {
          controller = started;
          if (over) started.abort(new Error("client-gone"));
        },
        onResponseStart(_, code, headers) {
          if (over || code < 200) return;
          status = code;
          response.sendDate = false;
          // A client that has not finished its body would go on sending it after the answer.
          if (!request.complete) response.shouldKeepAlive = false;
          response.writeHead(code, responseHeaders(headers));
          // Sends the head at once, byte for byte: flushHeaders would write it as UTF-8 and change bytes above 0x7f.
          response.write("", "latin1");
        },
        onResponseData(control, chunk) {
          if (over) return;
          received += chunk.length;
          exchange.count(sent, received);
          if (received > limits.response) {
            cut("response-too-large", 502, `the answer is larger than ${limits.response} bytes`);
          } else if (!response.write(chunk)) {
            control.pause();
            response.once("drain", () => control.resume());
          }
        },
        onResponseEnd() {
          if (over) return;
          response.off("close", gone);
          const flushed = () => finish("allowed");
          response.once("close", flushed);
          response.end(flushed);
        },
        onResponseError(_, error) {
          const [code, answer, why] = explain(error);
          cut(code, answer, why);
        },
      },
    );
  } catch (error) {
    // undici checks names and values again before it writes them, and throws on what it would not send.
    cut("request-refused", 400, error instanceof Error ? error.message : "the request cannot be sent");
  }
  return promise;
}

/** A failure of upstream as code, status and words. TLS failures are never downgraded, so they end here too. */
export function explain(error: unknown): [code: string, status: number, why: string] {
  if (error instanceof errors.ConnectTimeoutError)
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
