/** A refusal on a model route, in the shape that the protocol's clients read, with the house's own words inside. */
import type { ServerResponse } from "node:http";
import type { ModelProtocol } from "../domain/model.ts";
import type { ModelDenial } from "./model-reserve.ts";

/** The body of a refusal: what the provider's client shows is `message`; programs find code, rule, why and next. */
export function refusalBody(protocol: ModelProtocol, denial: ModelDenial): string {
  const { status, code, rule, why, next } = denial;
  const message = `${why}. ${next}`;
  const own = { code, rule, why, next };
  const error = { message, ...own };
  const bodies = {
    "anthropic-messages": { type: "error", error: { type: anthropicType(status), ...error } },
    "openai-chat": { error: { type: code, param: null, ...error } },
    "openai-responses": { error: { type: code, param: null, ...error } },
    gemini: { error: { ...own, message, reason: code, code: status, status: googleStatus(status) } },
  } as const;
  return `${JSON.stringify({ ...bodies[protocol], ...own })}\n`;
}

/** Answers with it. `close` ends the connection: what was not read of the request must not be read as another. */
export function answerRefusal(
  response: ServerResponse,
  protocol: ModelProtocol,
  denial: ModelDenial,
  close: boolean,
): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const body = refusalBody(protocol, denial);
  response.sendDate = false;
  response.writeHead(denial.status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...(denial.retryAfter === undefined ? {} : { "retry-after": String(denial.retryAfter) }),
    // A client that tries again what the host refused only spends its time.
    ...(denial.retryAfter === undefined ? { "x-should-retry": "false" } : {}),
    ...(close ? { connection: "close" } : {}),
  });
  response.end(body);
}

function anthropicType(status: number): string {
  const types: Record<number, string> = {
    400: "invalid_request_error",
    402: "billing_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
  };
  return types[status] ?? (status >= 500 ? "api_error" : "permission_error");
}

function googleStatus(status: number): string {
  const names: Record<number, string> = {
    400: "INVALID_ARGUMENT",
    402: "FAILED_PRECONDITION",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
  };
  return names[status] ?? "PERMISSION_DENIED";
}
