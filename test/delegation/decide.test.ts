import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { discardDelegation, landDelegation, resumeLanding } from "../../src/delegation/decide.ts";
import { approvalLifetime } from "../../src/domain/policy.ts";
import { type HostKey, loadHostKey } from "../../src/gate/keys.ts";
import { as, type Bench, bench, commit, owner, script } from "../worktree/fixture.ts";
import { type Approved, approved, start } from "./approved.ts";

let b: Bench;
let key: HostKey;
let base: string;
beforeAll(async () => {
  b = await bench();
  base = await commit(b.repo, "mkdir src; printf 'export const sum = (a, b) =>\\n  a - b;\\n' > src/sum.mjs");
  await as(owner, b.repo, "git", "checkout", "-q", "-b", "work");
  key = await loadHostKey(join(b.root, "keys"));
});
afterAll(() => b?.clean());

class Crash extends Error {}
let branches = 0;
/** An approved delegation for a branch of its own that is at the base. */
async function ready(): Promise<Approved & { ref: string; tip: () => Promise<string> }> {
  branches += 1;
  const ref = `refs/heads/target-${branches}`;
  await as(owner, b.repo, "git", "update-ref", ref, base);
  const a = await approved(b.root, b.repo, key, { ref });
  return { ...a, ref, tip: () => as(owner, b.repo, "git", "rev-parse", ref) };
}
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: { code?: string }) => error.code ?? String(error),
  );
const crashBefore = (a: Approved, type: string) => {
  a.store.before = (event) => {
    if (event.type === type) throw new Crash(type);
  };
};

describe("a crash while landing", () => {
  test("before the intent is durable: nothing has happened, and it can be landed", async () => {
    const a = await ready();
    crashBefore(a, "landing.intended");
    await expect(landDelegation(a.id, a.ref, a.tools)).rejects.toBeInstanceOf(Crash);
    expect(await a.tip()).toBe(base);
    expect(a.store.record(a.id).intent).toBeUndefined();
    a.store.before = () => {};
    expect((await landDelegation(a.id, a.ref, a.tools)).commit).toBe(await a.tip());
  });

  test("after the intent, before the ref moved: it is carried out, to the commit that was meant", async () => {
    const a = await ready();
    // The repository cannot be written: what a kill leaves at this point.
    const lock = join(b.repo, ".git", `${a.ref}.lock`);
    script(owner, b.repo, `touch ${lock.replaceAll(" ", "\\ ")}`);
    crashBefore(a, "landing.abandoned");
    await expect(landDelegation(a.id, a.ref, a.tools)).rejects.toBeInstanceOf(Crash);
    expect(await a.tip()).toBe(base);
    const meant = a.store.record(a.id).intent?.commit;
    expect(meant).toBeDefined();
    script(owner, b.repo, `rm ${lock.replaceAll(" ", "\\ ")}`);
    a.store.before = () => {};
    await resumeLanding(a.store.record(a.id), a.tools);
    expect([await a.tip(), a.store.record(a.id).state]).toEqual([meant, "landed"]);
  });

  test("after the ref moved, before that was recorded: landed, and not twice", async () => {
    const a = await ready();
    crashBefore(a, "delegation.landed");
    await expect(landDelegation(a.id, a.ref, a.tools)).rejects.toBeInstanceOf(Crash);
    const tip = await a.tip();
    expect(tip).toBe(a.store.record(a.id).intent?.commit);
    a.store.before = () => {};
    await resumeLanding(a.store.record(a.id), a.tools);
    expect([await a.tip(), a.store.record(a.id).state]).toEqual([tip, "landed"]);
    expect(a.store.types().filter((t) => t === "landing.intended")).toHaveLength(1);
    await resumeLanding(a.store.record(a.id), a.tools);
    expect(a.store.types().filter((t) => t === "delegation.landed")).toHaveLength(1);
  });

  test("and somebody built on it since: landed, and theirs stays", async () => {
    const a = await ready();
    crashBefore(a, "delegation.landed");
    await landDelegation(a.id, a.ref, a.tools).catch(() => {});
    const above = script(
      owner,
      b.repo,
      `git update-ref ${a.ref} $(git commit-tree -p ${a.ref} -m more "${a.ref}^{tree}"); git rev-parse ${a.ref}`,
    ).output.trim();
    a.store.before = () => {};
    await resumeLanding(a.store.record(a.id), a.tools);
    expect([await a.tip(), a.store.record(a.id).state]).toEqual([above, "landed"]);
  });

  test("and somebody moved the target elsewhere: abandoned, theirs stays, still approved", async () => {
    const a = await ready();
    crashBefore(a, "delegation.landed");
    await landDelegation(a.id, a.ref, a.tools).catch(() => {});
    const elsewhere = await as(owner, b.repo, "git", "commit-tree", "-p", base, "-m", "elsewhere", `${base}^{tree}`);
    await as(owner, b.repo, "git", "update-ref", a.ref, elsewhere);
    a.store.before = () => {};
    await resumeLanding(a.store.record(a.id), a.tools);
    expect([await a.tip(), a.store.record(a.id).state, a.store.record(a.id).intent]).toEqual([
      elsewhere,
      "approved",
      undefined,
    ]);
  });

  test("is settled by the planner's next word too: land records what is, discard does not hide it", async () => {
    const a = await ready();
    crashBefore(a, "delegation.landed");
    await landDelegation(a.id, a.ref, a.tools).catch(() => {});
    a.store.before = () => {};
    expect(await code(discardDelegation(a.id, "planner", a.tools))).toBe("state-refused");
    expect(a.store.record(a.id).state).toBe("landed");
    const c = await ready();
    crashBefore(c, "delegation.landed");
    await landDelegation(c.id, c.ref, c.tools).catch(() => {});
    c.store.before = () => {};
    expect(await code(landDelegation(c.id, c.ref, c.tools))).toBe("approval-missing");
    expect(c.store.record(c.id).state).toBe("landed");
  });
});

