import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { discardDelegation, landDelegation, resumeLanding, verifyAgain } from "../../src/delegation/decide.ts";
import { digestValue } from "../../src/gate/digest.ts";
import { type HostKey, loadHostKey } from "../../src/gate/keys.ts";
import { overlapOf } from "../../src/gate/landing-merge.ts";
import { policyOf } from "../gate/samples.ts";
import { as, owner, script } from "../worktree/fixture.ts";
import { type Approved, approved, start } from "./approved.ts";
import { codeOf, type Target, target } from "./target.ts";

let t: Target;
let key: HostKey;
const made: Target[] = [];
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

class Crash extends Error {}
const main = "refs/heads/main";
const ready = (options: Parameters<typeof approved>[3] = {}) =>
  approved(t.root, t.repo, key, { ref: main, ...options });
const land = (a: Approved, ref = main) => landDelegation(a.id, ref, a.tools);
const show = (what: string) => as(owner, t.repo, "git", "show", what);

describe("a target that moved", () => {
  test("elsewhere: merged and tested again, and a new approval carries the old verdict", async () => {
    const a = await ready();
    const old = a.store.record(a.id).approval;
    const tip = t.move({ "docs/new.md": "new\n", other: "y" });
    const landed = await land(a);
    expect([await t.at("main"), await t.at("main^")]).toEqual([landed.commit, tip]);
    expect(await show("main:src/sum.mjs")).toContain("a +");
    expect([await show("main:other"), await show("main:docs/new.md")]).toEqual(["y", "new"]);
    expect(await as(owner, t.repo, "git", "diff", "--name-only", tip, "main")).toBe("src/sum.mjs");
    expect(await as(owner, t.repo, "git", "fsck", "--strict", "--no-dangling")).toBe("");
    const record = a.store.record(a.id);
    const { predicate } = record.approval ?? {};
    expect(landed).toMatchObject({ approval: record.approval?.digest, merged: { onto: tip, verdict: "carried" } });
    expect(predicate).toMatchObject({
      base: tip,
      tree: await t.at("main^{tree}"),
      replaces: old?.digest,
      verdict: old?.predicate.verdict,
      expires: old?.predicate.expires,
      testReport: digestValue(record.prepared?.report),
    });
    expect(predicate?.testReport).not.toBe(old?.predicate.testReport);
    expect(record.approvals?.map((step) => [step.base, step.replaces])).toEqual([
      [a.base, undefined],
      [tip, old?.digest],
    ]);
    expect(await as(owner, t.repo, "git", "log", "-1", "--format=%(trailers:key=Sallyport-Merged)", "main")).toBe(
      `Sallyport-Merged: from ${a.base} onto ${tip}`,
    );
  });

  test("in a path of the proposal: the verifier is asked, and without its answer nothing moves", async () => {
    const a = await ready();
    const tip = t.move({ "src/sum.mjs": `${await show(`${a.base}:src/sum.mjs`)}\n// more\n` });
    await expect(land(a)).rejects.toThrow("no sandbox here");
    expect(await t.at("main")).toBe(tip);
    const { preparing, approval } = a.store.record(a.id);
    expect(preparing).toMatchObject({ verify: true, overlap: ["src/sum.mjs"] });
    expect(preparing?.report).toBeDefined();
    expect(approval?.predicate.base).toBe(a.base);
    // What an executor and a crash cannot do either: an approval for it with the old verdict.
    const predicate = { ...approval?.predicate, base: tip, tree: preparing?.tree, replaces: approval?.digest };
    const forged = { ...approval, predicate, digest: "0".repeat(64) };
    expect(await codeOf(a.store.append({ type: "delegation.approved", delegation: a.id, data: forged } as never))).toBe(
      "state-refused",
    );
  });

  test("in the same lines: a conflict names the path, and nothing is changed", async () => {
    const a = await ready();
    const tip = t.move({ "src/sum.mjs": "export const sum = (a, b) =>\n  b - a;\n" });
    await expect(land(a)).rejects.toMatchObject({
      code: "landing-conflict",
      message: expect.stringContaining("src/sum.mjs"),
    });
    expect([await t.at("main"), a.store.record(a.id).state]).toEqual([tip, "approved"]);
    expect(a.store.types()).not.toContain("landing.merged");
    // Its benign twin: another branch that did not move there.
    t.move({ other: "z" }, "refs/heads/work");
    expect(await codeOf(land(a, "refs/heads/free"))).toBe("done");
  });

  test("a path that was renamed there is a conflict: no change follows it to a name that no brief named", async () => {
    const a = await ready();
    t.move({ "src/sum.mjs": null, "src/add.mjs": await show(`${a.base}:src/sum.mjs`) });
    expect(await codeOf(land(a))).toBe("landing-conflict");
  });

  test("rewritten, so that the base is no part of it: refused, with why", async () => {
    const a = await ready();
    const orphan = await as(owner, t.repo, "git", "commit-tree", "-m", "rewritten", `${a.base}^{tree}`);
    await as(owner, t.repo, "git", "update-ref", main, orphan);
    await expect(land(a)).rejects.toMatchObject({
      code: "target-moved",
      message: expect.stringContaining("was rewritten"),
    });
    expect(await t.at("main")).toBe(orphan);
  });

  test("that has the change already: refused by the rules, and not judged a second time", async () => {
    const a = await ready();
    t.move({ "src/sum.mjs": (await show(`${a.base}:src/sum.mjs`)).replace("a - b;", "a +\n  b;") });
    expect(await codeOf(land(a))).toBe("landing-rejected");
    expect(a.store.types().slice(-2)).toEqual(["landing.merged", "landing.abandoned"]);
    await expect(land(a)).rejects.toMatchObject({ message: expect.stringContaining("rejected before") });
    expect(a.store.types().at(-1)).toBe("landing.abandoned");
    t.move({ "src/sum.mjs": await show(`${a.base}:src/sum.mjs`) });
    // Moved on, it is another merge; its path changed there, so a verifier is asked.
    await expect(land(a)).rejects.toThrow();
  });

  test("while it was tested: the merge is made again with where it is then", async () => {
    const a = await ready();
    t.move({ one: "1" });
    let tip = "";
    a.store.before = (event) => {
      if (event.type === "landing.tested" && !tip) tip = t.move({ two: "2" });
    };
    const landed = await land(a);
    expect([landed.merged?.onto, await t.at("main^")]).toEqual([tip, tip]);
    expect(a.store.record(a.id).approvals).toHaveLength(3);
  });

  test("and back at the base by another branch: the attempt's own approval is carried there", async () => {
    const a = await ready();
    t.move({ one: "1" });
    a.store.before = (event) => {
      if (event.type === "landing.intended") throw new Crash();
    };
    await expect(land(a)).rejects.toBeInstanceOf(Crash);
    a.store.before = () => {};
    const landed = await land(a, "refs/heads/elsewhere");
    expect([landed.merged, await t.at("elsewhere^")]).toEqual([undefined, a.base]);
    expect(a.store.record(a.id).approval?.predicate).toMatchObject({ base: a.base, tree: a.tree });
  });
});

