/**
 * The narrowest rules that let recorded requests pass: exact hosts, methods and paths, and never more. What a rule must not
 * be made of by itself is left to a person and said: private addresses, secrets, methods that no rule can name.
 */
import type { NetworkRule } from "../domain/policy.ts";
import { canonicalAddress, classifyAddress } from "./address.ts";
import { decideAsked, showAsked } from "./asked.ts";
import { canonicalHost } from "./canonical-host.ts";
import type { CanonicalRequest } from "./canonical-request.ts";
import { compileRules } from "./decide.ts";
import { type Recorded, type RecordedRequest, replayOf } from "./recorded.ts";
import { exactPaths, nameable } from "./suggest.ts";

export interface Learned {
  /** Each rule, with how often what it lets through was seen: for each of its paths, in order; once for a tunnel. */
  rules: { rule: NetworkRule; seen: Seen[] }[];
  /** What was asked for and is not proposed, and why. */
  left: { request: string; times: number; why: string }[];
  /** How many requests the policy to start from allows already. */
  allowed: number;
}

export interface Seen {
  path: string;
  times: number;
  denied: number;
}

interface Path {
  patterns: string[];
  methods: Map<string, { times: number; denied: number }>;
  query: boolean;
  websocket: boolean;
}

interface Service {
  host: string;
  port: number;
  scheme: "http" | "https";
  literal: boolean;
  paths: Map<string, Path>;
}

/** Learns from what was recorded. With `from`, only what those rules do not allow already. */
export function learn(recorded: Recorded, from: readonly NetworkRule[] = []): Learned {
  const known = compileRules(from);
  const before = compileRules(recorded.policy.network);
  const services = new Map<string, Service>();
  const tunnels = new Map<string, { host: string; port: number; pinned: boolean; times: number; denied: number }>();
  const left = new Map<string, { request: string; times: number; why: string }>();
  let allowed = 0;
  const leave = (request: string, why: string) => {
    const key = JSON.stringify([request, why]);
    const entry = left.get(key);
    if (entry) entry.times += 1;
    else left.set(key, { request, times: 1, why });
  };

  for (const request of recorded.requests) {
    const replay = replayOf(request);
    if ("own" in replay || "model" in replay) continue;
    if ("unreadable" in replay) {
      leave(`${request.method} ${request.url}`, replay.unreadable);
      continue;
    }
    const { asked } = replay;
    const shown = showAsked(asked);
    if (from.length > 0 && decideAsked(known, asked).allow) {
      allowed += 1;
      continue;
    }
    const host = "tls" in asked ? asked.tls.host : asked.request.host;
    const why = notProposed(host, request);
    if (why) leave(shown, why);
    else if ("tls" in asked) addTunnel(request, asked.tls);
    else {
      if (request.secret !== undefined)
        leave(
          shown,
          `it carried the secret ${request.secret}: the rule below lets it pass without; what a secret is bound to is for you to say`,
        );
      const refusal = addRequest(request, asked.request, replay.query);
      if (refusal) leave(shown, refusal);
    }
  }
  return {
    rules: [...[...services.values()].flatMap(serviceRules), ...tunnelRules()],
    left: [...left.values()],
    allowed,
  };

  function addTunnel({ decision }: RecordedRequest, tls: { host: string; port: number }): void {
    const canonical = canonicalHost(tls.host);
    if (!canonical.ok) {
      leave(`CONNECT ${tls.host}:${tls.port}`, canonical.why);
      return;
    }
    const host = canonical.host;
    const was = before.intercept(host, tls.port);
    const key = `${host} ${tls.port}`;
    const entry = tunnels.get(key) ?? {
      host,
      port: tls.port,
      pinned: was.allow && was.mode === "passthrough",
      times: 0,
      denied: 0,
    };
    entry.times += 1;
    if (decision === "deny") entry.denied += 1;
    tunnels.set(key, entry);
  }

  function addRequest({ decision }: RecordedRequest, request: CanonicalRequest, query: boolean): string | undefined {
    const patterns = exactPaths(request.path);
    if (!nameable(request.method)) return `no rule can name the method ${request.method}`;
    if (!patterns) return "no pattern can say its path exactly";
    const { scheme, host, port, path, method } = request;
    const key = `${scheme}://${host}:${port}`;
    const service = services.get(key) ?? {
      scheme,
      host,
      port,
      literal: canonicalAddress(host) !== undefined,
      paths: new Map(),
    };
    services.set(key, service);
    const entry: Path = service.paths.get(path) ?? {
      patterns,
      methods: new Map(),
      query: false,
      websocket: false,
    };
    service.paths.set(path, entry);
    const count = entry.methods.get(method) ?? { times: 0, denied: 0 };
    entry.methods.set(method, { times: count.times + 1, denied: count.denied + (decision === "deny" ? 1 : 0) });
    if (query) entry.query = true;
    if (request.upgrade === "websocket") entry.websocket = true;
    return undefined;
  }

  function tunnelRules(): Learned["rules"] {
    return [...tunnels.values()].flatMap(({ host, port, pinned, times, denied }) => {
      const said = [...services.values()].some(
        (service) => service.scheme === "https" && service.host === host && service.port === port,
      );
      // The requests inside were seen: their rules open the tunnel too.
      if (said && !pinned) return [];
      const base = { host, ...(port === 443 ? {} : { port }), scheme: "https" as const };
      // Refused before it said what it wants: a rule that opens it and allows the least there is, so that the next run shows more.
      const rule: NetworkRule = pinned
        ? { ...base, tls: "passthrough" }
        : { ...base, methods: ["HEAD"], paths: ["/"], query: {} };
      return [
        { rule: withAddress(rule, canonicalAddress(host) !== undefined), seen: [{ path: "CONNECT", times, denied }] },
      ];
    });
  }
}

