/**
 * The refusals that need no policy: a request is one unambiguous HTTP/1.1 request, or it is nothing. Node's parser
 * already refuses most smuggling (bare LF, obs-fold, CL with TE, doubled lengths); these are the ones it lets through.
 */
import { httpMethod } from "../domain/policy.ts";
import { type Denial, malformed } from "./denial.ts";
import { headerFields } from "./limits.ts";

/** A request head as the parser gave it. */
export interface Head {
  method: string;
  target: string;
  version: string;
  rawHeaders: readonly string[];
}

/** What the request line asks for: a path of ours, a URL elsewhere, or a tunnel. */
export type Target =
  | { form: "own"; path: string }
  | { form: "elsewhere"; url: string }
  | { form: "tunnel"; authority: string };

/** How a connection came to be spoken on, where that is not the proxy's own port. */
export type Way =
  /** Inside a tunnel that was opened for `authority`. */
  | { kind: "tunnel"; authority: string; scheme: "http" | "https" }
  /** From a client that takes the gateway for the server itself: its Host is the destination. */
  | { kind: "transparent" };

export type Checked = { ok: true; target: Target; body: boolean; websocket: boolean } | { ok: false; denial: Denial };

const methods: ReadonlySet<string> = new Set(httpMethod.options);
const bodiless: ReadonlySet<string> = new Set(["GET", "HEAD", "CONNECT"]);
/** The gateway's own authority, spelled exactly so: everything else on loopback is a destination like any other. */
const ownAuthorities: ReadonlySet<string> = new Set(["127.0.0.1:3128", "localhost:3128", "[::1]:3128", "sallyport"]);

/** Whether an authority is the gateway itself (in any case of the letters). */
export function isOwn(authority: string): boolean {
  return ownAuthorities.has(authority.toLowerCase());
}

/** Every value of a header field. */
export function headerValues(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === name) values.push(rawHeaders[i + 1] ?? "");
  }
  return values;
}

/** The fields that say where a message goes, where it ends, and what is spoken after it. */
const framing = [
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "upgrade",
  "http2-settings",
  "trailer",
  "expect",
] as const;
type Framing = { [Name in (typeof framing)[number]]: readonly string[] };
const framingNames: ReadonlyMap<string, keyof Framing> = new Map(framing.map((name) => [name, name]));
const none: readonly string[] = [];
const noFraming = Object.fromEntries(framing.map((name) => [name, none])) as Framing;

/** Every value of each of these, in one pass: each request pays for it. */
function framingOf(rawHeaders: readonly string[]): Framing {
  const found = { ...noFraming };
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = framingNames.get((rawHeaders[i] ?? "").toLowerCase());
    if (name === undefined) continue;
    const value = rawHeaders[i + 1] ?? "";
    found[name] = found[name] === none ? [value] : [...found[name], value];
  }
  return found;
}

const refuse = (...denial: Parameters<typeof malformed>): Checked => ({ ok: false, denial: malformed(...denial) });

/**
 * Whether a head is a WebSocket's handshake (RFC 6455 4.2.1) and no other change of protocol. Only then may the
 * connection leave HTTP, and only if a rule says so.
 */
export function isWebSocket({ method, version, rawHeaders }: Head): boolean {
  const only = (name: string) => {
    const values = headerValues(rawHeaders, name);
    return values.length === 1 ? (values[0] ?? "") : "";
  };
  return (
    method === "GET" &&
    version === "1.1" &&
    only("upgrade").toLowerCase() === "websocket" &&
    /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(only("connection")) &&
    only("sec-websocket-version") === "13" &&
    /^[A-Za-z0-9+/]{22}==$/.test(only("sec-websocket-key")) &&
    headerValues(rawHeaders, "http2-settings").length === 0
  );
}

/**
 * Checks one head. Inside a tunnel request line and Host must name the tunnel's authority and nothing else.
 * `websocket` says that the connection was taken out of HTTP for a handshake that `isWebSocket` found.
 */
export function checkRequest(head: Head, way?: Way, websocket = false): Checked {
  const { method, target, rawHeaders } = head;
  const connect = method === "CONNECT";
  // Python's http.client still opens tunnels with HTTP/1.0 and no Host; nothing else may be older than 1.1.
  if (head.version !== "1.1" && !(connect && head.version === "1.0")) {
    return refuse("version", `HTTP/${head.version} is not spoken here`, "Use HTTP/1.1.");
  }
  if (rawHeaders.length / 2 > headerFields) {
    return refuse("header-fields", `more than ${headerFields} header fields`, "Send fewer header fields.", 431);
  }
  if (!connect && !methods.has(method)) {
    return refuse("method", `the method ${method} is not carried`, `Use one of ${[...methods].join(", ")}.`, 405);
  }
  // Neither `#` nor a backslash is among these.
  if (!/^[\x21\x22\x24-\x5b\x5d-\x7e]+$/.test(target)) {
    return refuse("target", "the request target holds a character that a URL has not", "Percent-encode it.");
  }

  const fields = framingOf(rawHeaders);
  const unframed = checkFraming(method, fields, websocket);
  if (unframed) return { ok: false, denial: unframed };

  const hosts = fields.host;
  if (hosts.length > 1) return refuse("host-duplicate", "more than one Host header", "Send exactly one.");
  const host = hosts[0];
  if (host === undefined && !connect) return refuse("host-missing", "no Host header", "Send exactly one.");
  if (host !== undefined && !/^[A-Za-z0-9._:[\]-]+$/.test(host)) {
    return refuse(
      "host-invalid",
      "the Host header is not a host with an optional port",
      "Send the authority of the URL.",
    );
  }

  const found = readTarget(head, host, way);
  if (!found.ok) return found;
  const lengths = fields["content-length"];
  const body = fields["transfer-encoding"].length > 0 || (lengths.length > 0 && !/^0+$/.test(lengths[0] ?? ""));
  return { ok: true, target: found.target, body, websocket };
}

