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

function named(raw: readonly string[]): Set<string> {
  const names = new Set<string>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i]?.toLowerCase() !== "connection") continue;
    for (const token of (raw[i + 1] ?? "").split(",")) names.add(token.trim().toLowerCase());
  }
  return names;
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
  const dropped = named(raw);
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    const lower = name.toLowerCase();
    if (plain && coded.has(lower)) continue;
    if (
      lower === "content-length" ||
      lower === "host" ||
      lower === "expect" ||
      hop.has(lower) ||
      overrides.has(lower) ||
      dropped.has(lower)
    )
      continue;
    // Underscores: many upstreams fold `_` into `-`, which would bring a dropped field back.
    if (lower.startsWith("proxy-") || lower.startsWith("x-forwarded-") || lower.includes("_")) continue;
    kept.push(name, raw[i + 1] ?? "");
  }
  if (plain) kept.push("accept-encoding", "identity");
  return kept;
}

/** Response fields for the client, from upstream's. */
export function responseHeaders(upstream: Record<string, string | string[] | undefined>): string[] {
  const connection = upstream.connection;
  const dropped = named(connection === undefined ? [] : [connection].flat().flatMap((value) => ["connection", value]));
  const kept: string[] = [];
  for (const [name, value] of Object.entries(upstream)) {
    if (value === undefined || hop.has(name) || dropped.has(name) || name.startsWith("proxy-") || name === "alt-svc")
      continue;
    for (const one of [value].flat()) kept.push(name, one);
  }
  return kept;
}
