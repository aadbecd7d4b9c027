/**
 * What lands is what was verified, where and when that was said (ATTACKS V5, V6, V7): replayed, swapped, moved, forced,
 * expired, at the same time, out of order. Each with the benign twin that goes through.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { discardDelegation, landDelegation } from "../../src/delegation/decide.ts";
import type { ApprovalPredicate } from "../../src/domain/approval.ts";
import type { Delegation, PreparedLanding } from "../../src/domain/delegation.ts";
import { digestValue } from "../../src/gate/digest.ts";
import { type HostKey, loadHostKey } from "../../src/gate/keys.ts";
import { approve } from "../../src/gate/land.ts";
import { signApproval } from "../../src/gate/sign-off.ts";
import { openLandings } from "../../src/host/landings.ts";
import { type Approved, approved, start } from "../delegation/approved.ts";
import { codeOf, type Target, target } from "../delegation/target.ts";
import { approval, digest, oid, policyOf } from "../gate/samples.ts";
import { as, owner, script } from "../worktree/fixture.ts";

let t: Target;
let key: HostKey;
const made: Target[] = [];
const main = "refs/heads/main";
beforeAll(async () => {
  const first = await target();
  made.push(first);
  key = await loadHostKey(join(first.root, "keys"));
});
beforeEach(async () => {
  t = await target();
  made.push(t);
});
afterAll(async () => {
  for (const one of made) await one.clean();
});

const ready = (options: Parameters<typeof approved>[3] = {}) =>
  approved(t.root, t.repo, key, { ref: main, ...options });
/** Lands with a record in which the attacker changed something, as if the ledger said so. */
const landWith = (a: Approved, change: (record: Delegation) => Partial<Delegation>, ref = main) =>
  landDelegation(a.id, ref, {
    ...a.tools,
    record: (id) => {
      const record = structuredClone(a.store.record(id));
      return { ...record, ...change(record) };
    },
  });
const refs = () => as(owner, t.repo, "git", "for-each-ref", "--format=%(refname) %(objectname)");

/** Refused with that code, nothing of the repository moved, no intent; then the benign twin lands. */
async function refusedThenTwin(a: Approved, attack: Promise<unknown>, code = "approval-invalid"): Promise<void> {
  const before = await refs();
  expect(await codeOf(attack)).toBe(code);
  expect(await refs()).toBe(before);
  expect(a.store.types()).not.toContain("landing.intended");
  expect(await codeOf(landDelegation(a.id, main, a.tools))).toBe("done");
}

