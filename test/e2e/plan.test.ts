/** Plans on real containers: order, parallel lanes, one verdict on the whole, one landing. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { delegationPage, planPage, summaries } from "../../src/domain/page.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { briefRecord, part, parts, planOf, planTurn, tested } from "./plan-turn.ts";

let host: TestHost;
beforeAll(async () => {
  host = await openHost({ policies: { tested } });
}, 600_000);
afterAll(() => host?.close());

const set = (file: string, from: string, to: string) => `sed -i 's|${from}|${to}|' src/${file}.js`;

describe("a plan", { timeout: 240_000 }, () => {
  it("runs its briefs in their order, each from what it comes after, and lands the combined whole alone", async () => {
    const repository = host.repository(undefined, parts);
    const view = await planTurn(
      host,
      repository,
      planOf([
        part("B1", { instructions: `${set("one", "1;", "1; //B1")}; sleep 2`, writable: ["src/one.js"] }),
        part("B2", { instructions: `${set("two", "2;", "2; //B2")}; sleep 2`, writable: ["src/two.js"] }),
        part("B3", {
          after: ["B1", "B2"],
          // Both trees are there, and nothing that was made later.
          instructions: `grep B1 src/one.js && grep B2 src/two.js && ${set("three", "3;", "3; //B3")}`,
          writable: ["src/three.js"],
        }),
      ]),
    );
    expect(view.state, JSON.stringify(view)).toBe("approved");
    const [one, two, three] = await Promise.all(["B1", "B2", "B3"].map((id) => briefRecord(host, view, id)));
    // The first two at the same time, the third after both.
    const spans = [one, two].map((d) => d?.sandboxes.find((s) => s.role === "executor"));
    const ends = spans.map((s) => Date.parse(s?.started ?? "") + (s?.milliseconds ?? 0));
    expect(Math.max(...spans.map((s) => Date.parse(s?.started ?? "")))).toBeLessThan(Math.min(...ends));
    expect(Date.parse(three?.accepted ?? "")).toBeGreaterThanOrEqual(Math.max(...ends));
    // The third brief's own change is all that its verifier saw.
    expect(three?.attempts[0]?.proposal?.changes).toEqual([{ path: "src/three.js", kind: "modified" }]);

    for (const d of [one, two, three]) {
      const alone = await host.cli("land", d?.id ?? "");
      expect([alone.code, alone.error().code]).toEqual([5, "plan-member"]);
      expect(alone.error().next).toContain(`sallyport land ${view.id}`);
    }
    expect(repository.git("for-each-ref", "--format=%(refname)")).toBe("refs/heads/main");

    const whole = await host.show(view.combined.delegation);
    expect(whole.brief.accept.map(({ id }) => id)).toEqual(["B1-A1", "B2-A1", "B3-A1"]);
    expect(whole.sandboxes.filter((s) => s.role === "verifier")).toHaveLength(1);
    expect(whole.sandboxes.filter((s) => s.role === "executor")).toHaveLength(0);
    expect(whole.approval?.predicate.members).toEqual([one, two, three].map((d) => d?.approval?.digest));
    const diff = await host.cli("diff", view.id);
    for (const name of ["B1", "B2", "B3"]) expect(diff.json<{ patch: string }>().patch).toContain(`//${name}`);

    const landed = await host.cli("land", view.id);
    expect(landed.code, landed.stdout).toBe(0);
    expect(repository.git("rev-parse", "whole^{tree}")).toBe(whole.approval?.predicate.tree);
    expect(repository.git("rev-list", "--count", "main..whole")).toBe("1");
    const shown = await host.cli("show", view.id);
    expect([shown.code, shown.json().state]).toEqual([0, "landed"]);

    // Its page, and its row with what its briefs came to.
    const { body } = await host.api("GET", `/v1/plans/${view.id}/page`);
    const page = planPage.parse(JSON.parse(body));
    expect(page.summary).toMatchObject({ id: view.id, kind: "plan", state: "landed", attempts: 3 });
    expect(page.briefs.items.map(({ id, state }) => `${id} ${state}`)).toEqual([
      "B1 approved",
      "B2 approved",
      "B3 approved",
    ]);
    expect(page.combined).toMatchObject({ delegation: whole.id, state: "landed" });
    expect(page.lines.items[0]?.type).toBe("plan.accepted");
    const list = summaries.parse(JSON.parse((await host.api("GET", "/v1/summaries?limit=10")).body));
    expect(list.summaries.map(({ kind }) => kind).sort()).toEqual([...Array(4).fill("delegation"), "plan"]);
    const part3 = await host.api("GET", `/v1/delegations/${three?.id}/page`);
    expect(delegationPage.parse(JSON.parse(part3.body)).summary).toMatchObject({ plan: view.id, brief: "B3" });

    const twice = await host.cli("land", view.id);
    expect([twice.code, twice.error().code]).toEqual([5, "approval-missing"]);
  });
});
