/** Missions on real containers: a planner harness without a model plans, the plan runs, one report comes back. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Entry } from "../../src/domain/event.ts";
import type { MissionView } from "../../src/domain/mission-record.ts";
import { planPage } from "../../src/domain/page.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { until } from "./leftovers.ts";
import { part, parts, planOf, tested } from "./plan-turn.ts";

let host: TestHost;
beforeAll(async () => {
  host = await openHost({
    policies: { tested, "planner-once": { version: 1, extends: "planner", budget: { attempts: 1, wall: "30s" } } },
    missions: { harnesses: ["scripted"], executors: ["scripted"], policies: ["tested"] },
  });
}, 600_000);
afterAll(() => host?.close());

const change = (id: string, file: string) =>
  part(id, { instructions: `echo '//${id}' >> src/${file}.js`, writable: [`src/${file}.js`] });
const good = planOf([change("B1", "one"), change("B2", "two")]);

/** The lines of a mission that post a plan. */
const post = (plan: object, name = "plan") =>
  [`cat > /tmp/${name}.json <<'PLAN'`, JSON.stringify(plan), "PLAN", `report plan /tmp/${name}.json`].join("\n");
const typesOf = (entries: Entry[]) => entries.map((entry) => entry.type);

async function send(repository: { path: string }, mission: string, more: object = {}): Promise<string> {
  const { status, body } = await host.api("POST", "/v1/missions", {
    repository: repository.path,
    onto: "whole",
    mission,
    ...more,
  });
  if (status !== 201) throw new Error(`refused: ${status} ${body}`);
  return (JSON.parse(body) as { id: string }).id;
}

const rest = (id: string, seconds = 120) =>
  until(
    `${id} at rest`,
    async () => {
      const { status, body } = await host.api("GET", `/v1/missions/${id}/wait?seconds=5`);
      if (status !== 200) throw new Error(`${status} ${body}`);
      const view = JSON.parse(body) as MissionView;
      return view.rests ? view : undefined;
    },
    seconds,
  );

