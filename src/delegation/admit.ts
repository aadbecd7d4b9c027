/** Admission: from what a planner sent to an accepted delegation, or a refusal that names the next step. Nothing has run yet. */
import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import {
  type Brief,
  brief as briefSchema,
  type Check,
  type Criterion,
  candidatesOf,
  checkFiles as checkFilesSchema,
} from "../domain/brief.ts";
import type { PlannerRights } from "../domain/config.ts";
import { SallyportError } from "../domain/error.ts";
import type { EventData } from "../domain/event.ts";
import type { HarnessFile } from "../domain/harness.ts";
import type { Role } from "../domain/identity.ts";
import type { Policy } from "../domain/policy.ts";
import { digestValue } from "../gate/digest.ts";
import { cut } from "../gate/printable.ts";
import { harnessRoutes } from "../policy/harness-route.ts";
import { narrowPolicy } from "../policy/narrow.ts";
import { pathMatcher } from "../policy/paths.ts";
import { type HostRepository, openHostRepository, resolveCommit } from "../worktree/host-repository.ts";
import type { Quarantine } from "../worktree/quarantine.ts";
import { credentialsIn, textsIn } from "./credentials.ts";
import { partyOf, requireIndependence } from "./independence.ts";

/** What a planner sends. */
export interface DelegationRequest {
  repository: string;
  base?: string | undefined;
  /** The branch it is meant for; left out: the branch that `base` names. */
  onto?: string | undefined;
  brief: unknown;
  checkFiles?: unknown;
}

export interface AdmissionTools {
  planner: string;
  rights: PlannerRights;
  loadPolicy(name: string): Promise<Policy>;
  loadHarness(name: string): Promise<HarnessFile>;
  /** The image of a harness for its current inputs, as `sha256:…`. */
  findImage(name: string): Promise<string>;
  openQuarantine(repository: HostRepository): Promise<Quarantine>;
}

function invalid(found: string, next: string, cause?: unknown): SallyportError {
  return new SallyportError("brief-invalid", found, { next, cause });
}

function parseBrief(request: DelegationRequest): { brief: Brief; checkFiles: Record<string, string> } {
  const parsed = briefSchema.safeParse(request.brief);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.map(String).join(".") || "brief"}: ${issue.message}`,
    );
    throw invalid(cut(problems.slice(0, 20).join("; "), 4000), "See the brief's form in the README.");
  }
  const files = checkFilesSchema.safeParse(request.checkFiles ?? {});
  if (!files.success) {
    throw invalid("the files of the checks are not base64 by name", "Send them with `sallyport delegate`.");
  }
  // What no check names is not kept: it would only be carried along.
  return { brief: parsed.data, checkFiles: neededFiles(parsed.data.accept, files.data) };
}

/** The files that the checks of criteria name. Throws `brief-invalid` where one was not sent or a pattern is broken. */
export function neededFiles(
  accept: readonly Criterion[],
  files: Readonly<Record<string, string>>,
): Record<string, string> {
  const needed: Record<string, string> = {};
  for (const criterion of accept) {
    for (const check of criterion.checks) {
      for (const name of "run" in check ? check.files : []) {
        const content = Object.hasOwn(files, name) ? files[name] : undefined;
        if (content === undefined) {
          throw invalid(`${criterion.id}: the check's file ${name} was not sent`, "Put it beside the brief.");
        }
        needed[name] = content;
      }
      if ("absent" in check) checkPattern(criterion.id, check.absent);
    }
  }
  return needed;
}

/** A pattern must mean here what it means where it runs: both read it with the `u` flag. */
function checkPattern(criterion: string, pattern: string): void {
  let compiled: RegExp;
  try {
    compiled = new RegExp(pattern, "u");
  } catch (cause) {
    throw invalid(
      `${criterion}: ${(cause as Error).message}`,
      "Write an ECMAScript regular expression (with the `u` flag).",
      cause,
    );
  }
  if (compiled.test("")) {
    throw invalid(
      `${criterion}: ${JSON.stringify(pattern)} matches the empty line`,
      "It could hold for no file: correct the pattern.",
    );
  }
}

/**
 * A brief that carries a credential is refused without repeating it (ATTACKS S5), and before anything else is said of it:
 * other refusals quote what they found.
 */
