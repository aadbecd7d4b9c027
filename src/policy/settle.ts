/**
 * Lays the files of one policy over each other. Sections of single values and secrets go key by key, lists and records
 * whole. `protected` alone grows: what a parent protects no child can give away.
 */
import type { ErrorCode } from "../domain/error.ts";
import type { Policy, PolicyFile } from "../domain/policy.ts";
import { documentError, type Source } from "./document.ts";
import type { KeyPath, Problem } from "./issues.ts";
import { meteringProblems, type Tables, tableProblems, withTables } from "./prices.ts";
import { boundSecrets, unboundProblems, undeclaredProblems } from "./secret-use.ts";

/** One file of a policy, with the places of its lines. */
export interface Part {
  source: Source;
  file: PolicyFile;
}

const code: ErrorCode = "policy-invalid";
/** As many as the schema lets one list hold. */
const patternsMax = 256;

/** The policy that files make, the most general first. Throws `policy-invalid` where something is missing or unbound. */
export function settle(
  name: string,
  parts: readonly Part[],
  prices: { tables: Tables; known: readonly string[] } = { tables: new Map(), known: [] },
): Policy {
  const own = parts.at(-1) as Part;
  const merged: Record<
    "sandbox" | "filesystem" | "budget" | "stuck" | "verifier" | "landing",
    Record<string, unknown>
  > = {
    sandbox: {},
    filesystem: {},
    budget: {},
    stuck: {},
    verifier: {},
    landing: {},
  };
  const secrets: Policy["secrets"] = {};
  const guarded = new Set<string>();
  let guards = false;
  for (const { file } of parts) {
    for (const section of ["sandbox", "filesystem", "budget", "stuck", "verifier", "landing"] as const)
      Object.assign(merged[section], file[section]);
    Object.assign(secrets, file.secrets);
    if (file.filesystem?.protected) guards = true;
    for (const pattern of file.filesystem?.protected ?? []) guarded.add(pattern);
  }
  if (guards) merged.filesystem.protected = [...guarded];
  const missing = missingProblems(merged);
  if (guarded.size > patternsMax) {
    const message = `filesystem.protected: ${guarded.size} patterns with those extended, expected at most ${patternsMax}`;
    missing.push({ path: ["filesystem", "protected"], message, key: true });
  }
  const network = partOf(parts, "network")?.file.network ?? [];
  const models = withTables(partOf(parts, "models")?.file.models ?? {}, prices.tables);
  missing.push(
    ...unboundProblems(own.file.secrets ?? {}, { network, models }),
    ...twicePlaced(own.file.secrets ?? {}, secrets),
  );
  // A name without a secret is the fault of the file that names it, which may be one that was extended.
  const faults = new Map<Part, Problem[]>([[own, missing]]);
  for (const key of ["network", "models"] as const) {
    const part = partOf(parts, key);
    const users = { network: key === "network" ? network : [], models: key === "models" ? models : {} };
    if (part) faults.set(part, [...(faults.get(part) ?? []), ...undeclaredProblems(secrets, users)]);
    if (part && key === "models") {
      const unmetered = meteringProblems(models, cappedBy(merged));
      faults.set(part, [...(faults.get(part) ?? []), ...tableProblems(models, prices.known), ...unmetered]);
    }
  }
  for (const [{ source }, problems] of faults) if (problems.length > 0) throw documentError(source, problems, code);
  const tests = partOf(parts, "tests")?.file.tests;
  const actions = partOf(parts, "actions")?.file.actions;
  return {
    version: 1,
    name,
    sandbox: merged.sandbox as Policy["sandbox"],
    filesystem: merged.filesystem as Policy["filesystem"],
    network,
    models,
    // One that was extended and that nothing names any more is not this policy's.
    secrets: boundSecrets(secrets, { network, models }),
    budget: merged.budget as Policy["budget"],
    ...(Object.keys(merged.stuck).length > 0 ? { stuck: merged.stuck as NonNullable<Policy["stuck"]> } : {}),
    ...(tests ? { tests } : {}),
    verifier: merged.verifier as Policy["verifier"],
    ...(actions && Object.keys(actions).length > 0 ? { actions } : {}),
    ...(Object.keys(merged.landing).length > 0 ? { landing: merged.landing as NonNullable<Policy["landing"]> } : {}),
  };
}

/** The caps of tokens and money that somebody has: the work as a whole, or its verifiers. */
function cappedBy({
  budget,
  verifier,
}: Record<"budget" | "verifier", Record<string, unknown>>): Partial<Policy["budget"]> {
  const own = budget as Partial<Policy["budget"]>;
  const judging = verifier as Partial<Policy["verifier"]>;
  const [tokens, usd] = [own.tokens ?? judging.tokens, own.usd ?? judging.usd];
  return { ...(tokens === undefined ? {} : { tokens }), ...(usd === undefined ? {} : { usd }) };
}

/** `file:line:column` of a part of the settled policy, in the file that says it; undefined where none does. */
export function whereSettled(parts: readonly Part[], path: KeyPath): string | undefined {
  const [section, key] = path;
  if (section === undefined) return undefined;
  const whole =
    section === "network" ||
    section === "models" ||
    section === "tests" ||
    section === "expect" ||
    section === "actions";
  const says = ({ file }: Part) => {
    const value = (file as Record<string, unknown>)[section];
    return value !== undefined && (whole || key === undefined || Object.hasOwn(value as object, key));
  };
  return parts.findLast(says)?.source.where(path);
}

function partOf(parts: readonly Part[], key: "network" | "models" | "tests" | "actions"): Part | undefined {
  return parts.findLast(({ file }) => file[key] !== undefined);
}

function missingProblems(merged: Record<string, Record<string, unknown>>): Problem[] {
  return Object.entries(required).flatMap(([section, keys]) =>
    keys
      .filter((key) => merged[section]?.[key] === undefined)
      .map((key) => ({
        path: [section],
        message: `${section}.${key}: missing here and in everything extended`,
        key: true,
      })),
  );
}

/** Two secrets with one variable: the sandbox would find only one of the placeholders. */
function twicePlaced(own: Policy["secrets"], all: Policy["secrets"]): Problem[] {
  return Object.entries(own).flatMap(([name, { env }]) => {
    const other = Object.entries(all).find(
      ([known, secret]) => known !== name && env !== undefined && secret.env === env,
    );
    return other
      ? [{ path: ["secrets", name, "env"], message: `env ${env} is that of the secret ${other[0]} too` }]
      : [];
  });
}

const required = {
  sandbox: ["runtime", "cpus", "memory", "pids", "disk"],
  filesystem: ["visible", "writable", "protected"],
  budget: ["wall", "requests", "attempts", "patch", "output"],
  verifier: ["harness", "intent"],
} as const satisfies { [S in "sandbox" | "filesystem" | "budget" | "verifier"]: readonly (keyof Policy[S])[] };
