/**
 * Loads a policy: its file, what that extends, and the checks that make it safe to enforce. What is not settled at the
 * end is an error and never a default: an omitted limit would be no limit.
 */
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { canonicalJson } from "../domain/canonical.ts";
import { type ErrorCode, SallyportError } from "../domain/error.ts";
import { shortName } from "../domain/identity.ts";
import { type Policy, type PolicyFile, policyFile } from "../domain/policy.ts";
import { checkSource, documentError, parseSource, readText } from "./document.ts";
import { type KeyPath, nearest, type Problem } from "./issues.ts";
import { loadTables } from "./prices.ts";
import { fileProblems } from "./rules.ts";
import { type Part, settle, whereSettled } from "./settle.ts";

export type Expectation = NonNullable<PolicyFile["expect"]>[number];

/** A policy with what its own file adds to it for people: where it came from, and what it expects of itself. */
export interface LoadedPolicy {
  policy: Policy;
  /** The file's own expectations; those of what it extends stay there. */
  expect: Expectation[];
  /** The files it was made of, the most general first. */
  files: string[];
  /** `file:line:column` of an expectation, by its index. */
  whereExpected(index: number): string;
  /** `file:line:column` of a part of the policy, such as `["network", 2]`, in the file that says it; undefined where none does. */
  where(path: KeyPath): string | undefined;
}

const code: ErrorCode = "policy-invalid";
const chainMax = 16;

/** Loads the policy of a name from the first directory that has `<name>.yaml`. Throws `policy-invalid` or `not-found`. */
export async function loadPolicy(name: string, directories: readonly string[]): Promise<Policy> {
  checkName(name);
  return (await load(await findPolicy(name, directories), directories)).policy;
}

/** Loads one policy file; what it extends is looked for in its own directory, then in `directories`. */
export async function loadPolicyFile(path: string, directories: readonly string[] = []): Promise<LoadedPolicy> {
  checkName(basename(path).replace(/\.yaml$/, ""));
  return load(path, [dirname(path), ...directories]);
}

/** The names of the policies in the directories, each once, in alphabetical order. A missing directory has none. */
export async function listPolicies(directories: readonly string[]): Promise<string[]> {
  const names = new Set<string>();
  for (const directory of directories) {
    const files = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw new SallyportError(code, `${directory} cannot be read: ${error.code}`, {
        next: "Let this process read it.",
        cause: error,
      });
    });
    for (const file of files) {
      const name = file.replace(/\.yaml$/, "");
      if (file.endsWith(".yaml") && shortName.safeParse(name).success) names.add(name);
    }
  }
  return [...names].sort();
}

/** The digest that approvals name: SHA-256, in hex, of the settled policy's canonical JSON. */
export function policyDigest(policy: Policy): string {
  return createHash("sha256").update(canonicalJson(policy)).digest("hex");
}

function checkName(name: string): void {
  // A name becomes part of a path: nothing but a short name may.
  if (!shortName.safeParse(name).success) {
    throw new SallyportError(code, `${JSON.stringify(name)} is not a policy's name`, {
      next: "Use letters, digits, `.`, `_` and `-`.",
    });
  }
}

/** The file of the policy of a name: in the first directory that has it. Throws `not-found`. */
export async function findPolicy(name: string, directories: readonly string[]): Promise<string> {
  for (const directory of directories) {
    const files = await readdir(directory).catch((): string[] => []);
    if (files.includes(`${name}.yaml`)) return join(directory, `${name}.yaml`);
  }
  const known = await listPolicies(directories);
  const meant = nearest(name, known);
  throw new SallyportError("not-found", `no policy ${name} in ${directories.join(", ") || "no directory"}`, {
    next: meant
      ? `Did you mean ${meant}?`
      : known.length > 0
        ? `Name one of: ${known.join(", ")}.`
        : "Put a policy there first.",
  });
}

async function load(path: string, directories: readonly string[]): Promise<LoadedPolicy> {
  const parts: Part[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const part = await readPart(next);
    parts.unshift(part);
    const parent = part.file.extends;
    if (parent === undefined) break;
    const at = part.source.where(["extends"]);
    try {
      next = await findPolicy(parent, directories);
    } catch (error) {
      const { message, next: step } = error as SallyportError;
      throw new SallyportError(code, `${at} extends: ${message}`, { at, next: step });
    }
    if (parts.some(({ source }) => basename(source.file) === `${parent}.yaml`) || parts.length >= chainMax) {
      const chain = [...parts.map(({ source }) => basename(source.file, ".yaml")).reverse(), parent].join(" -> ");
      throw new SallyportError(code, `${at} extends: the policies extend each other: ${chain}`, {
        at,
        next: "Take one `extends` out.",
      });
    }
  }
  const own = parts.at(-1) as Part;
  const models = parts.findLast(({ file }) => file.models !== undefined)?.file.models ?? {};
  const prices = await loadTables(models, directories);
  return {
    policy: settle(basename(path).replace(/\.yaml$/, ""), parts, prices),
    expect: own.file.expect ?? [],
    files: parts.map(({ source }) => source.file),
    whereExpected: (index) => own.source.where(["expect", index]),
    where: (path) => whereSettled(parts, path),
  };
}

async function readPart(path: string): Promise<Part> {
  const source = parseSource(await readText(path, code), path, code);
  const file = checkSource(source, policyFile, code);
  const problems: Problem[] = fileProblems(file, source.raw);
  if (problems.length > 0) throw documentError(source, problems, code);
  return { source, file };
}