export function refuseCredentials(request: DelegationRequest): void {
  const files = textsIn(request.checkFiles).map((file) => Buffer.from(file, "base64").toString("utf8"));
  const texts = textsIn(request.brief);
  const found = [...new Set([...texts, ...files].flatMap(credentialsIn))];
  if (found.length > 0) {
    throw new SallyportError("credential-in-brief", `the brief holds what looks like ${found.join(" and ")}`, {
      next: "Take it out, and replace it at its provider: it has been written down.",
    });
  }
  if (!texts.every((text) => text.isWellFormed())) {
    throw invalid("a text of the brief holds half a character (a lone surrogate)", "Save the brief as UTF-8.");
  }
}

/** A pattern of the brief that meets nothing is a typing error more often than a wish. */
function refuseIdlePatterns(brief: Brief, paths: readonly string[]): void {
  // An exact name may be a file to be made; a glob must meet something.
  const globs = (written: readonly string[] = []) => written.filter((pattern) => /[*?[{(]/.test(pattern));
  const absent = (check: Check) => ("absent" in check ? [check.in] : []);
  const patterns = [
    ...(brief.visible ?? []).map((pattern) => ["visible", pattern] as const),
    ...globs(brief.writable).map((pattern) => ["writable", pattern] as const),
    ...brief.accept.flatMap((c) =>
      globs(c.checks.flatMap(absent)).map((pattern) => [`accept ${c.id} absent.in`, pattern] as const),
    ),
  ];
  for (const [where, pattern] of patterns) {
    if (!paths.some(pathMatcher([pattern]))) {
      throw new SallyportError("brief-invalid", `${where}: ${JSON.stringify(pattern)} matches no file of the base`, {
        next: "Correct the pattern; a file that is to be made is named exactly.",
      });
    }
  }
}

function checkRepository(planner: string, rights: PlannerRights, repository: string): void {
  if (pathMatcher(rights.repositories.map((p) => p.slice(1)))(repository.slice(1))) return;
  throw new SallyportError("repository-refused", `planner ${planner} may not name ${repository}`, {
    next: `The operator adds it to config.yaml of the state directory: planners.${planner}.repositories: [${JSON.stringify(repository)}]`,
  });
}

/** The operator's list decides which repositories and refs a planner may name (DESIGN invariant 12, ATTACKS A4). */
export function checkRights(planner: string, rights: PlannerRights, repository: string, ref: string): void {
  checkRepository(planner, rights, repository);
  if (!pathMatcher(rights.refs)(ref)) {
    throw new SallyportError("ref-refused", `planner ${planner} may not land on ${ref}`, {
      next: `The operator adds it to config.yaml of the state directory: planners.${planner}.refs: [${JSON.stringify(ref)}]`,
    });
  }
}

/**
 * Opens what a planner names, after its canonical path was looked up in the operator's list: of another repository it
 * learns nothing, not even whether it is there, and no git runs in it.
 */
export async function openNamed(
  request: Pick<DelegationRequest, "repository">,
  tools: AdmissionTools,
): Promise<HostRepository> {
  const path = await realpath(request.repository).catch(() => resolve(request.repository));
  checkRepository(tools.planner, tools.rights, path);
  const repository = await openHostRepository(path);
  checkRepository(tools.planner, tools.rights, repository.path);
  return repository;
}

export async function loadRole(
  tools: Pick<AdmissionTools, "loadHarness">,
  name: string,
  role: Role,
): Promise<HarnessFile> {
  const harness = await tools.loadHarness(name);
  if (!harness.roles.includes(role)) {
    throw new SallyportError("brief-invalid", `${name} cannot be ${role}: its roles are ${harness.roles.join(", ")}`, {
      next: "Name another harness: `sallyport image list`.",
    });
  }
  return harness;
}

/** The verifiers that a policy names: its panel's, or the one. */
export async function loadVerifiers(tools: AdmissionTools, { verifier }: Policy): Promise<HarnessFile[]> {
  return Promise.all((verifier.panel?.of ?? [verifier.harness]).map((name) => loadRole(tools, name, "verifier")));
}

/** Their images, as an accepted delegation names them, and as parties to be compared with its executors. */
export async function findJudges(tools: AdmissionTools, policy: Policy, verifiers: readonly HarnessFile[]) {
  const judges = await Promise.all(
    verifiers.map(async ({ name }) => ({ harness: name, image: await tools.findImage(name) })),
  );
  return {
    images: { verifier: judges[0]?.image ?? "" },
    panel: policy.verifier.panel ? { panel: judges } : {},
    parties: verifiers.map((one, index) => partyOf(one, judges[index]?.image)),
  };
}

/** A harness without its model would only use up the attempts. */
export function requireRoute(harness: HarnessFile, policy: Policy): void {
  const route = harness.model?.route;
  if (route === undefined) return;
  if (Object.hasOwn(policy.models, route)) return void harnessRoutes(policy, harness);
  const found = `${harness.name} needs the model route "${route}", which policy ${policy.name} does not give here`;
  throw new SallyportError("policy-invalid", found, {
    next: `Add to the policy: models: { ${route}: { base: "https://…" } }; where the brief says models:, name ${route} there.`,
  });
}

/** A branch by its short or full name. */
export function fullRef(name: string): string {
  const ref = name.startsWith("refs/") ? name : `refs/heads/${name}`;
  // git itself refuses a branch of that name, and every tool would take it for the checkout's.
  const isHead = ref === "refs/heads/HEAD";
  // Parts first, on the whole name: the slash before the first part counts too (git-check-ref-format(1)).
  const parts = /\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)/;
  const letters = /^refs\/heads\/[^\s~^:?*[\\\p{Cc}\p{Cf}-][^\s~^:?*[\\\p{Cc}\p{Cf}]*(?<![./])$/u;
  if (isHead || parts.test(ref) || !letters.test(ref)) {
    throw new SallyportError("ref-invalid", `${JSON.stringify(name)} is not a branch name`, {
      next: "Name a branch, such as main or sallyport/fix-rounding.",
    });
  }
  return ref;
}

/** The base commit, and the branch that the planner may land on. Errors: `ref-invalid`, `ref-refused`. */
export async function resolveTarget(
  request: Pick<DelegationRequest, "base" | "onto">,
  repository: HostRepository,
  tools: Pick<AdmissionTools, "planner" | "rights">,
): Promise<{ commit: string; target: string }> {
  const { commit, ref } = await resolveCommit(repository, request.base);
  const target = request.onto ? fullRef(request.onto) : ref;
  if (!target) {
    throw new SallyportError("ref-invalid", `${request.base ?? "HEAD"} is not a branch`, {
      next: "Say where it may land: --onto BRANCH.",
    });
  }
  checkRights(tools.planner, tools.rights, repository.path, target);
  return { commit, target };
}

/** Checks a request from every side and settles what the delegation runs with; `later`: it starts from a tree still to be made. */
export async function admit(
  request: DelegationRequest,
  tools: AdmissionTools,
  options: { later?: boolean } = {},
): Promise<EventData<"delegation.accepted">> {
  refuseCredentials(request);
  const { brief, checkFiles } = parseBrief(request);
  const repository = await openNamed(request, tools);
  const { commit, target } = await resolveTarget(request, repository, tools);

  const policy = narrowPolicy(await tools.loadPolicy(brief.policy), brief);
  const executors = await Promise.all(candidatesOf(brief).map((name) => loadRole(tools, name, "executor")));
  const verifiers = await loadVerifiers(tools, policy);
  // Before any image is looked for: who would judge its own work needs none.
  requireIndependence(
    policy.verifier,
    verifiers.map((one) => partyOf(one)),
    executors.map((one) => partyOf(one)),
  );
  for (const harness of [...executors, ...verifiers]) requireRoute(harness, policy);
  const candidates = await Promise.all(
    executors.map(async ({ name }) => ({ executor: name, image: await tools.findImage(name) })),
  );
  const judges = await findJudges(tools, policy, verifiers);
  const images = {
    executor: candidates[0]?.image ?? "",
    tester: await tools.findImage(policy.tests?.image ?? "base"),
    ...judges.images,
  };
  const parties = executors.map((one, index) => partyOf(one, candidates[index]?.image));
  requireIndependence(policy.verifier, judges.parties, parties);
  const quarantine = await tools.openQuarantine(repository);
  // What comes after other briefs meets files that only they make.
  if (!options.later) refuseIdlePatterns(brief, await quarantine.listPaths(await quarantine.treeOf(commit)));
  return {
    repository: repository.path,
    base: commit,
    ref: target,
    planner: tools.planner,
    brief,
    checkFiles,
    policy,
    policyDigest: digestValue(policy),
    briefDigest: digestValue(brief),
    images,
    ...(candidates.length > 1 ? { candidates } : {}),
    ...judges.panel,
  };
}
