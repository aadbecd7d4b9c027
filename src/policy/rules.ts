/** What a network rule, a model route and a path pattern must hold beyond their schema: each too broad or broken one by its place. */
import type { ModelRoute, NetworkRule, PolicyFile } from "../domain/policy.ts";
import { canonicalAddress, classifyAddress, sameAddress } from "./address.ts";
import { canonicalHost } from "./canonical-host.ts";
import { canonicalTarget, urlPatternProblem } from "./canonical-path.ts";
import { splitAuthority } from "./canonical-request.ts";
import type { KeyPath, Problem } from "./issues.ts";
import { pathPatternProblem } from "./paths.ts";
import { queryProblems } from "./query.ts";
import {
  carriageProblems,
  secretRouteProblems,
  secretRuleProblems,
  unboundProblems,
  undeclaredProblems,
} from "./secret-use.ts";
import { hostPattern } from "./wildcard.ts";

/** Everything that is wrong with a policy file's own lines. `file` has passed its schema; `raw` is the text's plain data. */
export function fileProblems(file: PolicyFile, raw: unknown): Problem[] {
  const { network = [], models = {}, filesystem = {}, secrets = {}, tests } = file;
  const problems = network.flatMap((rule, index) => ruleProblems(rule, ["network", index]));
  for (const [name, route] of Object.entries(models)) problems.push(...routeProblems(route, ["models", name]));
  for (const key of ["visible", "writable", "protected"] as const) {
    problems.push(...patternProblems(filesystem[key] ?? [], ["filesystem", key]));
  }
  for (const [name, secret] of Object.entries(secrets)) problems.push(...carriageProblems(secret, ["secrets", name]));
  if (tests) problems.push(...testProblems(tests));
  for (const [name, action] of Object.entries(file.actions ?? {}))
    problems.push(...actionProblems(action, ["actions", name]));
  problems.push(...bareNumbers(raw));
  return problems;
}

/** What is wrong with one network rule. */
export function ruleProblems(rule: NetworkRule, path: KeyPath): Problem[] {
  const problems: Problem[] = addressProblems(rule.addresses, [...path, "addresses"]);
  const at = (key: string, message: string) => problems.push({ path: [...path, key], message });
  const host = hostPattern(rule.host);
  if (!host.ok) at("host", `host ${JSON.stringify(rule.host)}: ${host.why}; name the hosts`);
  else {
    const plain = (host.wildcard ? "*." : "") + host.host;
    if (plain !== rule.host)
      at("host", `host ${JSON.stringify(rule.host)}: write it as it is matched: ${JSON.stringify(plain)}`);
    if (host.literal && !rule.addresses?.some((address) => sameAddress(address, host.host))) {
      at("host", `host ${rule.host} is an IP address: name it in \`addresses\` too, or use a name`);
    }
  }
  rule.paths?.forEach((pattern, index) => {
    const problem = urlPatternProblem(pattern);
    if (problem)
      problems.push({ path: [...path, "paths", index], message: `path ${JSON.stringify(pattern)} holds ${problem}` });
  });
  problems.push(...queryProblems(rule.query, [...path, "query"]));
  problems.push(...passthroughProblems(rule, path));
  if (rule.secret !== undefined) problems.push(...secretRuleProblems(rule, path));
  return problems;
}

/** A tunnel is not read, so a rule for one cannot speak of what is in it. */
function passthroughProblems(rule: NetworkRule, path: KeyPath): Problem[] {
  if (rule.tls !== "passthrough") return [];
  const unseen = (["methods", "paths", "query", "websocket", "secret"] as const).filter(
    (key) => rule[key] !== undefined,
  );
  const problems = unseen.map((key) => ({
    path: [...path, key],
    message: `${key} cannot be seen in a tunnel: leave it out, or leave out \`tls: passthrough\``,
    key: true,
  }));
  if (rule.scheme === "http")
    problems.push({
      path: [...path, "scheme"],
      message: "`tls: passthrough` is for https, and the scheme is http",
      key: true,
    });
  return problems;
}

/** What is wrong with path patterns. */
export function patternProblems(patterns: readonly string[], path: KeyPath): Problem[] {
  return patterns.flatMap((pattern, index) => {
    const problem = pathPatternProblem(pattern);
    return problem ? [{ path: [...path, index], message: `path ${JSON.stringify(pattern)} holds ${problem}` }] : [];
  });
}

