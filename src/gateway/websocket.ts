/**
 * One decided WebSocket: the handshake goes upstream as it was decided, and after a 101 bytes go both ways, bounded, until
 * either side or the lane ends it. Any other answer goes back as what it is, and ends the connection.
 */

import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Dispatcher } from "undici";
import type { DenialCode } from "../domain/denial.ts";
import { answerBare } from "./denial.ts";
import { explain } from "./forward.ts";
import { responseHeaders } from "./headers.ts";
import { responseBytes, tunnelSilence, webSocketAnswer } from "./limits.ts";
import type { Outcome } from "./record.ts";
import { relay } from "./relay.ts";

export interface WebSocketCall {
  request: IncomingMessage;
  socket: Socket;
  /** What came behind the handshake. */
  bytes: Buffer;
  dispatcher: Dispatcher;
  path: string;
  headers: readonly string[];
  /** Told of upstream's socket, so that closing the lane ends it. */
  opened(upstream: Socket): void;
  count(sent: number, received: number): void;
}

/** Resolves when it is over, however it ended; never rejects. */
export function carryWebSocket(call: WebSocketCall): Promise<Outcome> {
  const { socket, dispatcher } = call;
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  let controller: Dispatcher.DispatchController | undefined;
  let response: ServerResponse | undefined;
  let received = 0;
  let over = false;
  let status: number | undefined;
  const finish = (outcome: Outcome) => {
    if (over) return;
    over = true;
    socket.off("close", left);
    resolve(outcome);
  };
  const fail = (code: DenialCode | "client-gone", said: number, why: string) => {
    if (over) return;
    if (status === undefined) {
      const next = "Try again; the request itself was allowed.";
      if (code !== "client-gone") answerBare(socket, { status: said, code, rule: "upstream", why, next });
      finish({ code, status: said, sent: 0, received: 0 });
    } else {
      socket.destroy();
      finish({ code, status, sent: 0, received });
    }
    controller?.abort(new Error(code));
  };
  const left = () => fail("client-gone", 0, "");
  socket.on("close", left);

  const upgraded = async (headers: Record<string, string | string[] | undefined>, upstream: Socket) => {
    call.opened(upstream);
    if (over) return void upstream.destroy();
    status = 101;
    const accept = [headers["sec-websocket-accept"]].flat();
    const fields = responseHeaders(headers);
    if (accept.length !== 1 || [headers.upgrade].flat().join(",").toLowerCase() !== "websocket") {
      upstream.destroy();
      status = undefined;
      return fail("upstream-failed", 502, "upstream changed to a protocol that is not WebSocket");
    }
    let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    for (let i = 0; i + 1 < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
    socket.write(Buffer.from(`${head}\r\n`, "latin1"));
    if (call.bytes.length > 0) upstream.write(call.bytes);
    socket.off("close", left);
    const end = await relay(socket, upstream, { bytes: responseBytes, silence: tunnelSilence }, call.count);
    finish({ ...end, status: 101 });
  };

  try {
    dispatcher.dispatch(
      {
        path: call.path,
        method: "GET",
        headers: call.headers as string[],
        upgrade: "websocket",
        headersTimeout: webSocketAnswer,
      },
      {
        onRequestStart(started) {
          controller = started;
          if (over) started.abort(new Error("client-gone"));
        },
        onRequestUpgrade(_, code, headers, upstream) {
          if (code !== 101) upstream.destroy();
          void upgraded(headers, upstream as Socket);
        },
        onResponseStart(_, code, headers) {
          if (over || code < 200) return;
          status = code;
          response = new ServerResponse(call.request);
          response.shouldKeepAlive = false;
          response.sendDate = false;
          response.assignSocket(socket);
          response.writeHead(code, responseHeaders(headers));
          response.write("", "latin1");
        },
        onResponseData(control, chunk) {
          if (over || !response) return;
          received += chunk.length;
          call.count(0, received);
          if (received > responseBytes) return fail("response-too-large", 502, "");
          if (response.write(chunk)) return;
          control.pause();
          response.once("drain", () => control.resume());
        },
        onResponseEnd() {
          if (over || !response) return;
          socket.off("close", left);
          response.end(() => {
            socket.destroySoon();
            finish({ code: "allowed", ...(status === undefined ? {} : { status }), sent: 0, received });
          });
        },
        onResponseError(_, error) {
          fail(...explain(error));
        },
      },
    );
  } catch (error) {
    fail("request-refused", 400, error instanceof Error ? error.message : "the request cannot be sent");
  }
  return promise;
}
