/** A refusal as the client in the sandbox reads it: what rule, why, and what to do next. */

import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { DenialCode } from "../domain/denial.ts";

export interface Denial {
  status: number;
  /** Stable, for programs. */
  code: DenialCode;
  /** The rule that refused, or the control's name. */
  rule: string;
  why: string;
  next: string;
}

/** A request that is not one unambiguous HTTP request: 400 unless said otherwise. */
export function malformed(code: DenialCode, why: string, next: string, status = 400): Denial {
  return { status, code, rule: "http", why, next };
}

export const usedUp: Denial = {
  status: 429,
  code: "requests-used-up",
  rule: "budget.requests",
  why: "this lane has used up its requests",
  next: "Report what you have with POST /report/propose or POST /report/stuck; the policy's budget.requests sets the number.",
};

/** The JSON body of a denial. */
export function denialBody(denial: Denial): string {
  const { code, rule, why, next } = denial;
  return `${JSON.stringify({ code, rule, why, next })}\n`;
}

/**
 * Answers with a denial. `close` ends the connection after it: where the client's framing was refused, whatever
 * follows on the same connection must not be read as a request.
 */
export function answerDenial(response: ServerResponse, denial: Denial, close: boolean): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const body = denialBody(denial);
  response.sendDate = false;
  response.writeHead(denial.status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...(close ? { connection: "close" } : {}),
  });
  response.end(body);
}

const reasons: Record<number, string> = {
  400: "Bad Request",
  403: "Forbidden",
  408: "Request Timeout",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  502: "Bad Gateway",
};

/** Answers on a bare connection (CONNECT, or one whose head could not be parsed), and ends it. */
export function answerBare(socket: Duplex, denial: Denial): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = denialBody(denial);
  socket.end(
    `HTTP/1.1 ${denial.status} ${reasons[denial.status] ?? "Refused"}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
  // A peer that reads nothing must not keep a refused connection.
  setTimeout(() => socket.destroy(), 2000).unref();
}
