/** A brief of a mission that is stuck goes back to its planner, once: on real containers, with a planner without a model. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CostReport } from "../../src/delegation/cost.ts";
import type { MissionView } from "../../src/domain/mission-record.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { until } from "./leftovers.ts";
import { part, parts, planOf, tested } from "./plan-turn.ts";

let host: TestHost;
beforeAll(async () => {
  host = await openHost({
    policies: { tested },
    missions: { harnesses: ["scripted"], executors: ["scripted"], policies: ["tested"] },
  });
}, 600_000);
afterAll(() => host?.close());

const works = (id: string, file: string) =>
  part(id, { instructions: `echo '//${id}' >> src/${file}.js`, writable: [`src/${file}.js`] });
const stuck = part("B1", {
  instructions: 'report stuck "which file is meant?"; sleep 60',
  writable: ["src/one.js"],
  budget: { wall: "30s", patch: "16KiB" },
});
const post = (plan: object, name: string) =>
  [`cat > /tmp/${name}.json <<'PLAN'`, JSON.stringify(plan), "PLAN", `report plan /tmp/${name}.json`].join("\n");

async function run(mission: string[]): Promise<MissionView> {
  const repository = host.repository(undefined, parts);
  const request = { repository: repository.path, onto: "whole", mission: mission.join("\n") };
  const { status, body } = await host.api("POST", "/v1/missions", request);
  if (status !== 201) throw new Error(`refused: ${status} ${body}`);
  const { id } = JSON.parse(body) as { id: string };
  const at = async () => {
    const view = JSON.parse((await host.api("GET", `/v1/missions/${id}/wait?seconds=5`)).body) as MissionView;
    return view.rests ? view : undefined;
  };
  return until(`${id} at rest`, at, 200);
}

const plan = ["#!attempt 1", post(planOf([stuck, { ...works("B2", "two"), after: ["B1"] }]), "plan")];

describe("a brief that is stuck, of a plan that a planner harness made", () => {
  it("is mended by it under the plan's rules, and the plan goes on to its approval", async () => {
    const view = await run([
      ...plan,
      "#!mend",
      // What it is told: the dossier, with the executor's claim as one.
      "grep -q 'which file is meant' /mission/dossier.json || exit 1; grep -q claim /mission/prompt.md || exit 1",
      // Another id, more than one brief, another brief's files, and a policy that is not its own are refused.
      `${post({ briefs: [works("B2", "one")] }, "other")} && exit 1`,
      `${post({ briefs: [works("B1", "one"), works("B2", "two")] }, "both")} && exit 1`,
      `${post({ briefs: [{ ...works("B1", "one"), policy: "quick" }] }, "policy")} && exit 1`,
      post({ briefs: [{ ...works("B1", "one"), budget: { wall: "20s" } }] }, "good"),
      `${post({ briefs: [works("B1", "one")] }, "again")} && exit 1`,
      "#!report",
      "echo done > /tmp/r; report summary /tmp/r",
    ]);
    expect(view.state, JSON.stringify(view)).toBe("approved");
    expect(view.turns.map((turn) => [turn.purpose, turn.refused.length])).toEqual([
      ["plan", 0],
      ["mend", 3],
      ["report", 0],
    ]);
    const entries = host.entries(view.plan?.id);
    const mended = entries.filter((entry) => entry.type === "plan.mended");
    expect(mended).toHaveLength(1);
    expect(mended[0]).toMatchObject({ data: { brief: "B1", plan: { briefs: [{ id: "B1" }, { after: ["B1"] }] } } });
    const [b1, b2] = view.plan?.briefs ?? [];
    expect([b1?.state, b2?.state]).toEqual(["approved", "approved"]);
    // The one that was stuck is still told of, and it was escalated to the planner.
    const first = host.entries().find((e) => e.type === "delegation.stuck");
    expect(first?.delegation).not.toBe(b1?.delegation);
    expect(await host.seen(first?.delegation ?? "", "stuck.escalated")).toMatchObject({ data: { to: "planner" } });
    const { cost } = (await host.cli("show", view.id)).json<{ cost: CostReport }>();
    const plans = cost.tiers.find(({ tier }) => tier === "plan");
    expect(plans?.milliseconds).toBe(view.turns.reduce((sum, turn) => sum + (turn.milliseconds ?? 0), 0));
    expect(cost.tiers.reduce((sum, tier) => sum + tier.milliseconds, 0)).toBe(cost.total.milliseconds);
  }, 240_000);

  it("is asked about once: a mended brief that is stuck again ends the plan, as does a planner without an answer", async () => {
    const again = await run([...plan, "#!mend", post({ briefs: [stuck] }, "same")]);
    expect([again.state, again.turns.map((turn) => turn.purpose)]).toEqual(["stuck", ["plan", "mend", "report"]]);
    expect(host.entries(again.plan?.id).filter((e) => e.type === "plan.mended")).toHaveLength(1);

    const silent = await run([...plan, "#!mend", 'report stuck "only another policy would help"']);
    expect([silent.state, silent.turns.map((turn) => turn.purpose)]).toEqual(["stuck", ["plan", "mend", "report"]]);
    const [unmended] = host.entries(silent.plan?.id).filter((e) => e.type === "plan.unmended");
    expect(unmended).toMatchObject({ data: { brief: "B1", why: expect.stringContaining("only another policy") } });
  }, 300_000);
});
