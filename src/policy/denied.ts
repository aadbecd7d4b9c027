/** What a denial says: the nearest rule, why it does not allow the request, and the smallest change that would. */
import { pathReadings } from "./canonical-path.ts";
import type { CanonicalRequest } from "./canonical-request.ts";
import type { Compiled, Denial, DenialCode } from "./decision.ts";
import { canWiden, suggestOpen, suggestRule, suggestWider } from "./suggest.ts";

/** The rule that a request came nearest to: the step that failed first, and all that is missing. */
export interface Nearest {
  compiled: Compiled;
  code: DenialCode;
  lacks: ReadonlySet<DenialCode>;
}

/** A denied request. */
export function deniedRequest(request: CanonicalRequest, literal: boolean, nearest: Nearest | undefined): Denial {
  if (nearest === undefined) {
    const why = `no rule names the ${literal ? "address" : "host"} ${request.host}`;
    return { allow: false, code: "no-rule", rule: "none", why, next: suggestRule(request, literal) };
  }
  const { compiled, code, lacks } = nearest;
  return { allow: false, code, rule: compiled.name, why: whyNot(compiled, code, request), next: change() };

  function change(): string {
    const { rule, index } = compiled;
    // Another port or scheme is another service: a rule of its own, instead of moving the one that works.
    if (code === "port" || code === "scheme") return suggestRule(request, literal);
    // Two things added to one rule would allow their combinations as well; what a rule with a secret lets through may
    // carry the secret: then too a rule of its own is the smaller change.
    const own = lacks.size > 1 || lacks.has("query") || rule.secret !== undefined || !canWiden(request, lacks);
    return own ? suggestRule(request, literal, rule) : suggestWider(request, rule, index, lacks);
  }
}

/** Denied TLS to a host and port. */
export function deniedTls(
  host: string,
  port: number,
  literal: boolean,
  nearest: { compiled: Compiled; code: DenialCode } | undefined,
): Denial {
  const next = suggestOpen(host, port, literal);
  if (!nearest)
    return {
      allow: false,
      code: "no-rule",
      rule: "none",
      why: `no rule names the ${literal ? "address" : "host"} ${host}`,
      next,
    };
  const { compiled, code } = nearest;
  const { rule, name } = compiled;
  const why =
    code === "port"
      ? `${name} allows TLS to port ${rule.scheme === "http" ? "none" : (rule.port ?? 443)}, not ${port}`
      : `${name} is for plain http, without TLS`;
  return { allow: false, code, rule: name, why, next };
}

function whyNot({ rule, name }: Compiled, code: DenialCode, request: CanonicalRequest): string {
  switch (code) {
    case "port":
      return `${name} allows port ${rule.port ?? (request.scheme === "https" ? 443 : 80)} for ${request.scheme}, not ${request.port}`;
    case "scheme":
      return `${name} allows ${rule.scheme ?? "https"} only, not ${request.scheme}`;
    case "websocket":
      return `${name} allows requests, and no WebSocket`;
    case "method":
      return `${name} allows ${rule.methods?.join(", ")}, not ${request.method}`;
    case "query":
      return `${name} allows ${showQuery(rule.query ?? {})}, not ${request.query === "" ? "none" : `?${request.query}`}`;
    default:
      return pathWhy(name, rule.paths ?? [], request.path);
  }
}

function showQuery(query: Readonly<Record<string, string>>): string {
  const wanted = Object.entries(query).map(([name, pattern]) => `${name}=${pattern}`);
  return wanted.length === 0 ? "no query" : `exactly the query ${wanted.join(" & ")}`;
}

function pathWhy(name: string, paths: readonly string[], path: string): string {
  const readings = pathReadings(path);
  const other =
    readings.length > 1 ? ` (some servers read it as ${readings.slice(1).join(" or ") || "something else"})` : "";
  return `${name} allows the paths ${paths.join(", ")}, not ${path}${other}`;
}
