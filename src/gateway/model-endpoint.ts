/** The endpoints of each protocol that a model route carries: exactly these, since a provider's API has many others. */
import type { ModelProtocol } from "../domain/model.ts";

/** What an endpoint does: an answer that is paid for, a count of tokens, or a look at the models there are. */
export type Endpoint =
  | { ok: true; kind: "answer" | "count"; model?: string }
  | { ok: true; kind: "look" }
  | { ok: false; why: string };

interface Shape {
  method: "GET" | "POST";
  /** Below the base, with or without the version that a base may end with. */
  path: RegExp;
  kind: "answer" | "count" | "look";
  /** Parameters that may be in the query, each at most once. */
  query: Record<string, RegExp>;
}

const page = { limit: /^\d{1,4}$/, after_id: /^[\w.-]{1,128}$/, before_id: /^[\w.-]{1,128}$/ };
const modelPath = "[A-Za-z0-9][A-Za-z0-9._-]{0,127}";

const shapes: Record<ModelProtocol, readonly Shape[]> = {
  "anthropic-messages": [
    { method: "POST", path: /^(?:v1\/)?messages$/, kind: "answer", query: { beta: /^true$/ } },
    { method: "POST", path: /^(?:v1\/)?messages\/count_tokens$/, kind: "count", query: { beta: /^true$/ } },
    { method: "GET", path: /^(?:v1\/)?models$/, kind: "look", query: page },
    { method: "GET", path: new RegExp(`^(?:v1/)?models/${modelPath}$`), kind: "look", query: {} },
  ],
  "openai-chat": [
    { method: "POST", path: /^(?:v1\/)?chat\/completions$/, kind: "answer", query: {} },
    { method: "GET", path: /^(?:v1\/)?models$/, kind: "look", query: {} },
  ],
  "openai-responses": [
    { method: "POST", path: /^(?:v1\/)?responses$/, kind: "answer", query: {} },
    // codex says its own version when it asks which models there are.
    { method: "GET", path: /^(?:v1\/)?models$/, kind: "look", query: { client_version: /^[\w.-]{1,64}$/ } },
  ],
  gemini: [
    {
      method: "POST",
      path: new RegExp(`^(?:v1(?:beta|alpha)?/)?models/(${modelPath}):(?:generateContent|streamGenerateContent)$`),
      kind: "answer",
      query: { alt: /^(?:sse|json)$/ },
    },
    {
      method: "POST",
      path: new RegExp(`^(?:v1(?:beta|alpha)?/)?models/(${modelPath}):countTokens$`),
      kind: "count",
      query: {},
    },
    {
      method: "GET",
      path: /^(?:v1(?:beta|alpha)?\/)?models$/,
      kind: "look",
      query: { pageSize: /^\d{1,4}$/, pageToken: /^[\w=-]{1,512}$/ },
    },
    { method: "GET", path: new RegExp(`^(?:v1(?:beta|alpha)?/)?models/${modelPath}$`), kind: "look", query: {} },
  ],
};

/** The endpoint that a request asks for. `rest` is the path below the route, `query` without its question mark. */
export function endpointOf(protocol: ModelProtocol, method: string, rest: string, query: string): Endpoint {
  const asked = method === "HEAD" ? "GET" : method;
  for (const shape of shapes[protocol]) {
    const match = shape.path.exec(rest);
    if (!match || shape.method !== asked) continue;
    const fault = queryFault(query, shape.query);
    if (fault !== undefined) return { ok: false, why: fault };
    if (shape.kind === "look") return { ok: true, kind: "look" };
    return { ok: true, kind: shape.kind, ...(match[1] === undefined ? {} : { model: match[1] }) };
  }
  return { ok: false, why: `${method} ${rest.slice(0, 100)} is no endpoint that a route of ${protocol} carries` };
}

/** The endpoints of a protocol, for a person. */
export function endpointsOf(protocol: ModelProtocol): string {
  return {
    "anthropic-messages": "POST v1/messages, POST v1/messages/count_tokens, GET v1/models",
    "openai-chat": "POST v1/chat/completions, GET v1/models",
    "openai-responses": "POST v1/responses, GET v1/models",
    gemini: "POST v1beta/models/<model>:generateContent, :streamGenerateContent and :countTokens, GET v1beta/models",
  }[protocol];
}

function queryFault(query: string, known: Shape["query"]): string | undefined {
  if (query === "") return undefined;
  const seen = new Set<string>();
  for (const pair of query.split("&")) {
    const equals = pair.indexOf("=");
    const name = equals < 0 ? pair : pair.slice(0, equals);
    const value = equals < 0 ? "" : pair.slice(equals + 1);
    const shape = Object.hasOwn(known, name) ? known[name] : undefined;
    if (!shape?.test(value) || seen.has(name)) {
      return `the query parameter ${JSON.stringify(name.slice(0, 60))} is not one of this endpoint, or there twice`;
    }
    seen.add(name);
  }
  return undefined;
}