describe("the planner's words", () => {
  test("landed twice is refused, the second time with what there is", async () => {
    const a = await ready();
    await landDelegation(a.id, a.ref, a.tools);
    await expect(landDelegation(a.id, a.ref, a.tools)).rejects.toMatchObject({
      code: "approval-missing",
      next: "It has landed already.",
    });
  });

  test("two at the same time: one lands, the other is refused", async () => {
    const a = await ready();
    const both = await Promise.all([
      code(landDelegation(a.id, a.ref, a.tools)),
      code(landDelegation(a.id, a.ref, a.tools)),
    ]);
    expect(both.filter((c) => c === "done")).toHaveLength(1);
    expect(a.store.types().filter((t) => t === "delegation.landed")).toHaveLength(1);
  });

  test("without an approval nothing lands", async () => {
    const a = await approved(b.root, b.repo, key, { ref: "refs/heads/none", until: "verifying" });
    expect(await code(landDelegation(a.id, "refs/heads/none", a.tools))).toBe("approval-missing");
  });

  test("another target at the base needs a new approval that names the old, and ends with it", async () => {
    const a = await ready();
    const old = a.store.record(a.id).approval;
    const { commit: landed } = await landDelegation(a.id, "refs/heads/carried-over", a.tools);
    expect(await as(owner, b.repo, "git", "rev-parse", "carried-over")).toBe(landed);
    const carried = a.store.record(a.id).approval?.predicate;
    expect(carried).toMatchObject({
      ref: "refs/heads/carried-over",
      replaces: old?.digest,
      expires: old?.predicate.expires,
    });
    expect(await a.tip()).toBe(base);
  });

  test("an approval that is over is not made young by naming another target", async () => {
    const a = await ready();
    const late = { ...a.tools, now: () => new Date(start.getTime() + approvalLifetime) };
    expect(await code(landDelegation(a.id, "refs/heads/late", late))).toBe("approval-expired");
    expect(await code(landDelegation(a.id, a.ref, late))).toBe("approval-expired");
    expect(a.store.types()).not.toContain("landing.intended");
    expect(await code(landDelegation(a.id, a.ref, a.tools))).toBe("done");
  });

  test("discarded is discarded: it lands no more, and its proposal's ref is gone", async () => {
    const a = await ready();
    const [attempt] = a.store.record(a.id).attempts;
    await a.quarantine.keep(`${a.id}/1`, attempt?.proposal?.commit ?? "");
    await discardDelegation(a.id, "planner", a.tools);
    expect(await code(landDelegation(a.id, a.ref, a.tools))).toBe("approval-missing");
    expect(await a.tip()).toBe(base);
    const refs = await as({ uid: 0, gid: 0 }, a.quarantine.gitDir, "git", "for-each-ref");
    expect(refs).not.toContain(a.id);
  });
});
