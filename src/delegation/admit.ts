/** Admission: from what a planner sent to an accepted delegation, or a refusal that names the next step. Nothing has run yet. */
import { brief as briefSchema, type Brief, checkFiles as checkFilesSchema } from "../domain/brief.ts";
import { SallyportError } from "../domain/error.ts";
import type { EventData } from "../domain/event.ts";
import type { PlannerRights } from "../domain/config.ts";
import type { HarnessFile } from "../domain/harness.ts";
import type { Role } from "../domain/identity.ts";
import type { Policy } from "../domain/policy.ts";
import { digestValue } from "../gate/digest.ts";
import { narrowPolicy } from "../policy/narrow.ts";
import { pathMatcher } from "../policy/paths.ts";
import { type HostRepository, openHostRepository, resolveCommit } from "../worktree/host-repository.ts";
import type { Quarantine } from "../worktree/quarantine.ts";
import { credentialsIn } from "./credentials.ts";

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

function parseBrief(request: DelegationRequest): { brief: Brief; checkFiles: Record<string, string> } {
  const parsed = briefSchema.safeParse(request.brief);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.map(String).join(".") || "brief"}: ${issue.message}`);
    throw new SallyportError("brief-invalid", problems.slice(0, 20).join("; "), { next: "See the brief's form in the README." });
  }
  const files = checkFilesSchema.safeParse(request.checkFiles ?? {});
  if (!files.success) throw new SallyportError("brief-invalid", "the files of the checks are not base64 by name", { next: "Send them with `sallyport delegate`." });
  for (const criterion of parsed.data.accept) {
    for (const check of criterion.checks) {
      const missing = "run" in check ? check.files.find((name) => !(name in files.data)) : undefined;
      if (missing) {
        throw new SallyportError("brief-invalid", `${criterion.id}: the check's file ${missing} was not sent`, { next: "Put it beside the brief." });
      }
      if ("absent" in check) checkPattern(criterion.id, check.absent);
    }
  }
  return { brief: parsed.data, checkFiles: files.data };
}

function checkPattern(criterion: string, pattern: string): void {
  try {
    new RegExp(pattern, "u");
  } catch (cause) {
    throw new SallyportError("brief-invalid", `${criterion}: ${(cause as Error).message}`, { next: "Write an ECMAScript regular expression.", cause });
  }
}

/** A brief that carries a credential is refused without repeating it (ATTACKS S5). */
function refuseCredentials(brief: Brief, checkFiles: Record<string, string>): void {
  const texts = [JSON.stringify(brief), ...Object.values(checkFiles).map((file) => Buffer.from(file, "base64").toString("utf8"))];
  const found = [...new Set(texts.flatMap(credentialsIn))];
  if (found.length > 0) {
    throw new SallyportError("credential-in-brief", `the brief holds what looks like ${found.join(" and ")}`, {
      next: "Take it out, and replace it at its provider: it has been written down.",
    });
  }
}

/** A pattern of the brief that meets nothing is a typing error more often than a wish. */
function refuseIdlePatterns(brief: Brief, paths: readonly string[]): void {
  const patterns: [string, string][] = [
    ...(brief.visible ?? []).map((pattern): [string, string] => ["visible", pattern]),
    // An exact name may be a file to be made; a glob must meet something.
    ...(brief.writable ?? []).filter((p) => /[*?[{(]/.test(p)).map((pattern): [string, string] => ["writable", pattern]),
    ...brief.accept.flatMap((c) => c.checks.flatMap((check): [string, string][] => ("absent" in check ? [[`accept ${c.id} absent.in`, check.in]] : []))),
  ];
  for (const [where, pattern] of patterns) {
    if (!paths.some(pathMatcher([pattern]))) {
      throw new SallyportError("brief-invalid", `${where}: ${JSON.stringify(pattern)} matches no file of the base`, {
        next: "Correct the pattern; a file that is to be made is named exactly.",
      });
    }
  }
}

/** The operator's list decides which repositories and refs a planner may name (DESIGN invariant 12, ATTACKS A4). */
export function checkRights(planner: string, rights: PlannerRights, repository: string, ref: string): void {
  if (!pathMatcher(rights.repositories.map((p) => p.slice(1)))(repository.slice(1))) {
    throw new SallyportError("repository-refused", `planner ${planner} may not name ${repository}`, {
      next: `The operator adds it to config.yaml of the state directory: planners.${planner}.repositories: [${JSON.stringify(repository)}]`,
    });
  }
  if (!pathMatcher(rights.refs)(ref)) {
    throw new SallyportError("ref-refused", `planner ${planner} may not land on ${ref}`, {
      next: `The operator adds it to config.yaml of the state directory: planners.${planner}.refs: [${JSON.stringify(ref)}]`,
    });
  }
}

async function loadRole(tools: AdmissionTools, name: string, role: Role): Promise<HarnessFile> {
  const harness = await tools.loadHarness(name);
  if (!harness.roles.includes(role)) {
    throw new SallyportError("brief-invalid", `${name} cannot be ${role}: its roles are ${harness.roles.join(", ")}`, { next: "Name another harness: `sallyport image list`." });
  }
  return harness;
}

/** A branch by its short or full name. */
export function fullRef(name: string): string {
  const ref = name.startsWith("refs/") ? name : `refs/heads/${name}`;
  if (!/^refs\/heads\/(?!.*(?:\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)))[^\s~^:?*[\\\p{Cc}\p{Cf}-][^\s~^:?*[\\\p{Cc}\p{Cf}]*(?<![./])$/u.test(ref)) {
    throw new SallyportError("ref-invalid", `${JSON.stringify(name)} is not a branch name`, { next: "Name a branch, such as main or sallyport/fix-rounding." });
  }
  return ref;
}

/** Checks a request from every side and settles what the delegation runs with. */
export async function admit(request: DelegationRequest, tools: AdmissionTools): Promise<EventData<"delegation.accepted">> {
  const { brief, checkFiles } = parseBrief(request);
  refuseCredentials(brief, checkFiles);
  const repository = await openHostRepository(request.repository);
  // Before anything of the repository is told: a planner learns nothing about one it may not name.
  checkRights(tools.planner, { ...tools.rights, refs: ["refs/heads/**"] }, repository.path, "refs/heads/any");
  const { commit, ref } = await resolveCommit(repository, request.base);
  const target = request.onto ? fullRef(request.onto) : ref;
  if (!target) {
    throw new SallyportError("ref-invalid", `${request.base ?? "HEAD"} is not a branch`, { next: "Say where it may land: --onto BRANCH." });
  }
  checkRights(tools.planner, tools.rights, repository.path, target);

  const policy = narrowPolicy(await tools.loadPolicy(brief.policy), brief);
  const executor = await loadRole(tools, brief.executor, "executor");
  await loadRole(tools, policy.verifier.harness, "verifier");
  if (executor.model && !policy.models[executor.model.route]) {
    throw new SallyportError("policy-invalid", `${brief.executor} needs the model route "${executor.model.route}", which policy ${policy.name} does not give`, {
      next: `Add to the policy: models: { ${executor.model.route}: { base: "https://…" } }`,
    });
  }
  const images = {
    executor: await tools.findImage(brief.executor),
    tester: await tools.findImage(policy.tests?.image ?? "base"),
    verifier: await tools.findImage(policy.verifier.harness),
  };
  const quarantine = await tools.openQuarantine(repository);
  refuseIdlePatterns(brief, await quarantine.listPaths(await quarantine.treeOf(commit)));
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
  };
}