/** Header fields that say where the message ends, or what is spoken after it. */
function checkFraming(method: string, fields: Framing, websocket: boolean): Denial | undefined {
  const lengths = fields["content-length"];
  const codings = fields["transfer-encoding"];
  if (lengths.length > 1 || (lengths.length > 0 && codings.length > 0)) {
    return malformed(
      "framing",
      "the length of the body is said twice",
      "Send Content-Length or Transfer-Encoding, once.",
    );
  }
  if (lengths.some((value) => !/^\d{1,15}$/.test(value))) {
    return malformed("framing", "Content-Length is not a plain number", "Send it as decimal digits.");
  }
  if (codings.length > 1 || codings.some((value) => value.toLowerCase() !== "chunked")) {
    return malformed(
      "framing",
      "a transfer coding other than chunked",
      "Send Transfer-Encoding: chunked, or a Content-Length.",
    );
  }
  // RFC 9110 9.3.1: no meaning, and a next hop that does not read it takes the body for a request.
  if (bodiless.has(method) && (codings.length > 0 || lengths.some((value) => !/^0+$/.test(value)))) {
    return malformed("body-refused", `a ${method} request with a body`, "Send it without, or use POST.");
  }
  // h2c and others leave HTTP/1.1 inside a connection that was decided for one request.
  const upgrading = () =>
    fields.connection.some((value) => value.split(",").some((token) => token.trim().toLowerCase() === "upgrade"));
  if (!websocket && (fields.upgrade.length > 0 || fields["http2-settings"].length > 0 || upgrading())) {
    return malformed(
      "upgrade",
      "a change of protocol was asked for",
      "Speak plain HTTP/1.1; of upgrades only a well-formed WebSocket handshake is carried.",
    );
  }
  if (fields.trailer.length > 0) {
    return malformed("trailer", "trailer fields were announced", "Send the fields in the header.");
  }
  const { expect } = fields;
  if (expect.length > 1 || expect.some((value) => value.toLowerCase() !== "100-continue")) {
    return malformed("expectation", "an expectation other than 100-continue", "Leave the Expect header out.", 417);
  }
  return undefined;
}

function readTarget(head: Head, host: string | undefined, way: Way | undefined): Checked {
  const { method, target } = head;
  const found = (value: Target): Checked => ({ ok: true, target: value, body: false, websocket: false });
  const mismatch = (why: string) => refuse("host-mismatch", why, "Name the same authority in both.");
  if (method === "CONNECT") {
    if (way !== undefined) {
      return refuse("tunnel-nested", "a CONNECT inside a tunnel", "Open each tunnel on a connection of its own.");
    }
    const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(target);
    if (!match)
      return refuse("target", "the target of CONNECT is not host:port", "Send CONNECT host:port, without userinfo.");
    // Some clients leave the port out of the Host of a CONNECT; another host or another port is a disagreement.
    if (host !== undefined && !agree(host, target) && !agree(host, match[1] ?? "")) {
      return mismatch("the CONNECT target and the Host header disagree");
    }
    return found({ form: "tunnel", authority: target });
  }
  const inside = way?.kind === "tunnel" ? way : undefined;
  const scheme = inside?.scheme ?? "http";
  if (target.startsWith("/")) {
    if (inside) {
      if (!agreeOn(scheme, host ?? "", inside.authority)) {
        return mismatch("the tunnel's target and the Host header disagree");
      }
      // The gateway's own paths are spoken to without TLS.
      return found(
        isOwn(inside.authority) && scheme === "http"
          ? { form: "own", path: target }
          : { form: "elsewhere", url: `${scheme}://${inside.authority}${target}` },
      );
    }
    if (way) return found({ form: "elsewhere", url: `http://${host ?? ""}${target}` });
    if (!isOwn(host ?? "")) {
      return refuse(
        "host-mismatch",
        "an origin-form request whose Host is not the gateway",
        "Send the whole URL in the request line, as to a proxy.",
      );
    }
    return found({ form: "own", path: target });
  }
  const absolute = /^(https?):\/\/([^/?]*)(.*)$/i.exec(target);
  if (!absolute) return refuse("target", "the request target is neither a path nor an http URL", "Send the whole URL.");
  const [, said = "", authority = "", rest = ""] = absolute;
  if (authority.includes("@"))
    return refuse("userinfo", "the URL holds a user name or password", "Leave it out of the URL.");
  if (said.toLowerCase() !== scheme) {
    return scheme === "http"
      ? refuse("scheme", "an https URL in a plain request", "Open a tunnel with CONNECT for https.")
      : refuse("scheme", "an http URL inside TLS", "Ask for it with https, or outside of the tunnel.");
  }
  if (!agreeOn(scheme, host ?? "", authority)) return mismatch("the request line and the Host header disagree");
  if (inside && !agreeOn(scheme, authority, inside.authority)) {
    return mismatch("the request line and the tunnel's target disagree");
  }
  const path = rest.startsWith("/") ? rest : `/${rest}`;
  if (way?.kind !== "transparent" && scheme === "http" && isOwn(authority)) return found({ form: "own", path });
  return found({ form: "elsewhere", url: `${scheme}://${authority}${path}` });
}

const agree = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
/** Two authorities of one scheme: the same letters, with the scheme's own port said or left out. */
function agreeOn(scheme: "http" | "https", a: string, b: string): boolean {
  if (a === b) return true;
  const port = scheme === "http" ? /:80$/ : /:443$/;
  return agree(a.replace(port, ""), b.replace(port, ""));
}
