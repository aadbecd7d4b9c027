/** How a plan ends when it does not go well: conflicts, a red whole, a brief that fails; and what is kept, or given up. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import type { Entry } from "../../src/domain/event.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { until } from "./leftovers.ts";
import { briefRecord, part, parts, planOf, planRest, planTurn, sendPlan, tested } from "./plan-turn.ts";

let host: TestHost;
beforeAll(async () => {
  host = await openHost({ policies: { tested } });
}, 600_000);
afterAll(() => host?.close());

const append = (id: string, file: string, more: Record<string, unknown> = {}) =>
  part(id, { instructions: `echo '//${id}' >> src/${file}.js`, writable: [`src/${file}.js`], ...more });

describe("a plan that does not go well", { timeout: 240_000 }, () => {
  it("is told which paths do not merge where a file takes the place of a folder", async () => {
    const repository = host.repository(undefined, parts);
    const view = await planTurn(
      host,
      repository,
      planOf([
        part("B1", { instructions: "echo 1 > src/data", writable: ["src/data"] }),
        part("B2", { instructions: "mkdir src/data && echo 2 > src/data/two.js", writable: ["src/data/two.js"] }),
        append("B3", "three", { after: ["B1", "B2"] }),
      ]),
    );
    expect(view.state, JSON.stringify(view)).toBe("rejected");
    expect(view.conflicts[0]).toMatchObject({ brief: "B3", between: ["B1", "B2"] });
    expect(view.conflicts[0]?.paths.join()).toContain("src/data");
    expect(view.reason).toContain("B3 cannot start: what B1 and B2 made does not merge");
    const shown = await host.cli("show", view.id);
    expect(shown.code).toBe(1);
    // What was approved is kept until the plan is given up.
    for (const id of ["B1", "B2"]) expect((await briefRecord(host, view, id)).state).toBe("approved");
    expect((await host.cli("discard", view.id)).code).toBe(0);
    for (const id of ["B1", "B2"]) expect((await briefRecord(host, view, id)).state).toBe("discarded");
  });

  it("whose whole is red is bisected to the two briefs that are red together, by tests alone", async () => {
    const repository = host.repository(undefined, {
      ...parts,
      "src/four.js": "export const four = () => 4;\n",
      // Green with either change, red with both.
      "test/sum.test.js":
        'import test from "node:test";\nimport assert from "node:assert/strict";\nimport { two } from "../src/two.js";\nimport { three } from "../src/three.js";\n\ntest("sum", () => assert.ok(two() + three() < 14));\n',
    });
    const grow = (id: string, file: string, from: string, to: string) =>
      part(id, { instructions: `sed -i 's/ ${from};/ ${to};/' src/${file}.js`, writable: [`src/${file}.js`] });
    const view = await planTurn(
      host,
      repository,
      planOf([
        grow("B1", "two", "2", "7"),
        part("B2", { instructions: "echo '//' >> src/one.js", writable: ["src/one.js"] }),
        grow("B3", "three", "3", "8"),
        grow("B4", "four", "4", "9"),
      ]),
    );
    expect(view.state, JSON.stringify(view)).toBe("rejected");
    expect(view.combined.culprits).toEqual(["B1", "B3"]);
    expect(view.reason).toContain("B1 and B3 are each approved and red together");
    const whole = await host.show(view.combined.delegation);
    expect(whole.sandboxes.filter((s) => s.role !== "tester")).toEqual([]);
    expect(whole.bisected?.runs).toBeLessThanOrEqual(5);
    const landed = await host.cli("land", view.id);
    expect([landed.code, landed.error().code]).toEqual([5, "approval-missing"]);
    expect(repository.git("for-each-ref", "--format=%(refname)")).toBe("refs/heads/main");
  });

  it("does not start what comes after a brief that is stuck; the others go on", async () => {
    const view = await planTurn(
      host,
      host.repository(undefined, parts),
      planOf([
        part("B1", { instructions: 'report stuck "no way"; sleep 5', writable: ["src/one.js"] }),
        append("B2", "two", { after: ["B1"] }),
        append("B3", "three"),
      ]),
    );
    expect(view.state).toBe("stuck");
    expect(view.briefs.map((brief) => brief.state)).toEqual(["stuck", "never started", "approved"]);
    expect(view.reason).toContain("never started: B2");
    expect(view.reason).toContain("kept in quarantine until the plan is discarded: B3");
    expect((await host.cli("show", view.id)).code).toBe(3);
  });

  it("ends rejected by the verifier of the whole, though each brief is approved", async () => {
    const view = await planTurn(
      host,
      host.repository(undefined, parts),
      planOf([append("B1", "one"), append("B2", "two")], { intent: "verdict reject 'they do not fit'" }),
    );
    expect([view.state, view.combined.state]).toEqual(["rejected", "rejected"]);
    expect(view.reason).toContain("they do not fit");
    // It is asked once: the same tree would be the same again.
    const whole = await host.show(view.combined.delegation);
    expect(whole.sandboxes.filter((s) => s.role === "verifier")).toHaveLength(1);
  });
});

describe("a plan that is stopped or given up", { timeout: 240_000 }, () => {
  it("ends everything that runs or waits; nothing of it is left to land", async () => {
    const repository = host.repository(undefined, parts);
    const slow = (id: string, file: string) => ({ ...append(id, file), instructions: "sleep 60" });
    const id = await sendPlan(host, repository, planOf([slow("B1", "one"), slow("B2", "two"), append("B3", "three")]));
    const running = await until("two briefs at work", async () => {
      const { body } = await host.api("GET", `/v1/plans/${id}`);
      const { briefs } = JSON.parse(body) as { briefs: { delegation: string; state: string }[] };
      const at = briefs.filter((brief) => brief.state === "executing");
      return at.length === 2 ? at : undefined;
    });
    const one = running[0]?.delegation ?? "";
    const refused = await host.cli("discard", one);
    expect([refused.code, refused.error().code]).toEqual([5, "plan-member"]);
    expect(refused.error().next).toContain(`sallyport stop ${one}`);
    expect((await host.cli("stop", id)).json()).toMatchObject({ state: "discarded" });
    for (const { delegation } of running) expect((await host.show(delegation)).state).toBe("discarded");
    expect((await host.cli("show", id)).code).toBe(1);
  });

  it("a brief that is stopped alone takes what comes after it along, and nothing else", async () => {
    const id = await sendPlan(
      host,
      host.repository(undefined, parts),
      planOf([{ ...append("B1", "one"), instructions: "sleep 60" }, append("B2", "two")]),
    );
    const { body } = await host.api("GET", `/v1/plans/${id}`);
    const first = (JSON.parse(body) as { briefs: { delegation: string }[] }).briefs[0]?.delegation ?? "";
    await host.seen(first, "sandbox.started");
    expect((await host.cli("stop", first)).code).toBe(0);
    const view = await planRest(host, id);
    expect([view.state, view.briefs.map((brief) => brief.state)]).toEqual(["rejected", ["discarded", "approved"]]);
  });
});

describe("SIGKILL of the daemon in a plan", () => {
  const boundaries: [string, Entry["type"]][] = [
    ["plan", "plan.accepted"],
    ["B1", "delegation.accepted"],
    ["B1", "delegation.approved"],
    ["B2", "delegation.accepted"],
    ["B2", "attempt.started"],
    ["B2", "delegation.approved"],
    ["whole", "delegation.accepted"],
    ["whole", "proposal.collected"],
    ["whole", "delegation.approved"],
  ];
  it("at each of its boundaries: it goes on, nothing runs twice that was approved, and it lands once", async () => {
    const repository = host.repository(undefined, parts);
    const id = await sendPlan(host, repository, planOf([append("B1", "one"), append("B2", "two", { after: ["B1"] })]));
    const accepted = await host.seen(id, "plan.accepted");
    if (accepted.type !== "plan.accepted") throw new Error(accepted.type);
    const subjects = new Map([
      ["plan", id],
      ["whole", accepted.data.combined.delegation],
      ...accepted.data.briefs.map((brief) => [brief.id, brief.delegation] as const),
    ]);
    for (const [who, type] of boundaries) {
      await host.seen(subjects.get(who) ?? "", type, 120);
      await host.kill();
      await host.up();
    }
    const view = await planRest(host, id);
    expect(view.state, JSON.stringify(view)).toBe("approved");
    for (const subject of subjects.values()) {
      const types = host.entries(subject).map((entry) => entry.type);
      const once = types.filter((type) =>
        ["delegation.accepted", "delegation.approved", "plan.accepted"].includes(type),
      );
      expect(new Set(once).size).toBe(once.length);
    }
    const answer = host.api("POST", `/v1/plans/${id}/land`, {}).catch(() => undefined);
    await host.seen(subjects.get("whole") ?? "", "landing.intended");
    await host.kill();
    await answer;
    await host.up();
    const landed = await until("the plan landed", async () => {
      const { body } = await host.api("GET", `/v1/plans/${id}`);
      const { state, landed: at } = JSON.parse(body) as { state: string; landed?: Delegation["landed"] };
      return state === "landed" ? at : undefined;
    });
    expect(repository.git("rev-parse", "whole")).toBe(landed.commit);
    expect(repository.git("rev-list", "--count", "main..whole")).toBe("1");
  }, 300_000);
});
