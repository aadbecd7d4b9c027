/** What the host takes in: the tools of admission, and what is looked for before anything is made durable. */
import { randomBytes } from "node:crypto";
import type { MissionTools } from "../delegation/mission-tools.ts";
import { admitPlan, showFinding } from "../delegation/plan-admit.ts";
import { admitMended } from "../delegation/plan-mend.ts";
import type { LoopTools } from "../delegation/tools.ts";
import type { HostConfig } from "../domain/config.ts";
import { SallyportError } from "../domain/error.ts";
import type { EventData } from "../domain/event.ts";
import { delegationIdFrom } from "../domain/identity.ts";
import type { Policy } from "../domain/policy.ts";
import { loadPolicy } from "../policy/load.ts";
import type { connectEngine } from "../sandbox/connect.ts";
import { findImage } from "../sandbox/images/find.ts";
import { policyDirectories, rightsOf, shippedImages } from "./config.ts";
import type { HouseSecrets } from "./house-secrets.ts";
import { forgetSourcesOf } from "./keeper-environment.ts";
import type { Plans } from "./plans.ts";
import { viewPolicies } from "./policies.ts";
import type { StateDirectory } from "./state-directory.ts";
import type { Store } from "./store.ts";

export const isPlan = (id: string) => id.startsWith("p-");
export const isMission = (id: string) => id.startsWith("m-");

/** A part of a plan that is not over is given up with the whole plan alone: the others count on it. */
export function refuseMember(store: Store, id: string): void {
  const { plan } = store.record(id);
  if (!plan || !["running", "approved"].includes(store.plan(plan.id).state)) return;
  throw new SallyportError(
    "plan-member",
    `${id} is a part of the plan ${plan.id}, which is ${store.plan(plan.id).state}`,
    {
      next: `Give up the plan: \`sallyport discard ${plan.id}\`; or end this part alone: \`sallyport stop ${id}\`.`,
    },
  );
}

/** A brief in which somebody wrote a value that the host knows is refused, without repeating it (ATTACKS S5). */
export async function refuseSecretsIn(
  data: { brief: unknown; checkFiles: Readonly<Record<string, string>> },
  secrets: HouseSecrets,
): Promise<void> {
  const files = Object.values(data.checkFiles).map((file) => Buffer.from(file, "base64"));
  const found = await secrets.contains(Buffer.concat([Buffer.from(JSON.stringify(data.brief)), ...files]));
  if (found.length === 0) return;
  throw new SallyportError("credential-in-brief", `the brief holds the value of the secret ${found.join(", ")}`, {
    next: "Take it out, and replace it at its provider: it has been written down. secret://NAME is how a brief names one.",
  });
}

/** Makes an admitted plan durable, once no value that the host knows is found in it, and sets it going. */
export async function keepPlan(
  id: string,
  data: EventData<"plan.accepted">,
  parts: { store: Store; plans: Plans; secrets: HouseSecrets },
): Promise<void> {
  for (const { admitted } of [...data.briefs, data.combined]) {
    forgetSourcesOf(admitted.policy);
    const said = { brief: data.plan, checkFiles: admitted.checkFiles };
    await refuseSecretsOf(id, admitted.policy, said, parts.secrets);
  }
  await parts.store.append({ type: "plan.accepted", delegation: id, data });
  void parts.plans.advance(id);
}

/** Looks for a policy's secrets in what was said; they are held for as long as that takes. Each delegation holds its own when it runs. */
export async function refuseSecretsOf(
  id: string,
  policy: Policy,
  said: Parameters<typeof refuseSecretsIn>[0],
  secrets: HouseSecrets,
): Promise<void> {
  const holder = `${id}/admission`;
  try {
    await secrets.hold(holder, policy);
    await refuseSecretsIn(said, secrets);
  } finally {
    secrets.release(holder);
  }
}

export type Admission = ReturnType<typeof admissionOf>;

/** What admission needs of this host for one planner. */
export function admissionOf(parts: {
  planner: string;
  state: StateDirectory;
  config: HostConfig;
  tools: LoopTools;
  docker: Awaited<ReturnType<typeof connectEngine>>;
}) {
  const { planner, state, config, tools, docker } = parts;
  return {
    planner,
    rights: rightsOf(config, planner),
    loadPolicy: (name: string) => loadPolicy(name, policyDirectories(config, state)),
    policies: () => viewPolicies(policyDirectories(config, state)),
    loadHarness: tools.loadHarness,
    findImage: async (name: string) => (await findImage(docker, name, shippedImages)).digest,
    openQuarantine: tools.openQuarantine,
    newId: () => delegationIdFrom(randomBytes(10)),
  };
}

/** What a planner harness is offered, and how the plan that it posts is taken in. */
export function plannerTools(parts: {
  store: Store;
  plans: Plans;
  admissionFor: (planner: string) => Admission;
  secrets: HouseSecrets;
}): Pick<MissionTools, "offer" | "acceptPlan" | "acceptMended"> {
  const { admissionFor } = parts;
  return {
    async offer({ permitted, planner }) {
      const admission = admissionFor(planner);
      return {
        executors: await Promise.all(permitted.executors.map(admission.loadHarness)),
        policies: await Promise.all(permitted.policies.map(admission.loadPolicy)),
      };
    },
    async acceptMended(record, brief, posted, checkFiles) {
      const { store, plans, secrets } = parts;
      const { permitted, plan: id } = record;
      const tools = { ...admissionFor(record.planner), permitted };
      const data = await admitMended(store.plan(id), brief, posted, checkFiles, tools);
      forgetSourcesOf(data.admitted.policy);
      const said = { brief: data.plan, checkFiles: data.admitted.checkFiles };
      await refuseSecretsOf(id, data.admitted.policy, said, secrets);
      await store.append({ type: "plan.mended", delegation: id, data });
      void plans.advance(id);
      return { warnings: data.findings.map(showFinding) };
    },
    async acceptPlan(record, plan, checkFiles) {
      const { repository, base, ref: onto, permitted } = record;
      const request = { repository, base, onto, plan, checkFiles };
      const data = await admitPlan(request, { ...admissionFor(record.planner), permitted });
      await keepPlan(record.plan, { ...data, mission: record.id }, parts);
      return { warnings: data.findings.map(showFinding) };
    },
  };
}