describe("a crash before", () => {
  const boundaries = [
    "landing.merged",
    "landing.tested",
    "delegation.approved",
    "landing.intended",
    "delegation.landed",
  ];
  test.each(boundaries)("%s: it goes on, and lands once, as the same commit", async (type) => {
    const a = await ready();
    const tip = t.move({ one: "1" });
    a.store.before = (event) => {
      if (event.type === type) throw new Crash(type);
    };
    await expect(land(a)).rejects.toBeInstanceOf(Crash);
    const meant = a.store.record(a.id).intent?.commit;
    expect(await t.at("main")).toBe(type === "delegation.landed" ? meant : tip);
    a.store.before = () => {};
    if (meant) await resumeLanding(a.store.record(a.id), a.tools);
    else await land(a);
    const record = a.store.record(a.id);
    expect([record.state, record.landed?.commit, await t.at("main^")]).toEqual(["landed", await t.at("main"), tip]);
    if (meant) expect(record.landed?.commit).toBe(meant);
    for (const once of ["landing.merged", "landing.tested", "delegation.landed"])
      expect(a.store.types().filter((one) => one === once)).toHaveLength(1);
  });

  test("and the target moved on meanwhile: what was merged is given up, and made anew", async () => {
    const a = await ready();
    t.move({ one: "1" });
    a.store.before = (event) => {
      if (event.type === "landing.tested") throw new Crash();
    };
    await expect(land(a)).rejects.toBeInstanceOf(Crash);
    a.store.before = () => {};
    const tip = t.move({ two: "2" });
    expect((await land(a)).merged?.onto).toBe(tip);
    expect(a.store.types().filter((type) => type === "landing.merged")).toHaveLength(2);
  });

  test("discarded in the midst of it, nothing of it goes on, and nothing is kept", async () => {
    const a = await ready();
    const tip = t.move({ one: "1" });
    a.store.before = (event) => {
      if (event.type === "landing.tested") throw new Crash();
    };
    await expect(land(a)).rejects.toBeInstanceOf(Crash);
    a.store.before = () => {};
    await discardDelegation(a.id, "planner", a.tools);
    expect(await codeOf(land(a))).toBe("approval-missing");
    expect([a.store.record(a.id).preparing, await t.at("main")]).toEqual([undefined, tip]);
    expect(await as({ uid: 0, gid: 0 }, a.quarantine.gitDir, "git", "for-each-ref")).not.toContain(a.id);
  });
});

