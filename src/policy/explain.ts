/** Why a policy allows or denies one request, for people and programs. */
import type { NetworkRule, Policy } from "../domain/policy.ts";
import { decideAsked, readAsked, showAsked } from "./asked.ts";
import { type CanonicalRequest, requestUrl } from "./canonical-request.ts";
import { type Allowance, compileRules, type DenialCode } from "./decide.ts";
import { nearest } from "./issues.ts";

export interface Explanation {
  allow: boolean;
  /** `allowed`, or why not. */
  code: "allowed" | DenialCode;
  /** The deciding or nearest rule, such as `network[2] registry.npmjs.org`, or `none`. */
  rule: string;
  /** Its place in `network`; undefined where there is none. */
  index: number | undefined;
  why: string;
  /** The smallest rule that would allow it, as a line of YAML; empty where it is allowed. */
  next: string;
  /** The request as it is decided and forwarded; undefined for TLS, and where it has no canonical form. */
  request: CanonicalRequest | undefined;
  /** The same for people, a line each. */
  text: string[];
}

/** Explains what the policy decides about `METHOD URL`, `GET wss://…` or `CONNECT host:port`. Never throws. */
export function explain(policy: Policy, method: string, url: string): Explanation {
  const asked = readAsked(method, url);
  const decision = decideAsked(compileRules(policy.network), asked);
  const request = typeof asked === "object" && "request" in asked ? asked.request : undefined;
  const shown = typeof asked === "string" ? `${method} ${JSON.stringify(url)}` : showAsked(asked);
  const rewritten =
    typeof asked === "object" && `${method} ${url}` !== shown ? [`It is decided and forwarded as ${shown}.`] : [];
  if (decision.allow) {
    const why = `${decision.rule} of the policy ${policy.name} allows it${whatElse(decision)}`;
    const text = [`allowed: ${shown}`, why, ...rewritten, ...tlsText(decision.mode)];
    return { allow: true, code: "allowed", rule: decision.rule, index: decision.index, why, next: "", request, text };
  }
  const { code, why, next } = decision;
  const near =
    code === "no-rule" && typeof asked === "object"
      ? nearestHost(policy.network, "tls" in asked ? asked.tls.host : asked.request.host)
      : undefined;
  const route = request && routeOf(policy, request);
  const hints = [
    ...(near === undefined
      ? []
      : [`The nearest rule names another host: network[${near}] ${policy.network[near]?.host}.`]),
    ...(route ? [`The model route \`${route}\` reaches this URL: a harness uses it through /model/${route}/.`] : []),
  ];
  const change = next.startsWith("#")
    ? next.slice(2)
    : `The smallest change of the policy that would allow it, under \`network:\`: ${next}`;
  const index = near ?? Number(/^network\[(\d+)\]/.exec(decision.rule)?.[1] ?? Number.NaN);
  return {
    allow: false,
    code,
    rule: decision.rule,
    index: Number.isNaN(index) ? undefined : index,
    why,
    next,
    request,
    text: [`denied (${code}): ${shown}`, why, ...rewritten, ...hints, change],
  };
}

function whatElse({ addresses, secret }: Allowance): string {
  const where = addresses.length > 0 ? `; the name may resolve to ${addresses.join(", ")}` : "";
  return `${where}${secret === undefined ? "" : `; it may carry the secret ${secret}`}`;
}

function tlsText(mode: "open" | "passthrough" | undefined): string[] {
  if (mode === "passthrough") return ["The tunnel is not read: whatever the client sends in it arrives."];
  return mode === "open" ? ["TLS is opened at the gateway, and each request inside is decided by its own rule."] : [];
}

/** The rule whose host was probably meant: a slip of a few letters, or a name right above, below or beside. */
function nearestHost(rules: readonly NetworkRule[], host: string): number | undefined {
  const hosts = rules.map((rule) => rule.host.replace(/^\*\./, ""));
  const slip = nearest(host, hosts);
  const related = (other: string) =>
    other.endsWith(`.${host}`) ||
    host.endsWith(`.${other}`) ||
    (host.includes(".") && withoutTop(host) === withoutTop(other)) ||
    (parent(host) !== undefined && parent(host) === parent(other));
  const index = slip === undefined ? hosts.findIndex(related) : hosts.indexOf(slip);
  return index < 0 ? undefined : index;
}

const withoutTop = (host: string) => host.slice(0, host.lastIndexOf("."));

/** The name above, where that is more than a top-level domain. */
function parent(host: string): string | undefined {
  const above = host.slice(host.indexOf(".") + 1);
  return host.includes(".") && above.includes(".") ? above : undefined;
}

/** The model route whose base a request lies below, if any: it is reached through the route and never directly. */
function routeOf(policy: Policy, request: CanonicalRequest): string | undefined {
  const url = requestUrl({ ...request, query: "" });
  const below = (base: string) =>
    url === base.replace(/\/$/, "") || url.startsWith(base.endsWith("/") ? base : `${base}/`);
  return Object.entries(policy.models).find(([, route]) => below(route.base))?.[0];
}