describe("V5: an approval replayed", () => {
  const image = (digit: string) => `sha256:${digest(digit)}`;
  const other: Partial<Record<keyof ApprovalPredicate, unknown>> = {
    repository: "/srv/other",
    ref: "refs/heads/release",
    delegation: "d-bbbbbbbbbbbbbbbb",
    attempt: 2,
    base: oid("a"),
    tree: oid("b"),
    brief: digest("a"),
    patch: digest("a"),
    testReport: digest("a"),
    verdict: digest("a"),
    policy: digest("a"),
    images: { executor: image("a"), tester: image("2"), verifier: image("3") },
    verifier: { harness: "friend", image: image("3") },
    members: [digest("a")],
  };
  test.each(Object.keys(other) as (keyof ApprovalPredicate)[])(
    "with another %s, though the host signed it",
    async (field) => {
      const a = await ready();
      const predicate = { ...a.store.record(a.id).approval?.predicate, [field]: other[field] } as ApprovalPredicate;
      const { envelope, digest: name } = signApproval(predicate, key);
      const swap = ({ approval: own }: Delegation) =>
        own ? { approval: { ...own, approval: envelope, digest: name } } : {};
      await refusedThenTwin(a, landWith(a, swap));
      expect(Object.keys(other).sort()).toEqual(
        Object.keys({ ...predicate, members: [] })
          .filter((one) => one !== "issued" && one !== "expires")
          .sort(),
      );
    },
  );

  test("that is another delegation's of the same change, base, target and host", async () => {
    const a = await ready();
    const b = await ready();
    await refusedThenTwin(
      a,
      landWith(a, () => ({ approval: b.store.record(b.id).approval as never })),
    );
  });

  test("in another repository that has the same objects", async () => {
    const a = await ready();
    const copy = join(t.root, "copy");
    execFileSync("install", ["-d", "-o", String(owner.uid), "-g", String(owner.gid), copy]);
    script(owner, "/", `git -c protocol.file.allow=always clone -q --bare --no-hardlinks '${t.repo}' ${copy}/copy.git`);
    const at = () => as(owner, `${copy}/copy.git`, "git", "rev-parse", main);
    expect(await at()).toBe(a.base);
    // Its quarantine has all that was proposed too.
    const quarantine = await a.tools.openQuarantine(await a.tools.openRepository(`${copy}/copy.git`));
    const [one] = a.store.record(a.id).attempts;
    const pack = await a.quarantine.packFor(one?.proposal?.commit ?? "", null).toArray();
    execFileSync("git", ["--git-dir", quarantine.gitDir, "index-pack", "--stdin"], { input: Buffer.concat(pack) });
    await refusedThenTwin(
      a,
      landWith(a, () => ({ repository: `${copy}/copy.git` })),
    );
    expect(await at()).toBe(a.base);
  });

  test("after its time, by carrying it to another branch, or to where its own has moved", async () => {
    const hour = 3_600_000;
    const a = await ready({ policy: policyOf({ landing: { expires: hour } }) });
    const late = { ...a.tools, now: () => new Date(start.getTime() + hour) };
    expect(await codeOf(landDelegation(a.id, main, late))).toBe("approval-expired");
    expect(await codeOf(landDelegation(a.id, "refs/heads/other", late))).toBe("approval-expired");
    t.move({ one: "1" });
    await refusedThenTwin(a, landDelegation(a.id, main, late), "approval-expired");
  });

  test("that an earlier one of the chain was: the ledger takes only the last", async () => {
    const a = await ready();
    const first = a.store.record(a.id).approval;
    t.move({ one: "1" });
    a.store.before = (event) => {
      if (event.type === "landing.intended") throw new Error("cut");
    };
    await expect(landDelegation(a.id, main, a.tools)).rejects.toThrow("cut");
    a.store.before = () => {};
    const back = { type: "delegation.approved", delegation: a.id, data: first } as never;
    expect(await codeOf(a.store.append(back))).toBe("state-refused");
    const intent = { attempt: 1, approval: first?.digest, ref: main, from: a.base, commit: oid("c") };
    expect(await codeOf(a.store.append({ type: "landing.intended", delegation: a.id, data: intent } as never))).toBe(
      "state-refused",
    );
    expect(await codeOf(landDelegation(a.id, main, a.tools))).toBe("done");
  });
});