describe("the end of an approval", () => {
  const hour = 3_600_000;
  const at = (a: Approved, ms: number): Approved => ({
    ...a,
    tools: { ...a.tools, now: () => new Date(start.getTime() + ms) },
  });

  test("is the policy's, and merging with a moved target does not put it off", async () => {
    const a = await ready({ policy: policyOf({ landing: { expires: hour } }) });
    expect(a.store.record(a.id).approval?.predicate.expires).toBe(new Date(start.getTime() + hour).toISOString());
    const tip = t.move({ one: "1" });
    const late = at(a, hour);
    await expect(land(late)).rejects.toMatchObject({
      code: "approval-expired",
      next: expect.stringContaining(`sallyport verify ${a.id}`),
    });
    expect([await t.at("main"), a.store.types().includes("landing.merged")]).toEqual([tip, false]);
    await land(at(a, hour - 1));
    expect(a.store.record(a.id).approval?.predicate.expires).toBe(new Date(start.getTime() + hour).toISOString());
  });

  test("is put off by nobody but a verifier: without one nothing is signed", async () => {
    const a = await ready({ policy: policyOf({ landing: { expires: hour } }) });
    const late = at(a, 2 * hour);
    await expect(verifyAgain(a.id, main, late.tools)).rejects.toThrow("no sandbox here");
    expect(a.store.record(a.id).preparing).toMatchObject({ verify: true, onto: a.base, tree: a.tree });
    expect(await codeOf(land(late))).toBe("approval-expired");
    expect(a.store.types().filter((type) => type === "delegation.approved")).toHaveLength(1);
  });
});

test("paths overlap where they are the same, fold to the same, or one is below the other", () => {
  const of = (...paths: string[]) => paths.map((path) => ({ path }));
  expect(overlapOf(of("src/a", "src/b"), of("src/b", "c"))).toEqual(["src/b"]);
  expect(overlapOf(of("src/README.md"), of("SRC/readme.md"))).toEqual(["src/README.md"]);
  expect(overlapOf(of("caf\u00e9"), of("cafe\u0301"))).toEqual(["caf\u00e9"]);
  expect(overlapOf(of("lib/a"), of("lib"))).toEqual(["lib/a"]);
  expect(overlapOf(of("lib"), of("lib/a"))).toEqual(["lib"]);
  expect(overlapOf(of("lib/a", "src"), of("lib/b", "src2", "source/src"))).toEqual([]);
});

test("the hooks and the configuration of the repository have no part in merging", async () => {
  const a = await ready();
  const mark = join(t.repo, ".git", "ran");
  const hook = `#!/bin/sh\ntouch ${JSON.stringify(mark)}\n`;
  script(
    owner,
    t.repo,
    `git config merge.default evil; git config merge.evil.driver 'touch .git/ran'; printf '%s' '${hook}' > .git/hooks/reference-transaction; chmod +x .git/hooks/reference-transaction`,
  );
  const moved = script(owner, t.repo, "git -c core.hooksPath=/dev/null status >/dev/null; rm -f .git/ran; true");
  expect(moved.status).toBe(0);
  script(
    owner,
    t.repo,
    `export GIT_INDEX_FILE=.git/ix; git read-tree main; git update-index --add --cacheinfo 100644,$(printf '* merge=evil\\n' | git hash-object -w --stdin),.gitattributes; git -c core.hooksPath=/dev/null update-ref refs/heads/main $(git commit-tree -p main -m attributes $(git write-tree))`,
  );
  expect((await land(a)).merged).toBeDefined();
  expect(script(owner, t.repo, "test -e .git/ran").status).toBe(1);
});
