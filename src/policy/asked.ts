/** What someone asks a policy about, as people write it: `METHOD URL`, a WebSocket's URL, or `CONNECT host:port`. */
import { type CanonicalRequest, canonicalRequest, requestUrl, splitAuthority } from "./canonical-request.ts";
import { type Allowance, type CompiledRules, type Denial, malformed } from "./decide.ts";

/** TLS to a host, or one request; a text says why it is neither. */
export type Asked = { tls: { host: string; port: number } } | { request: CanonicalRequest } | string;

/** Reads what is asked. The method may be in any case; `ws://` and `wss://` open a WebSocket. Never throws. */
export function readAsked(method: string, url: string): Asked {
  const verb = method.toUpperCase();
  if (verb === "CONNECT") {
    const split = splitAuthority(url);
    if (typeof split === "string") return split;
    return { tls: { host: split.host, port: split.port ?? 443 } };
  }
  const socket = /^ws(s?):(.*)$/is.exec(url);
  const canonical = canonicalRequest(
    socket ? { method: verb, url: `http${socket[1]}:${socket[2]}`, upgrade: "websocket" } : { method: verb, url },
  );
  return canonical.ok ? { request: canonical.request } : canonical.why;
}

/** What rules decide about it; `mode` says what becomes of TLS. */
export function decideAsked(
  rules: CompiledRules,
  asked: Asked,
): (Allowance & { mode?: "open" | "passthrough" }) | Denial {
  if (typeof asked === "string") return malformed(asked);
  return "tls" in asked ? rules.intercept(asked.tls.host, asked.tls.port) : rules.decide(asked.request);
}

/** It in one line, as it is decided: a WebSocket by its own scheme. */
export function showAsked(asked: Exclude<Asked, string>): string {
  if ("tls" in asked) return `CONNECT ${asked.tls.host}:${asked.tls.port}`;
  const { request } = asked;
  const url = requestUrl(request);
  return `${request.method} ${request.upgrade === "websocket" ? url.replace(/^http/, "ws") : url}`;
}