describe("V6: swapped between verification and landing", () => {
  test("the tree, by another commit in quarantine", async () => {
    const a = await ready();
    const evil = await a.quarantine.writeBlob(Buffer.from("evil\n"));
    const tree = await a.quarantine.compose(a.tree, [{ path: "src/evil.mjs", mode: "100644", oid: evil }]);
    const plan = { tree, parent: a.base, message: "x", author: { name: "x", email: "x" }, date: start };
    const commit = await a.quarantine.commitTree(plan);
    await refusedThenTwin(
      a,
      landWith(a, ({ attempts: [one] }) => ({
        attempts: [{ ...one, proposal: { ...one?.proposal, commit } }] as never,
      })),
    );
  });

  /** A landing that is prepared for a moved target, approved, and not yet begun. */
  async function prepared(): Promise<Approved & { tip: string }> {
    const a = await ready();
    const tip = t.move({ one: "1" });
    a.store.before = (event) => {
      if (event.type === "landing.intended") throw new Error("cut");
    };
    await expect(landDelegation(a.id, main, a.tools)).rejects.toThrow("cut");
    a.store.before = () => {};
    expect(a.store.record(a.id).prepared?.onto).toBe(tip);
    return { ...a, tip };
  }
  const swaps: [string, (a: Approved, own: PreparedLanding) => Promise<Partial<PreparedLanding>>][] = [
    ["its tree", async (a) => ({ tree: a.tree })],
    ["its commit", async (a) => ({ commit: a.store.record(a.id).attempts[0]?.proposal?.commit ?? "" })],
    ["what it was merged with", async (a) => ({ onto: a.base })],
    ["its report", async (_, own) => ({ report: { ...own.report, failToPass: ["forged"] } as never })],
    ["its report, left out", async () => ({ report: undefined as never })],
    ["the need of a verdict, without one", async () => ({ verify: true })],
    [
      "a verdict of its own",
      async () => ({ verify: true, verdict: approval({ feedback: [{ what: "a", why: "b" }] }) }),
    ],
    ["where it goes", async () => ({ ref: "refs/heads/release" })],
    ["its attempt", async () => ({ attempt: 2 })],
  ];
  test.each(swaps)("the merge with a moved target: %s", async (_, swap) => {
    const a = await prepared();
    const own = a.store.record(a.id).prepared;
    if (!own) throw new Error("not prepared");
    const changed = { ...own, ...(await swap(a, own)) };
    await refusedThenTwin(
      a,
      landWith(a, () => ({ prepared: changed })),
    );
    expect(await t.at("main^")).toBe(a.tip);
  });

  test("the record of the merge, taken away", async () => {
    const a = await prepared();
    await refusedThenTwin(
      a,
      landWith(a, () => ({ prepared: undefined as never })),
    );
  });

  test("the ledger takes no approval of a merge that differs in anything from what was merged and tested", async () => {
    const a = await ready();
    const tip = t.move({ one: "1" });
    let seen: ApprovalPredicate | undefined;
    a.store.before = (event) => {
      if (event.type !== "delegation.approved") return;
      seen = event.data.predicate;
      throw new Error("cut");
    };
    await expect(landDelegation(a.id, main, a.tools)).rejects.toThrow("cut");
    a.store.before = () => {};
    if (!seen) throw new Error("nothing was signed");
    const { issued: _, expires: __, replaces, ...facts } = seen;
    const sign = (change: Partial<ApprovalPredicate>) => ({
      type: "delegation.approved" as const,
      delegation: a.id,
      data: approve({ ...facts, ...change }, key, start, { replaces: change.replaces ?? replaces ?? "" }),
    });
    for (const change of [
      { base: a.base },
      { tree: a.tree },
      { ref: "refs/heads/release" },
      { patch: digest("a") },
      { testReport: digestValue(a.store.record(a.id).attempts[0]?.report) },
      { verdict: digest("a") },
      { attempt: 2 },
      { repository: "/srv/other" },
      { replaces: digest("a") },
    ])
      expect([change, await codeOf(a.store.append(sign(change)))]).toEqual([change, "state-refused"]);
    expect(await codeOf(a.store.append(sign({})))).toBe("done");
    expect((await landDelegation(a.id, main, a.tools)).merged?.onto).toBe(tip);
  });

  test("the target, force-pushed to a history without the base, or back behind it", async () => {
    const a = await ready();
    const forced = await as(owner, t.repo, "git", "commit-tree", "-m", "forced", `${a.base}^{tree}`);
    await as(owner, t.repo, "git", "update-ref", main, forced);
    expect(await codeOf(landDelegation(a.id, main, a.tools))).toBe("target-moved");
    expect(await t.at(main)).toBe(forced);
    await as(owner, t.repo, "git", "update-ref", main, a.base);
    expect(await codeOf(landDelegation(a.id, main, a.tools))).toBe("done");
    // One whose base was taken back: what stood under it is not put back by the landing.
    const next = t.move({ two: "2" });
    await as(owner, t.repo, "git", "checkout", "-q", "--detach", next);
    const b = await ready();
    await as(owner, t.repo, "git", "update-ref", main, a.base);
    expect([b.base, await codeOf(landDelegation(b.id, main, b.tools))]).toEqual([next, "target-moved"]);
    expect(await t.at(main)).toBe(a.base);
  });

  test("the target, by a symbolic ref that leads to another branch", async () => {
    const a = await ready();
    script(owner, t.repo, "git branch victim main; git symbolic-ref refs/heads/main refs/heads/victim");
    const tip = await t.at("victim");
    expect(await codeOf(landDelegation(a.id, main, a.tools))).toBe("ref-invalid");
    expect(await t.at("victim")).toBe(tip);
  });
});

