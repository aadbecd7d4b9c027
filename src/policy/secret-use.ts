/**
 * Where a policy's secrets may go. A secret is bound to the rules and model routes that name it; whatever could send it in
 * clear, to a host that was not named, or unseen is refused when the policy is loaded.
 */
import type { ModelRoute, NetworkRule, Policy, SecretBinding } from "../domain/policy.ts";
import { classifyAddress } from "./address.ts";
import { type KeyPath, nearest, type Problem } from "./issues.ts";

type Users = Pick<Policy, "network" | "models">;

/** Every place of a policy that names a secret. */
export function secretUses({ network, models }: Users): { name: string; path: KeyPath }[] {
  return [
    ...network.flatMap(({ secret }, index) =>
      secret === undefined ? [] : [{ name: secret, path: ["network", index, "secret"] }],
    ),
    ...Object.entries(models).flatMap(([route, { secret }]) =>
      secret === undefined ? [] : [{ name: secret, path: ["models", route, "secret"] }],
    ),
  ];
}

/** The secrets that a rule or route still names: the others are not handed to anyone. */
export function boundSecrets(secrets: Policy["secrets"], users: Users): Policy["secrets"] {
  const named = new Set(secretUses(users).map(({ name }) => name));
  return Object.fromEntries(Object.entries(secrets).filter(([name]) => named.has(name)));
}

/** A name that no secret has. */
export function undeclaredProblems(secrets: Policy["secrets"], users: Users): Problem[] {
  const known = Object.keys(secrets);
  return secretUses(users)
    .filter(({ name }) => !Object.hasOwn(secrets, name))
    .map(({ name, path }) => {
      const meant = nearest(name, known);
      const hint = meant ? `; did you mean \`${meant}\`?` : known.length > 0 ? `; there are ${known.join(", ")}` : "";
      return { path, message: `the secret ${name} is not declared under \`secrets\`${hint}` };
    });
}

/** Secrets that a file declares and nothing names: a value that the host would read for nobody. */
export function unboundProblems(declared: Policy["secrets"], users: Users): Problem[] {
  const named = new Set(secretUses(users).map(({ name }) => name));
  return Object.keys(declared)
    .filter((name) => !named.has(name))
    .map((name) => ({
      path: ["secrets", name],
      key: true,
      message: `the secret ${name} is bound to nothing: name it in a rule or model route (\`secret: ${name}\`), or take it out`,
    }));
}

/** What is wrong with a rule that carries a secret. */
export function secretRuleProblems(rule: NetworkRule, path: KeyPath): Problem[] {
  const at = (message: string): Problem => ({
    path: [...path, "secret"],
    message: `secret ${rule.secret}: ${message}`,
  });
  const problems: Problem[] = [];
  if (rule.host.startsWith("*."))
    problems.push(
      at(`a rule for ${rule.host} carries none, since any name below may be someone else's: name the host`),
    );
  if (rule.scheme !== "https" && rule.tls !== "passthrough" && !loopbackOnly(rule.addresses)) {
    const why =
      rule.scheme === "http"
        ? "plain http would send it in clear"
        : "the rule allows plain http too, which would send it in clear";
    problems.push(at(`${why}: write \`scheme: https\`, or name a loopback address in \`addresses\``));
  }
  return problems;
}

/** What is wrong with a model route that carries a secret. */
export function secretRouteProblems(route: ModelRoute, path: KeyPath): Problem[] {
  if (route.secret === undefined || !route.base.startsWith("http:") || loopbackOnly(route.addresses)) return [];
  const message = `secret ${route.secret}: plain http would send it in clear: write https://, or name a loopback address in \`addresses\``;
  return [{ path: [...path, "secret"], message }];
}

/** Header fields that frame or route a message: a secret there would change where the request ends or goes. */
const framing = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "upgrade",
  "te",
  "trailer",
  "expect",
  "proxy-connection",
  "proxy-authorization",
]);

/** What is wrong with the way in which a secret is carried. */
export function carriageProblems(secret: SecretBinding, path: KeyPath): Problem[] {
  const problems: Problem[] = [];
  const at = (key: string, message: string) => problems.push({ path: [...path, key], message });
  const { header, form, basic } = secret;
  if (header !== undefined && framing.has(header.toLowerCase()))
    at("header", `the header ${header} is the gateway's own`);
  if (form !== undefined && header === undefined) at("form", "`form` says how a header is written: name the `header`");
  if (form !== undefined && form.split("{}").length !== 2)
    at("form", `form ${JSON.stringify(form)} must hold {} once, where the secret goes`);
  // A line break in a header's value would be another header.
  if (form !== undefined && !/^[\u0020-\u007e]*$/.test(form)) at("form", "form holds a character that no header has");
  if (basic !== undefined && !/^[^:\u0000-\u001f\u007f]*$/u.test(basic))
    at("basic", "a user name of Basic authentication holds no `:` and no control character");
  return problems;
}

function loopbackOnly(addresses: readonly string[] | undefined): boolean {
  const kinds = (addresses ?? []).map(classifyAddress);
  return kinds.length > 0 && kinds.every((kind) => !kind.ok && kind.kind === "loopback");
}
