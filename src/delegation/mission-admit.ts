/** Admission of a mission: who may start which planner, under which policy, on what. Nothing has run yet. */
import { SallyportError } from "../domain/error.ts";
import type { EventData } from "../domain/event.ts";
import { digestValue } from "../gate/digest.ts";
import { type AdmissionTools, loadRole, openNamed, refuseCredentials, requireRoute, resolveTarget } from "./admit.ts";

export interface MissionRequest {
  repository: string;
  base?: string | undefined;
  onto?: string | undefined;
  mission: string;
  /** Left out: the first that the operator names. */
  harness?: string | undefined;
  /** Left out: `planner`. */
  policy?: string | undefined;
}

/** The policy of a planner that names none. */
const usualPolicy = "planner";

/** Checks a mission and settles what its planner runs with. Errors: `mission-refused`, and those of `admit`. */
export async function admitMission(
  request: MissionRequest,
  tools: AdmissionTools & { newPlanId(): string },
): Promise<EventData<"mission.accepted">> {
  refuseCredentials({ ...request, brief: { mission: request.mission } });
  const { missions } = tools.rights;
  const name = request.harness ?? missions?.harnesses[0];
  const list = (what: string) =>
    `The operator adds it to config.yaml of the state directory: planners.${tools.planner}.missions: { harnesses: [${what}], executors: [...], policies: [...] }`;
  if (!missions || name === undefined || !missions.harnesses.includes(name)) {
    const found = name ? `planner ${tools.planner} may not start ${name} as a planner` : "no harness may plan here";
    throw new SallyportError("mission-refused", found, { next: list(name ?? "HARNESS") });
  }
  for (const key of ["executors", "policies"] as const) {
    if (missions[key].length > 0) continue;
    throw new SallyportError("mission-refused", `a plan could name nothing: missions.${key} is empty`, {
      next: list(name),
    });
  }
  const repository = await openNamed(request, tools);
  const { commit, target } = await resolveTarget(request, repository, tools);
  const policy = await tools.loadPolicy(request.policy ?? usualPolicy);
  const harness = await loadRole(tools, name, "planner");
  requireRoute(harness, policy);
  return {
    mission: request.mission,
    repository: repository.path,
    base: commit,
    ref: target,
    planner: tools.planner,
    harness: name,
    image: await tools.findImage(name),
    policy,
    policyDigest: digestValue(policy),
    permitted: { executors: missions.executors, policies: missions.policies },
    plan: tools.newPlanId(),
  };
}
