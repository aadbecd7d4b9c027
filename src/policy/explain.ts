/** Why a policy allows or denies one request, for people and programs. */
import type { Policy } from "../domain/policy.ts";
import { type CanonicalRequest, canonicalRequest, requestUrl } from "./canonical-request.ts";
import { type DenialCode, decideRequest, malformed } from "./decide.ts";

export interface Explanation {
  allow: boolean;
  /** `allowed`, or why not. */
  code: "allowed" | DenialCode;
  /** The deciding rule, such as `network[2] registry.npmjs.org`, or `none`. */
  rule: string;
  why: string;
  /** The smallest rule that would allow it, as a line of YAML; empty where it is allowed. */
  next: string;
  /** The request as it is decided and forwarded; undefined where it has no canonical form. */
  request: CanonicalRequest | undefined;
  /** The same for people, a line each. */
  text: string[];
}

/** Explains what the policy decides about a method and URL. The method may be in any case. Never throws. */
export function explain(policy: Policy, method: string, url: string): Explanation {
  const canonical = canonicalRequest({ method: method.toUpperCase(), url });
  const request = canonical.ok ? canonical.request : undefined;
  const decision = canonical.ok ? decideRequest(policy.network, canonical.request) : malformed(canonical.why);
  const shown = request ? `${request.method} ${requestUrl(request)}` : `${method} ${JSON.stringify(url)}`;
  const rewritten = request && `${method} ${url}` !== shown ? [`It is decided and forwarded as ${shown}.`] : [];
  if (decision.allow) {
    const addresses = decision.addresses.length > 0 ? `; the name may resolve to ${decision.addresses.join(", ")}` : "";
    const why = `${decision.rule} of the policy ${policy.name} allows it${addresses}`;
    return {
      allow: true,
      code: "allowed",
      rule: decision.rule,
      why,
      next: "",
      request,
      text: [`allowed: ${shown}`, why, ...rewritten],
    };
  }
  const { code, rule, why, next } = decision;
  const route = request && routeOf(policy, request);
  const hint = route
    ? [`The model route \`${route}\` reaches this URL: a harness uses it through /model/${route}/.`]
    : [];
  const change = next.startsWith("#")
    ? next.slice(2)
    : `The smallest change of the policy that would allow it, under \`network:\`: ${next}`;
  return {
    allow: false,
    code,
    rule,
    why,
    next,
    request,
    text: [`denied (${code}): ${shown}`, why, ...rewritten, ...hint, change],
  };
}

/** The model route whose base a request lies below, if any: it is reached through the route and never directly. */
function routeOf(policy: Policy, request: CanonicalRequest): string | undefined {
  const url = requestUrl({ ...request, query: "" });
  const below = (base: string) =>
    url === base.replace(/\/$/, "") || url.startsWith(base.endsWith("/") ? base : `${base}/`);
  return Object.entries(policy.models).find(([, route]) => below(route.base))?.[0];
}