function routeProblems(route: ModelRoute, path: KeyPath): Problem[] {
  const problems = addressProblems(route.addresses, [...path, "addresses"]);
  const at = (message: string) =>
    problems.push({ path: [...path, "base"], message: `base ${JSON.stringify(route.base)}: ${message}` });
  const match = /^(https?):\/\/([^/?#\\]+)([\s\S]*)$/.exec(route.base);
  if (!match) {
    at("expected http:// or https://, a host and a path");
    return problems;
  }
  const [, scheme, authority = "", rest = ""] = match;
  if (authority.includes("@")) at("user information does not belong in a URL");
  const split = splitAuthority(authority.slice(authority.lastIndexOf("@") + 1));
  const host = typeof split === "string" ? undefined : canonicalHost(split.host);
  if (typeof split === "string") at(split);
  else if (host && !host.ok) at(host.why);
  else if (host?.ok && host.literal && !route.addresses?.some((address) => sameAddress(address, host.host))) {
    at("its host is an IP address: name it in `addresses` too");
  }
  problems.push(...secretRouteProblems(route, path));
  if (scheme === "http" && !route.addresses) at("plain http is only for a private address named in `addresses`");
  const target = canonicalTarget(rest === "" ? "/" : rest);
  if (!target.ok) at(target.why);
  else if (/[?#]/.test(rest)) at("a base URL has no query");
  else if (target.path !== (rest || "/")) at(`write its path as it is forwarded: ${target.path}`);
  return problems;
}

/** Kinds of address that are never a destination, whoever names them. */
const never = new Set(["malformed", "unspecified", "this-network", "multicast", "broadcast"]);

function addressProblems(addresses: readonly string[] | undefined, path: KeyPath): Problem[] {
  return (addresses ?? []).flatMap((address, index) => {
    const at = (message: string) => [
      { path: [...path, index], message: `address ${JSON.stringify(address)} ${message}` },
    ];
    const kind = classifyAddress(address);
    if (!kind.ok && kind.kind === "malformed")
      return at("is not one exact IP address in its plain spelling (no range, no zone)");
    if (!kind.ok && never.has(kind.kind)) return at(`is ${kind.kind}: nothing can be reached there`);
    const plain = canonicalAddress(address);
    return plain === address ? [] : at(`is written ${JSON.stringify(plain)}`);
  });
}

/** Which reports the host can read of a runner. */
const reportsOf: Readonly<Record<NonNullable<NonNullable<PolicyFile["tests"]>["runner"]>, readonly string[]>> = {
  "node-test": ["junit"],
  vitest: ["junit"],
  jest: ["jest", "junit"],
  mocha: ["junit"],
  pytest: ["junit"],
  go: ["go", "junit"],
  cargo: ["cargo", "junit"],
  none: ["junit"],
};

function testProblems(tests: NonNullable<PolicyFile["tests"]>): Problem[] {
  const problems = patternProblems(tests.evidence, ["tests", "evidence"]);
  const at = (key: string, message: string) => problems.push({ path: ["tests", key], message });
  if (tests.report !== "exit" && tests.runner === undefined) {
    at(
      "report",
      `tests.report is ${tests.report}, and tests.runner is missing: without it no tests can be planted, and a forged report would be believed`,
    );
  }
  const writes = tests.runner === undefined ? undefined : reportsOf[tests.runner];
  if (writes !== undefined && !writes.includes(tests.report)) {
    at("runner", `tests.runner ${tests.runner} is for \`report: ${writes.join("` or `report: ")}\``);
  }
  if (tests.plant !== undefined && (tests.report === "exit" || tests.runner === "none")) {
    at("plant", "tests.plant is only for a runner's report: nothing is planted here");
  }
  if (tests.keep !== undefined) problems.push(...patternProblems(tests.keep, ["tests", "keep"]));
  if (
    tests.plant !== undefined &&
    !/^(?!\.git(?:\/|$))(?:(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.@-]+)(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.@-]+)*$/.test(
      tests.plant,
    )
  ) {
    at("plant", `tests.plant ${JSON.stringify(tests.plant)} is not a folder below the repository's root`);
  }
  if (tests.wall === 0) at("wall", "tests.wall is 0: no test could run");
  return problems;
}

/** What is wrong with an action: its rules and secrets are its own, and bound to each other. */
function actionProblems(action: NonNullable<PolicyFile["actions"]>[string], path: KeyPath): Problem[] {
  const { network = [], secrets = {}, on, mount, wall } = action;
  const below = (problem: Problem): Problem => ({ ...problem, path: [...path, ...problem.path] });
  const users = { network, models: {} };
  const problems = [
    ...network.flatMap((rule, index) => ruleProblems(rule, [...path, "network", index])),
    ...Object.entries(secrets).flatMap(([name, secret]) => carriageProblems(secret, [...path, "secrets", name])),
    ...undeclaredProblems(secrets, users).map(below),
    ...unboundProblems(secrets, users).map(below),
  ];
  if (mount === "bundle" && on === "approved")
    problems.push({ path: [...path, "mount"], message: "a bundle is of what landed: write `on: landed`" });
  if (wall === 0) problems.push({ path: [...path, "wall"], message: "wall is 0: it could not run" });
  return problems;
}

/** Sizes and durations that a person wrote as a bare number: `4` is neither bytes nor gibibytes until it says so. */
function bareNumbers(raw: unknown): Problem[] {
  const keys = ["sandbox.memory", "sandbox.disk", "budget.wall", "budget.patch", "budget.output", "tests.wall"];
  return keys.flatMap((dotted) => {
    const path = dotted.split(".");
    const value = path.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], raw);
    return typeof value === "number" && value !== 0
      ? [{ path, message: `${dotted}: found ${value} without a unit` }]
      : [];
  });
}
