/** One spelling for a request. Rules are matched on it, and it is what is forwarded: decided and done are the same. */
import { canonicalHost } from "./canonical-host.ts";
import { canonicalTarget } from "./canonical-path.ts";

/** A request in its one spelling. */
export interface CanonicalRequest {
  scheme: "http" | "https";
  /** Lower-case ASCII name, or an IP address; IPv6 without brackets. */
  host: string;
  /** Always given: 80 for http and 443 for https where the request names none. */
  port: number;
  /** Upper case. */
  method: string;
  /** Begins with `/`; never holds a dot segment or an empty segment. */
  path: string;
  /** Without its `?`; empty where there is none. Forwarded as it came, which is what rules with `query` judge. */
  query: string;
  /** The request asks to become a WebSocket (RFC 6455): after it, nothing more is decided. */
  upgrade?: "websocket";
}

/** A request as it came: a URL, or its parts with `path` in origin form (with the query). */
export type RawRequest =
  | { method: string; url: string; upgrade?: "websocket" }
  | { method: string; scheme: string; host: string; port?: number; path: string; upgrade?: "websocket" };

export type CanonicalResult = { ok: true; request: CanonicalRequest } | { ok: false; code: "malformed"; why: string };

const refused = (why: string): CanonicalResult => ({ ok: false, code: "malformed", why });

/** The canonical form of a request, or why it has none and is therefore denied. Never throws. */
export function canonicalRequest(raw: RawRequest): CanonicalResult {
  if (!/^[A-Z]{1,20}$/.test(raw.method)) return refused("the method is not a word of capital letters");
  // TRACE gives a request's headers back to the sender; CONNECT is not a request but a tunnel.
  if (raw.method === "TRACE" || raw.method === "CONNECT")
    return refused(`${raw.method} is not a request that can be forwarded`);
  if (raw.upgrade && raw.method !== "GET") return refused("a WebSocket is opened with GET");
  const parts = "url" in raw ? splitUrl(raw.url) : raw;
  if (typeof parts === "string") return refused(parts);
  const scheme = parts.scheme.toLowerCase();
  if (scheme !== "http" && scheme !== "https") return refused("the scheme is neither http nor https");
  const host = canonicalHost(parts.host);
  if (!host.ok) return refused(host.why);
  const port = parts.port ?? (scheme === "https" ? 443 : 80);
  if (!Number.isInteger(port) || port < 1 || port > 65535) return refused("the port is not between 1 and 65535");
  const target = canonicalTarget(parts.path);
  if (!target.ok) return refused(target.why);
  return {
    ok: true,
    request: {
      scheme,
      host: host.host,
      port,
      method: raw.method,
      path: target.path,
      query: target.query,
      ...(raw.upgrade ? { upgrade: raw.upgrade } : {}),
    },
  };
}

/** A canonical request's URL, as it is forwarded and shown. */
export function requestUrl(request: CanonicalRequest): string {
  const host = request.host.includes(":") ? `[${request.host}]` : request.host;
  const standard = request.port === (request.scheme === "https" ? 443 : 80);
  const query = request.query === "" ? "" : `?${request.query}`;
  return `${request.scheme}://${host}${standard ? "" : `:${request.port}`}${request.path}${query}`;
}

/**
 * The parts of an absolute URL, taken as written: the platform's URL parser would repair tabs, backslashes and
 * missing slashes silently, and what it repairs another parser reads otherwise.
 */
function splitUrl(url: string): { scheme: string; host: string; port?: number; path: string } | string {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#\\]*)([\s\S]*)$/.exec(url);
  if (!match) return "the URL is not absolute";
  const [, scheme = "", authority = "", rest = ""] = match;
  if (authority.includes("@")) return "the URL carries user information";
  const target = rest === "" ? "/" : rest.startsWith("?") ? `/${rest}` : rest;
  const split = splitAuthority(authority);
  return typeof split === "string" ? split : { scheme, ...split, path: target };
}

/** A host and port as `host`, `host:port`, `[v6]` or `[v6]:port`; a text says what is wrong. */
export function splitAuthority(authority: string): { host: string; port?: number } | string {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(authority);
  if (!match) return "the authority is neither a host nor host:port";
  const [, host = "", port] = match;
  if (port === undefined) return { host };
  if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65535) return "the port is not between 1 and 65535";
  return { host, port: Number(port) };
}