describe("run", { timeout: 240_000 }, () => {
  it("goes from a mission to a report: refused plans come back to be mended, the first valid one runs", async () => {
    const repository = host.repository(undefined, parts);
    const stranger = planOf([part("B1", { instructions: "true", policy: "quick" }), change("B2", "two")]);
    const both = planOf([
      change("B1", "one"),
      part("B2", { instructions: "true", writable: ["src/**"], title: "Other work" }),
    ]);
    const mission = [
      "#!attempt 1",
      // Nothing that a planner has can be written but its own scratch space, and nothing can be reached.
      'touch /worktree/x && exit 1; touch /mission/x && exit 1; test -z "$(ls -A /workspace /brief 2>/dev/null | grep -v :)" || exit 1; touch /workspace/x && exit 1',
      "test -f /worktree/src/one.js || exit 1",
      "echo '{\"title\": 1}' > /tmp/broken.json; report plan /tmp/broken.json && exit 1",
      `${post(stranger, "stranger")} && exit 1`,
      `${post(both, "both")} && exit 1`,
      "report summary /tmp/both.json && exit 1",
      post(good),
      "report plan /tmp/plan.json && exit 1",
      "#!report",
      "grep -q approved /mission/outcome.json || exit 1; test ! -e /worktree/src || exit 1",
      "echo 'Both parts are done.' > /tmp/r.txt; report summary /tmp/r.txt",
    ].join("\n");
    const run = await host.cli("run", mission, "--repo", repository.path, "--onto", "whole", "--land");
    expect(run.code, run.stdout + run.stderr).toBe(0);
    const view = run.json<MissionView & { id: string }>();
    expect(view).toMatchObject({ state: "landed", report: { by: "planner", text: "Both parts are done." } });
    expect(view.turns.map((turn) => [turn.purpose, turn.refused.length])).toEqual([
      ["plan", 3],
      ["report", 0],
    ]);
    const [broken, unpermitted, overlap] = view.turns[0]?.refused ?? [];
    expect(broken).toContain("title");
    expect(unpermitted).toContain("Name one of: tested.");
    expect(overlap).toContain("B1 and B2 may both write src/one.js");
    expect(repository.git("show", "whole:src/one.js")).toContain("//B1");

    const entries = host.entries(view.id);
    expect(typesOf(entries)).toEqual(
      expect.arrayContaining(["mission.accepted", "planner.refused", "mission.reported"]),
    );
    const planners = entries.filter((entry) => entry.type === "sandbox.started");
    expect(planners.map(({ data }) => data.role)).toEqual(["planner", "planner"]);
    for (const { data } of planners) expect(JSON.stringify(data.controls.mounts)).not.toContain(":rw");
    expect((await host.cli("show", view.id)).code).toBe(0);
    const page = planPage.parse(JSON.parse((await host.api("GET", `/v1/missions/${view.id}/page`)).body));
    expect(page.summary).toMatchObject({ kind: "mission", state: "landed", rests: true, attempts: 2 });
    expect(page.turns.map(({ purpose, refused }) => [purpose, refused.length])).toEqual([
      ["plan", 3],
      ["report", 0],
    ]);
    expect(page.report).toEqual({ by: "planner", text: "Both parts are done." });
    expect(page.briefs.total).toBe(2);
  });

  it("ends stuck where no plan is ever valid, capped in turns and in refused plans", async () => {
    const mission =
      "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo '{}' > /tmp/p.json; report plan /tmp/p.json; done; sleep 60";
    const id = await send(host.repository(undefined, parts), mission, { policy: "planner-once" });
    const begun = performance.now();
    const view = await rest(id);
    expect(performance.now() - begun).toBeLessThan(30_000);
    expect([view.state, view.turns.length]).toEqual(["stuck", 1]);
    expect(view.turns[0]?.refused).toHaveLength(10);
    expect(view.reason).toContain("sallyport plan run");
    expect((await host.cli("show", id)).code).toBe(3);
  });

  it("ends stuck with the planner's own word, and over budget at its time", async () => {
    const repository = host.repository(undefined, parts);
    const stuck = await rest(await send(repository, 'report stuck "the mission contradicts itself"'));
    expect([stuck.state, stuck.turns.length]).toEqual(["stuck", 1]);
    expect(stuck.reason).toContain("contradicts itself");
    const late = await rest(await send(repository, "sleep 100", { policy: "planner-once" }));
    expect(late.state).toBe("over-budget");
  });

  it("gives its own report where the planner gives none", async () => {
    const id = await send(host.repository(undefined, parts), `#!attempt 1\n${post(good)}`);
    const view = await rest(id);
    expect([view.state, view.report?.by]).toEqual(["approved", "host"]);
    expect(view.report?.text).toContain("B1 Work of B1: approved");
    expect(view.report?.text).toContain(`sallyport land ${view.plan?.id}`);
  });

  it("is refused a planner, a policy and executors that the operator does not name", async () => {
    const repository = host.repository(undefined, parts);
    const other = await host.cli("run", "x", "--repo", repository.path, "--planner", "pi", "--onto", "whole");
    expect([other.code, other.error().code]).toEqual([5, "mission-refused"]);
    expect(other.error().next).toContain("config.yaml");
  });

  it("goes on after SIGKILL: in the planner's turn, in the plan, and before the report", async () => {
    const slow = planOf([
      part("B1", { instructions: "echo //B1 >> src/one.js; sleep 1", writable: ["src/one.js"] }),
      part("B2", { instructions: "echo //B2 >> src/two.js", writable: ["src/two.js"], after: ["B1"] }),
    ]);
    const mission = `#!attempt 1\nsleep 1\n${post(slow)}\n#!report\nsleep 2; echo done > /tmp/r; report summary /tmp/r`;
    const repository = host.repository(undefined, parts);
    const id = await send(repository, mission);
    const accepted = await host.seen(id, "mission.accepted");
    const plan = accepted.type === "mission.accepted" ? accepted.data.plan : "";
    const boundaries: [string, Entry["type"]][] = [
      [id, "sandbox.started"],
      [plan, "plan.accepted"],
      [plan, "plan.approved"],
    ];
    for (const [subject, type] of boundaries) {
      await host.seen(subject, type, 120);
      await host.kill();
      await host.up();
    }
    const view = await rest(id, 180);
    expect(view.state, JSON.stringify(view)).toBe("approved");
    expect(view.report).toBeDefined();
    expect(host.entries(view.plan?.id).filter((entry) => entry.type === "plan.accepted")).toHaveLength(1);
    expect(view.turns[0]?.message).toContain("crash");
  });
});