/** One rule for the paths that were asked for alike: with more in one rule, their combinations would be allowed too. */
function serviceRules({ scheme, host, port, literal, paths }: Service): Learned["rules"] {
  const groups = new Map<string, { rule: NetworkRule; seen: Seen[] }>();
  const standard = port === (scheme === "https" ? 443 : 80);
  for (const [path, { patterns, methods, query, websocket }] of paths) {
    const names = [...methods.keys()].filter(nameable).sort();
    // Two spellings of one path are two patterns, each of which must be there: such a path stays alone.
    const key = JSON.stringify([names, query, websocket, patterns.length > 1 ? path : ""]);
    const group = groups.get(key) ?? {
      rule: withAddress(
        {
          host,
          ...(standard ? {} : { port }),
          scheme,
          methods: names,
          paths: [],
          ...(query ? {} : { query: {} }),
          ...(websocket ? { websocket: true } : {}),
        },
        literal,
      ),
      seen: [],
    };
    groups.set(key, group);
    const counts = [...methods.values()];
    const total = (of: "times" | "denied") => counts.reduce((sum, count) => sum + count[of], 0);
    for (const pattern of patterns) {
      group.rule.paths?.push(pattern);
      group.seen.push({ path: pattern, times: total("times"), denied: total("denied") });
    }
  }
  return [...groups.values()];
}

function withAddress(rule: NetworkRule, literal: boolean): NetworkRule {
  return literal ? { ...rule, addresses: [rule.host] } : rule;
}

/** Why no rule is made of it; undefined where one may be. */
function notProposed(hostText: string, { address, code }: RecordedRequest): string | undefined {
  const host = canonicalHost(hostText);
  if (!host.ok) return host.why;
  // What went through an upstream proxy has no address of its own here.
  const kind = classifyAddress(host.literal ? host.host : (address ?? ""));
  if (!kind.ok && kind.kind !== "malformed")
    return `it is at the ${kind.kind} address ${host.literal ? host.host : address}: only a person names one, in \`addresses\``;
  if (code === "address-refused")
    return "its name is at an address that is not public: only a person names one, in `addresses`";
  if (
    !host.literal &&
    (!host.host.includes(".") ||
      /\.(?:localhost|local|internal|intranet|lan|home|corp|test|invalid|onion)$/.test(host.host))
  )
    return "its name is of a private network: only a person names one, with its `addresses`";
  return undefined;
}
