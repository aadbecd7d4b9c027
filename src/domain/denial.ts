/**
 * Every code that an answer of the gateway in a sandbox, or the record of a request, can carry. docs/denials.md says of each
 * what it means and what to do; a test compares, and the types keep any other code out.
 */

/** What the rules of a policy say no with, and what has no canonical form to be asked about. */
export const ruleDenials = ["no-rule", "port", "scheme", "websocket", "method", "path", "query", "malformed"] as const;

/** Not one unambiguous HTTP request: refused before any rule is asked. */
export const framingDenials = [
  "version",
  "method",
  "target",
  "scheme",
  "userinfo",
  "host-missing",
  "host-duplicate",
  "host-invalid",
  "host-mismatch",
  "header-fields",
  "header-too-large",
  "framing",
  "body-refused",
  "upgrade",
  "trailer",
  "expectation",
  "pipelined",
  "request-late",
] as const;

/** A tunnel, or TLS in one, that does not say what it was opened for. */
export const tunnelDenials = [
  "tunnel-nested",
  "tunnel-protocol",
  "sni-missing",
  "sni-mismatch",
  "tls-handshake",
] as const;

/** Allowed by a rule, and refused for where it leads or what it carries. */
export const carriageDenials = [
  "requests-used-up",
  "address-refused",
  "resolve-failed",
  "secret-unbound",
  "secret-unavailable",
  "websocket-secret",
  "request-refused",
  "request-too-large",
  "response-too-large",
  "encoding-refused",
  "encoding-broken",
  "upstream-certificate",
  "upstream-failed",
  "upstream-timeout",
] as const;

/** The gateway's own paths: model routes and verbs. */
export const ownDenials = [
  "path-unknown",
  "model-unknown",
  "method-refused",
  "path-refused",
  "verb-unknown",
  "verbs-used-up",
  "verb-late",
  "content-type",
  "content-encoding",
  "body-late",
  "body-too-large",
  "body-invalid",
] as const;

/** A model route: what a protocol's endpoints and bodies may not hold, and what a budget says no with. */
export const modelDenials = [
  "model-endpoint",
  "model-body",
  "model-refused",
  "model-server-tools",
  "model-remote-mcp",
  "model-url-sources",
  "model-files",
  "model-batch",
  "model-background",
  "model-stored",
  "model-priority",
  "model-busy",
  "model-unpriced",
  "sandbox-ending",
  "tokens-used-up",
  "money-used-up",
  "quota-used-up",
  "budget-busy",
  "budget-unavailable",
] as const;

/** What the host answers to a verb that reached it. */
export const verbDenials = [
  "no-such-verb",
  "report-malformed",
  "already-reported",
  "verdict-malformed",
  "verdict-refused",
  "verdict-given",
  "already-answered",
  "refused-too-often",
  "internal",
] as const;

/** How a record can end without a denial: these stand in the ledger and in no answer. */
export const recordedEnds = [
  "allowed",
  "client-gone",
  "lane-closed",
  "tunnel-unused",
  "tunnel-silent",
  "tunnel-too-large",
] as const;

export type RuleDenial = (typeof ruleDenials)[number];
/** A code of the gateway's denials. */
export type DenialCode =
  | RuleDenial
  | (typeof framingDenials | typeof tunnelDenials | typeof carriageDenials)[number]
  | (typeof ownDenials | typeof modelDenials)[number];
const gatewayCodes: ReadonlySet<string> = new Set([
  ...ruleDenials,
  ...framingDenials,
  ...tunnelDenials,
  ...carriageDenials,
  ...ownDenials,
  ...modelDenials,
]);
/** Whether a text is a code of the gateway's denials. */
export const isDenialCode = (text: unknown): text is DenialCode => typeof text === "string" && gatewayCodes.has(text);
/** A code of the host's answer to a verb. */
export type VerbDenial = (typeof verbDenials)[number];
/** A code with which a record can end. */
export type RecordCode = DenialCode | (typeof recordedEnds)[number];