describe("V7: at the same time, twice, out of order", () => {
  const queue = (a: Approved) =>
    openLandings({
      store: { ...a.store, list: () => [a.store.record(a.id)] } as never,
      tools: a.tools,
      secrets: { hold: async () => {}, release: () => {} },
      rested: async () => {},
      log: { warn() {}, error() {} } as never,
      sandboxes: 1,
    });

  test("one, by ten at once: it lands once, and all are told the same", async () => {
    const a = await ready();
    const landings = queue(a);
    const all = await Promise.all(Array.from({ length: 10 }, () => landings.land(a.id, main)));
    expect(new Set(all.map(({ commit }) => commit)).size).toBe(1);
    expect(await as(owner, t.repo, "git", "rev-list", "--count", `${a.base}..main`)).toBe("1");
    expect(a.store.types().filter((type) => type === "delegation.landed")).toHaveLength(1);
    expect(await codeOf(landings.land(a.id, main))).toBe("approval-missing");
    await landings.close();
  });

  test("one, past the queue: the state machine refuses the second, whatever it is about", async () => {
    const a = await ready();
    const both = await Promise.all([1, 2, 3].map(() => codeOf(landDelegation(a.id, main, a.tools))));
    expect(both.filter((code) => code === "done")).toHaveLength(1);
    expect(await as(owner, t.repo, "git", "rev-list", "--count", `${a.base}..main`)).toBe("1");
  });

  test("one, on two branches: the second is refused, and lands nowhere", async () => {
    const a = await ready();
    const landings = queue(a);
    const codes = await Promise.all([codeOf(landings.land(a.id, main)), codeOf(landings.land(a.id, "refs/heads/b"))]);
    expect(codes).toEqual(["done", "state-refused"]);
    expect(await refs()).not.toContain("refs/heads/b ");
    await landings.close();
  });

  test("discarded while it waits, or while it is tested", async () => {
    const a = await ready();
    const tip = t.move({ one: "1" });
    const landings = queue(a);
    a.store.before = (event) => {
      if (event.type === "landing.tested") throw new Error("cut");
    };
    const landed = codeOf(landings.land(a.id, main));
    await landings.cancel(a.id);
    await discardDelegation(a.id, "planner", a.tools);
    expect(await landed).not.toBe("done");
    a.store.before = () => {};
    expect(await codeOf(landings.land(a.id, main))).toBe("approval-missing");
    expect([a.store.record(a.id).state, await t.at(main)]).toEqual(["discarded", tip]);
    await landings.close();
  });

  test("out of order: no step of a landing comes before the one that it rests on", async () => {
    const a = await ready();
    const tip = t.move({ one: "1" });
    const report = a.store.record(a.id).attempts[0]?.report;
    const merged = {
      attempt: 1,
      ref: main,
      onto: tip,
      commit: oid("c"),
      tree: oid("d"),
      patch: digest("a"),
      patchBytes: 1,
      overlap: [],
      verify: false,
    };
    const say = (type: string, data: object) => codeOf(a.store.append({ type, delegation: a.id, data } as never));
    expect(await say("landing.tested", { attempt: 1, report, digest: digest("a") })).toBe("state-refused");
    expect(await say("landing.verified", { attempt: 1, verdict: approval(), digest: digest("a") })).toBe(
      "state-refused",
    );
    expect(await say("landing.refused", { code: "x", message: "x" })).toBe("state-refused");
    expect(await say("delegation.landed", { ref: main, commit: oid("c"), approval: digest("a") })).toBe(
      "state-refused",
    );
    expect(await say("landing.merged", { ...merged, attempt: 2 })).toBe("state-refused");
    expect(await say("landing.merged", merged)).toBe("done");
    expect(await say("landing.merged", merged)).toBe("state-refused");
    // Its verdict is carried: nobody may bring another one in; nor is it verified before it is tested.
    expect(await say("landing.verified", { attempt: 1, verdict: approval(), digest: digest("a") })).toBe(
      "state-refused",
    );
    const { approval: own } = a.store.record(a.id);
    const intent = { attempt: 1, approval: own?.digest, ref: main, from: tip, commit: oid("c") };
    expect(await say("landing.intended", intent)).toBe("state-refused");
    expect(await say("landing.abandoned", { reason: "for the twin" })).toBe("done");
    expect(await codeOf(landDelegation(a.id, main, a.tools))).toBe("done");
    for (const type of ["landing.asked", "landing.merged"])
      expect(await say(type, type === "landing.merged" ? merged : { ref: main, turn: 9, after: [] })).toBe(
        "state-refused",
      );
  });
});
