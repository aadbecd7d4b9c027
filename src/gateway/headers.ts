/** Which header fields cross the gateway. What belongs to one connection, or says something about the proxy, stays. */

const hop: ReadonlySet<string> = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

/**
 * Fields with which some upstreams replace method, path or host after the decision was made: what is forwarded is
 * what was decided.
 */
const overrides: ReadonlySet<string> = new Set([
  "x-http-method-override",
  "x-http-method",
  "x-method-override",
  "x-original-url",
  "x-original-uri",
  "x-rewrite-url",
  "x-host",
  "forwarded",
  "x-original-host",
  "x-real-ip",
]);

/** Request fields that are not copied: the connection's own, what overrides a decision, and what is made anew. */
const unsent: ReadonlySet<string> = new Set([...hop, ...overrides, "content-length", "host", "expect"]);

/** The fields that these values of Connection name: they belong to that connection alone (RFC 9110 7.6.1). */
function named(values: readonly string[]): ReadonlySet<string> | undefined {
  // What almost every client sends names nothing that is not dropped anyway.
  if (values.length === 0 || (values.length === 1 && values[0] === "keep-alive")) return undefined;
  return new Set(values.flatMap((value) => value.split(",").map((token) => token.trim().toLowerCase())));
}

function connectionOf(raw: readonly string[]): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    if (name.length === 10 && name.toLowerCase() === "connection") values.push(raw[i + 1] ?? "");
  }
  return values;
}

/**
 * Fields by which an answer would come in a form that cannot be scrubbed: coded, or in pieces that the client puts
 * together itself (a secret cut in two by ranges is found in neither).
 */
const coded: ReadonlySet<string> = new Set([
  "accept-encoding",
  "range",
  "if-range",
  "a-im",
  "want-content-digest",
  "want-repr-digest",
  "sec-websocket-extensions",
]);

/**
 * Request fields for upstream, as a flat list of names and values. Host comes from the decided authority and the
 * framing from the body, so neither is copied. `plain` asks for the answer whole and without codings.
 */
export function requestHeaders(raw: readonly string[], plain: boolean): string[] {
  const dropped = named(connectionOf(raw));
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    const lower = name.toLowerCase();
    if (plain && coded.has(lower)) continue;
    if (unsent.has(lower) || dropped?.has(lower)) continue;
    // Underscores: many upstreams fold `_` into `-`, which would bring a dropped field back.
    if (lower.startsWith("proxy-") || lower.startsWith("x-forwarded-") || lower.includes("_")) continue;
    kept.push(name, raw[i + 1] ?? "");
  }
  if (plain) kept.push("accept-encoding", "identity");
  return kept;
}

/** Response fields that stay here: another way to the same server would go around the gateway. */
const unreturned: ReadonlySet<string> = new Set([...hop, "alt-svc"]);

/** Response fields for the client, from upstream's. */
export function responseHeaders(upstream: Record<string, string | string[] | undefined>): string[] {
  const connection = upstream.connection;
  const dropped = connection === undefined ? undefined : named([connection].flat());
  const kept: string[] = [];
  for (const name of Object.keys(upstream)) {
    const value = upstream[name];
    if (value === undefined || unreturned.has(name) || dropped?.has(name) || name.startsWith("proxy-")) continue;
    if (typeof value === "string") kept.push(name, value);
    else for (const one of value) kept.push(name, one);
  }
  return kept;
}
