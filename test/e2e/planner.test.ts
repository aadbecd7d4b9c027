/** What a planner can say to a daemon: discard, stop, wait, land elsewhere, narrow; and the exit codes. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import { openHost, type TestHost } from "./daemon.ts";

let host: TestHost;
beforeAll(async () => {
  host = await openHost({ refs: ["refs/heads/main", "refs/heads/fix/**"] });
}, 600_000);
afterAll(() => host?.close());

const reasons = (d: Delegation) => d.attempts.flatMap((a) => a.rejection?.findings.map((f) => f.reason) ?? []);

describe("what a planner can say", () => {
  it("discards an approval, after which nothing lands", async () => {
    const repository = host.repository();
    const d = await host.turn(repository);
    expect((await host.cli("discard", d.id)).code).toBe(0);
    const landed = await host.cli("land", d.id, "--onto", "fix/none");
    expect([landed.code, landed.error().code]).toEqual([5, "approval-missing"]);
    expect((await host.cli("show", d.id)).code).toBe(1);
    expect(repository.git("for-each-ref", "--format=%(refname)")).toBe("refs/heads/main");
  });

  it("stops one that runs, and one that waits", async () => {
    const repository = host.repository();
    const sleeping = { instructions: "sleep 50" };
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push(await host.send(repository, sleeping));
    const [first = "", second = "", third = ""] = ids;
    await host.seen(second, "sandbox.started");
    expect((await host.show(third)).state).toBe("accepted");
    expect((await host.cli("stop", third)).json()).toMatchObject({ state: "discarded" });
    const begun = performance.now();
    for (const id of [first, second]) expect((await host.cli("stop", id)).json()).toMatchObject({ state: "discarded" });
    expect(performance.now() - begun).toBeLessThan(15_000);
    const ended = host.entries(first).find((e) => e.type === "sandbox.ended");
    expect(ended?.data).toMatchObject({ end: "stopped" });
    const again = await host.cli("stop", first);
    expect([again.code, again.error().code]).toEqual([5, "state-refused"]);
  });

  it("waits for a change, and not longer than it said", async () => {
    const id = await host.send(host.repository(), { instructions: "sleep 4; sed -i s/floor/round/ src/money.js" });
    await host.seen(id, "sandbox.started");
    const { updated } = await host.show(id);
    const begun = performance.now();
    const early = JSON.parse((await host.api("GET", `/v1/delegations/${id}/wait?seconds=1`)).body) as Delegation;
    expect([early.state, performance.now() - begun > 900]).toEqual(["executing", true]);
    const since = `since=${encodeURIComponent(updated)}`;
    const changed = JSON.parse(
      (await host.api("GET", `/v1/delegations/${id}/wait?seconds=30&${since}`)).body,
    ) as Delegation;
    expect(changed.updated).not.toBe(updated);
    expect((await host.rest(id)).state).toBe("approved");
  });

  it("runs two at once, each in its own lane", async () => {
    const repository = host.repository();
    const script = "sleep 3; sed -i s/floor/round/ src/money.js";
    const ids = await Promise.all([1, 2].map(() => host.send(repository, { instructions: script })));
    const records = await Promise.all(ids.map((id) => host.rest(id)));
    expect(records.map((d) => d.state)).toEqual(["approved", "approved"]);
    const lanes = ids.map((id) => host.entries(id).find((e) => e.type === "delegation.started")?.data);
    expect(new Set(lanes.map((data) => (data as { lane: number }).lane)).size).toBe(2);
    const spans = records
      .map((d) => d.sandboxes[0])
      .map((s) => ({ from: Date.parse(s?.started ?? ""), ms: s?.milliseconds ?? 0 }));
    expect(Math.max(...spans.map((s) => s.from))).toBeLessThan(Math.min(...spans.map((s) => s.from + s.ms)));
  });

  it("lands onto another branch with a new approval that names the old", async () => {
    const repository = host.repository();
    const d = await host.turn(repository);
    const landed = await host.cli("land", d.id, "--onto", "fix/other");
    expect(landed.code).toBe(0);
    const approvals = host.entries(d.id).filter((e) => e.type === "delegation.approved");
    const [old, carried] = approvals.map((e) => e.data as NonNullable<Delegation["approval"]>);
    expect(approvals).toHaveLength(2);
    expect(carried?.predicate).toMatchObject({
      ref: "refs/heads/fix/other",
      replaces: old?.digest,
      tree: old?.predicate.tree,
    });
    expect(repository.git("rev-parse", "fix/other^{tree}")).toBe(old?.predicate.tree);
  });

  it("is refused a target that moved, is checked out, or is not the planner's; then lands where it may", async () => {
    const repository = host.repository();
    repository.git("branch", "fix/moved");
    const d = await host.turn(repository, {}, { onto: "fix/moved" });
    repository.git(
      "update-ref",
      "refs/heads/fix/moved",
      repository.git("commit-tree", "-m", "rewritten", "main^{tree}"),
    );
    const moved = repository.git("rev-parse", "fix/moved");
    for (const [onto, code] of [
      ["fix/moved", "target-moved"],
      ["main", "target-checked-out"],
      ["release", "ref-refused"],
    ] as const) {
      const said = await host.cli("land", d.id, "--onto", onto);
      expect([onto, said.code, said.error().code]).toEqual([onto, 5, code]);
      expect(said.error().next).not.toBe("");
    }
    const odd = await host.cli("land", d.id, "--onto", "a..b");
    expect([odd.code, odd.error().code]).toEqual([2, "ref-invalid"]);
    expect(repository.git("rev-parse", "fix/moved", "main")).toBe(`${moved}\n${repository.head}`);
    expect((await host.cli("land", d.id, "--onto", "fix/free")).code).toBe(0);
  });
});

describe("a brief that narrows", () => {
  it("takes away what may be written, seen and spent", async () => {
    const repository = host.repository();
    const only = { writable: ["src/money.js"], visible: ["src/**"], network: [], budget: { attempts: 1, wall: "30s" } };
    const instructions = "test ! -e README.md && test ! -e test && sed -i s/floor/round/ src/money.js";
    const d = await host.turn(repository, { ...only, instructions });
    expect(d.state, JSON.stringify(d.attempts)).toBe("approved");
    expect(d.policy).toMatchObject({
      filesystem: { writable: ["src/money.js"], visible: ["src/**"] },
      budget: { attempts: 1, wall: 30_000 },
    });
    const elsewhere = await host.turn(repository, { ...only, instructions: "echo 1 > src/other.js" });
    expect([elsewhere.state, ...reasons(elsewhere)]).toEqual(["rejected", "not-writable"]);
  });

  it("may add nothing, exit 5", async () => {
    const { path } = host.repository();
    for (const wider of [
      { writable: ["**"] },
      { network: [{ host: "example.org" }] },
      { budget: { attempts: 9 } },
      { models: ["openai"] },
    ]) {
      const said = await host.cli("delegate", host.brief(wider), "--repo", path);
      expect([JSON.stringify(wider), said.code, said.error().code]).toEqual([
        JSON.stringify(wider),
        5,
        "policy-widened",
      ]);
    }
  });
});

describe("exit codes", () => {
  it("2 is what the caller wrote, 6 is the host's fault", async () => {
    for (const args of [["delegate"], ["nonsense"], ["show", "d-1"], ["list", "--nonsense"]]) {
      expect([args, (await host.cli(...args)).code]).toEqual([args, 2]);
    }
    const dead = await host.cli("list", "--socket", `${host.directory}/none.sock`);
    expect([dead.code, dead.error().code]).toEqual([6, "host-unreachable"]);
    expect(dead.error().next).toContain("sallyport daemon");
  });

  it("a second daemon on the same state is refused, and the first goes on", async () => {
    const second = await host.cli("daemon");
    expect(second.code).toBe(6);
    expect(second.error().code).toBe("host-busy");
    expect((await host.cli("list")).code).toBe(0);
  });
});
