/**
 * Model routes: `/model/<name>/<rest>` goes to the route's base URL and below it, nowhere else. A path that could
 * climb out of the base by any reading of it is refused, not mended.
 */
import type { DenialCode } from "../domain/denial.ts";
import { shortName } from "../domain/identity.ts";
import type { ModelRoute } from "../domain/policy.ts";
import type { CanonicalRequest, Decisions } from "./decisions.ts";
import type { Denial } from "./denial.ts";
import { originOf } from "./upstream.ts";

export type Routed =
  | { ok: true; name: string; rule: string; request: CanonicalRequest; addresses: readonly string[] }
  | { ok: false; denial: Denial };

const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST"]);

function refused(status: number, code: DenialCode, rule: string, why: string, next: string): Routed {
  return { ok: false, denial: { status, code, rule, why, next } };
}

/** Whether a path is under `/model/`, and so a route's or nobody's. */
export function isModelPath(path: string): boolean {
  return path === "/model" || path.startsWith("/model/") || path.startsWith("/model?");
}

/** Finds the route for an own path, and the canonical request that goes upstream. */
export function routeModel(
  method: string,
  path: string,
  models: Readonly<Record<string, ModelRoute>>,
  canonicalRequest: Decisions["canonicalRequest"],
): Routed {
  const match = /^\/model\/([^/?]*)(?:\/([^?]*))?(\?.*)?$/.exec(path);
  const name = match?.[1] ?? "";
  const route = shortName.safeParse(name).success && Object.hasOwn(models, name) ? models[name] : undefined;
  if (!match || !route) {
    const known = Object.keys(models).join(", ") || "none";
    return refused(404, "model-unknown", "models", "no model route of that name", `This lane's routes: ${known}.`);
  }
  const rule = `models.${name}`;
  if (!methods.has(method)) {
    return refused(405, "method-refused", rule, `a model route takes no ${method}`, "Use POST, or GET.");
  }
  const rest = match[2] ?? "";
  if (!isPlainPath(rest)) {
    return refused(
      400,
      "path-refused",
      rule,
      "dot segments, empty segments, encoded separators or control characters in the path",
      "Ask for the path as the provider documents it.",
    );
  }
  const base = canonicalRequest({ method, url: route.base });
  if (!base.ok) return refused(502, base.code, rule, base.why, "Mend the route's base in the policy.");
  const prefix = base.request.path.replace(/\/+$/, "");
  const found = canonicalRequest({ method, url: `${originOf(base.request)}${prefix}/${rest}${match[3] ?? ""}` });
  if (!found.ok) return refused(400, found.code, rule, found.why, "Ask for the path as the provider documents it.");
  // Whatever the canonical form did to the path, it must not have left the base.
  if (!found.request.path.startsWith(`${prefix}/`)) {
    return refused(400, "path-refused", rule, "the path leaves the route's base", "Stay below the base.");
  }
  return { ok: true, name, rule, request: found.request, addresses: route.addresses ?? [] };
}

/** No reading of the path, decoded once or twice, has a dot segment, a separator or a control character more. */
function isPlainPath(rest: string): boolean {
  if (rest === "") return true;
  if (/%(?![0-9a-f]{2})/i.test(rest) || /%(25)*(2e|2f|5c|3b|3f|23|[01][0-9a-f]|7f)/i.test(rest)) return false;
  const segments = rest.split("/");
  return segments.every((segment, index) => {
    if (segment === "") return index === segments.length - 1;
    return (
      segment !== "." &&
      segment !== ".." &&
      !segment.includes("\\") &&
      !segment.startsWith(".;") &&
      !segment.startsWith("..;")
    );
  });
}

/** Why a route's base cannot be used, or undefined. Checked when a lane is opened. */
export function checkRoute(route: ModelRoute): string | undefined {
  const base = URL.parse(route.base);
  if (!base || !/^https?:$/.test(base.protocol)) return "the base is not an http or https URL";
  // Without one neither its endpoints nor what it costs are known: it would be open egress (ATTACKS N15).
  if (route.protocol === undefined) return "it has no protocol, so that nothing on it could be checked or counted";
  if (base.username || base.password) return "the base holds a user name or password";
  if (base.search || base.hash || route.base.includes("?") || route.base.includes("#"))
    return "the base has a query or a fragment";
  return undefined;
}
