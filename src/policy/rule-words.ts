/** A network rule in words, as `GET, HEAD https://registry.npmjs.org/**`. */
import type { NetworkRule } from "../domain/policy.ts";

export function ruleWords(rule: NetworkRule): string {
  const { host, port, scheme, methods, paths, query, websocket, tls } = rule;
  if (tls === "passthrough") return `${host}:${port ?? 443}`;
  const standard = port === undefined || (scheme !== undefined && port === (scheme === "https" ? 443 : 80));
  const name = host.includes(":") ? `[${host}]` : host;
  const base = `${scheme ?? "http(s)"}://${name}${standard ? "" : `:${port}`}`;
  const where = (paths ?? ["/**"]).map((path) => `${base}${path}`).join(", ");
  const asked = query && Object.entries(query).map(([key, value]) => `${key}=${value}`);
  const withQuery = asked
    ? asked.length === 0
      ? " without a query"
      : ` with exactly the query ${asked.join(" & ")}`
    : "";
  return `${methods?.join(", ") ?? "any method"} ${where}${withQuery}${websocket ? ", also as a WebSocket" : ""}`;
}
