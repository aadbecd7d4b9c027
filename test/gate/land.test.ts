import { execFileSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { landDelegation } from "../../src/delegation/decide.ts";
import type { Attempt, Delegation } from "../../src/domain/delegation.ts";
import { type HostKey, loadHostKey } from "../../src/gate/keys.ts";
import { approvalFacts, carryOutLanding, landingState, planLanding } from "../../src/gate/land.ts";
import { type Approved, approved, start } from "../delegation/approved.ts";
import { as, type Bench, bench, commit, owner, script } from "../worktree/fixture.ts";
import { runOf } from "./samples.ts";

let key: HostKey;
const benches: Bench[] = [];
beforeAll(async () => {
  key = await loadHostKey(join((await repository()).root, "keys"));
});
afterAll(async () => {
  for (const b of benches) await b.clean();
});

/** A checkout on `work`, with `main` at the same commit: main can be landed on. */
async function repository(): Promise<Bench> {
  const b = await bench();
  benches.push(b);
  await commit(
    b.repo,
    "mkdir src; printf 'export const sum = (a, b) =>\\n  a - b;\\n' > src/sum.mjs; printf x > other",
  );
  await as(owner, b.repo, "git", "checkout", "-q", "-b", "work");
  return b;
}

const at = (repo: string, ref: string) => as(owner, repo, "git", "rev-parse", ref);
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "landed",
    (error: { code: string }) => error.code,
  );
/** `main` (or another branch) as a target that is at the delegation's base. */
const target = (a: { base: string }, ref = "refs/heads/main") => ({ ref, from: a.base, onto: a.base });
const land = (a: Approved, ref = "refs/heads/main") => landDelegation(a.id, ref, a.tools);

describe("landing", () => {
  test("puts exactly the verified tree on the target, and touches no working file", async () => {
    const b = await repository();
    await writeFile(join(b.repo, "other"), "someone's unsaved work");
    const status = await as(owner, b.repo, "git", "status", "--porcelain", "--branch");
    const a = await approved(b.root, b.repo, key, { ref: "refs/heads/main" });
    const landed = await land(a);
    expect(await at(b.repo, "main")).toBe(landed.commit);
    expect(await at(b.repo, "main^{tree}")).toBe(a.tree);
    expect(await at(b.repo, "main^")).toBe(a.base);
    expect(await as(owner, b.repo, "git", "show", "main:src/sum.mjs")).toContain("a +");
    expect(await as(owner, b.repo, "git", "status", "--porcelain", "--branch")).toBe(status);
    expect(await as(owner, b.repo, "git", "fsck", "--strict", "--no-dangling")).toBe("");
    expect(a.store.record(a.id).state).toBe("landed");
  });

  test("says in the commit who delegated what, under which approval", async () => {
    const b = await repository();
    const a = await approved(b.root, b.repo, key, { ref: "refs/heads/main" });
    await land(a);
    const shown = await as(owner, b.repo, "git", "log", "-1", "--format=%an|%ae|%cn|%aI|%B", "main");
    expect(shown).toContain(
      "Sallyport (scripted)|sallyport@localhost|Sallyport (scripted)|2026-03-01T12:00:00+00:00|Add, do not subtract",
    );
    expect(shown).toContain(`Sallyport-Delegation: ${a.id} attempt 1`);
    expect(shown).toContain(`Sallyport-Approval: sha256:${a.store.record(a.id).approval?.digest}`);
    expect(shown).toContain("Sallyport-Verifier: skeptic sha256:");
  });

  test("makes a branch that was not there, in a bare repository too, and on what its HEAD names", async () => {
    const b = await repository();
    const bare = join(b.root, "bare.git");
    await as(owner, "/", "git", "init", "-q", "--bare", bare).catch(async () => {
      await mkdir(bare);
      execFileSync("chown", [`${owner.uid}:${owner.gid}`, bare]);
      await as(owner, bare, "git", "init", "-q", "--bare", "-b", "main");
    });
    await as(owner, b.repo, "git", "push", "-q", bare, "main");
    const fresh = await approved(b.root, bare, key, { ref: "refs/heads/sallyport/new" });
    const { commit: made } = await land(fresh, "refs/heads/sallyport/new");
    expect(await at(bare, "sallyport/new")).toBe(made);
    const head = await approved(b.root, bare, key, { ref: "refs/heads/main" });
    const { commit: moved } = await land(head);
    expect(await at(bare, "HEAD")).toBe(moved);
  });

  test("a target that moves between the plan and the swap is merged with, and what moved it stays", async () => {
    const b = await repository();
    const a = await approved(b.root, b.repo, key, { ref: "refs/heads/main" });
    const moved = await as(owner, b.repo, "git", "commit-tree", "-p", a.base, "-m", "moved", `${a.base}^{tree}`);
    a.store.before = (event) => {
      if (event.type === "landing.intended") script(owner, b.repo, `git update-ref refs/heads/main ${moved} ${a.base}`);
    };
    const landed = await land(a);
    expect(landed.merged).toMatchObject({ onto: moved, verdict: "carried" });
    expect(await at(b.repo, "main^")).toBe(moved);
    expect(a.store.types().slice(-7)).toEqual([
      "landing.intended",
      "landing.abandoned",
      "landing.merged",
      "landing.tested",
      "delegation.approved",
      "landing.intended",
      "delegation.landed",
    ]);
  });

  test("a target that moves every time is left as it is after three", async () => {
    const b = await repository();
    const a = await approved(b.root, b.repo, key, { ref: "refs/heads/main" });
    a.store.before = (event) => {
      if (event.type === "landing.intended")
        script(owner, b.repo, 'git update-ref refs/heads/main $(git commit-tree -p main -m more "main^{tree}")');
    };
    expect(await code(land(a))).toBe("target-moved");
    expect(await as(owner, b.repo, "git", "rev-list", "--count", `${a.base}..main`)).toBe("3");
    expect(a.store.types().filter((type) => type === "landing.intended")).toHaveLength(3);
    expect(a.store.record(a.id).state).toBe("approved");
    a.store.before = () => {};
    expect((await land(a)).merged?.verdict).toBe("carried");
  });

  test("runs no hook of the repository, and nothing that its configuration names", async () => {
    const b = await repository();
    const mark = join(b.root, "ran");
    await mkdir(mark);
    await chmod(mark, 0o777);
    const hooks = join(b.repo, ".git", "hooks");
    const hook = `#!/bin/sh\ntouch "${mark}/$(basename "$0")"\nexit 1\n`;
    for (const name of [
      "reference-transaction",
      "pre-receive",
      "update",
      "post-receive",
      "post-update",
      "post-commit",
      "pre-commit",
    ]) {
      await writeFile(join(hooks, name), hook, { mode: 0o755 });
    }
    const probe = `touch ${mark}/configured; false`;
    for (const [name, value] of [
      ["core.fsmonitor", probe],
      ["core.sshCommand", probe],
      ["core.pager", probe],
      ["gpg.program", probe],
      ["commit.gpgSign", "true"],
      ["core.hooksPath", hooks],
      ["core.alternateRefsCommand", probe],
    ] as const) {
      script(owner, b.repo, `git config ${name} '${value}'`);
    }
    const a = await approved(b.root, b.repo, key, { ref: "refs/heads/main" });
    const { commit: landed } = await land(a);
    expect(await readdir(mark)).toEqual([]);
    expect(await readFile(join(b.repo, ".git", "refs", "heads", "main"), "utf8")).toBe(`${landed}\n`);
    // The control: git of the owner's own does run them.
    script(owner, b.repo, "git update-ref refs/heads/probe HEAD");
    expect(await readdir(mark)).toContain("reference-transaction");
  });

  test("a replay gives the same commit, and one that is done is done", async () => {
    const b = await repository();
    const a = await approved(b.root, b.repo, key, { ref: "refs/heads/main" });
    const record = a.store.record(a.id);
    const envelope = record.approval?.approval;
    if (!envelope) throw new Error("not approved");
    const place = { repository: a.repository, quarantine: a.quarantine, key };
    const [first, second] = [
      await planLanding(record, envelope, target(a), { ...place, now: start }),
      await planLanding(record, envelope, target(a), { ...place, now: new Date(start.getTime() + 3_600_000) }),
    ];
    expect(second.commit).toBe(first.commit);
    expect(await landingState(first, place)).toBe("before");
    await carryOutLanding(first, place);
    await carryOutLanding(first, place);
    expect(await landingState(first, place)).toBe("at");
    expect(await at(b.repo, "main")).toBe(first.commit);
    script(owner, b.repo, 'git update-ref refs/heads/main $(git commit-tree -p main -m more "main^{tree}")');
    expect(await landingState(first, place)).toBe("past");
    await as(
      owner,
      b.repo,
      "git",
      "update-ref",
      "refs/heads/main",
      await as(owner, b.repo, "git", "commit-tree", "-m", "x", `${a.base}^{tree}`),
    );
    expect(await landingState(first, place)).toBe("elsewhere");
  });
});

describe("what is not exactly what was approved does not land", () => {
  type Change = (record: Delegation, attempt: Attempt) => object;
  const of = (attempt: Attempt) => {
    const { proposal, report, verdict } = attempt;
    if (!proposal || !report?.proposal || !verdict) throw new Error("not verified");
    return { proposal, report, run: report.proposal, verdict };
  };
  const other = "e".repeat(40);
  test.each<[string, Change, string]>([
    ["another brief", (r) => ({ brief: { ...r.brief, intent: "Another." } }), "approval-invalid"],
    ["another policy", (r) => ({ policy: { ...r.policy, name: "wide" } }), "approval-invalid"],
    ["another image", (r) => ({ images: { ...r.images, verifier: r.images.executor } }), "approval-invalid"],
    ["another repository's record", () => ({ repository: "/srv/other" }), "approval-invalid"],
    ["another delegation", () => ({ id: "d-zzzzzzzzzzzzzzzz" }), "approval-invalid"],
    ["another report", (_, a) => ({ report: { ...of(a).report, failToPass: ["a"] } }), "approval-invalid"],
    [
      "another verdict",
      (_, a) => ({ verdict: { ...of(a).verdict, feedback: [{ what: "a", why: "b" }] } }),
      "approval-invalid",
    ],
    ["a verdict that rejects", (_, a) => ({ verdict: { ...of(a).verdict, decision: "reject" } }), "approval-missing"],
    ["another collected tree", (_, a) => ({ proposal: { ...of(a).proposal, tree: other } }), "approval-invalid"],
    [
      "a report on another tree",
      (_, a) => ({ report: { ...of(a).report, proposal: { ...of(a).run, tree: other } } }),
      "approval-invalid",
    ],
    ["no verdict", () => ({ verdict: undefined }), "approval-missing"],
    [
      "an attempt that was rejected",
      () => ({ rejection: { by: "host", hard: false, findings: [] } }),
      "approval-missing",
    ],
  ])("%s", async (_, swap, expected) => {
    const [b] = benches as [Bench];
    const a = await approved(b.root, b.repo, key, { ref: "refs/heads/main" });
    const record = structuredClone(a.store.record(a.id));
    const envelope = record.approval?.approval;
    if (!envelope) throw new Error("not approved");
    const place = { repository: a.repository, quarantine: a.quarantine, key, now: start };
    await expect(planLanding(structuredClone(record), envelope, target(a), place)).resolves.toBeDefined();
    const [attempt] = record.attempts as [Attempt];
    const changed = swap(record, attempt);
    Object.assign(Object.keys(changed).some((name) => Object.hasOwn(record, name)) ? record : attempt, changed);
    expect(await code(planLanding(record, envelope, target(a), place))).toBe(expected);
    expect(await at(b.repo, "main")).toBe(a.base);
  });

  test("an approval for another target, another one of the same host, one that is over", async () => {
    const [b] = benches as [Bench];
    const a = await approved(b.root, b.repo, key, { ref: "refs/heads/main" });
    const other = await approved(b.root, b.repo, key, { ref: "refs/heads/main" });
    const record = a.store.record(a.id);
    const envelope = record.approval?.approval;
    const foreign = other.store.record(other.id).approval?.approval;
    if (!envelope || !foreign) throw new Error("not approved");
    const place = { repository: a.repository, quarantine: a.quarantine, key, now: start };
    expect(await code(planLanding(record, envelope, target(a, "refs/heads/release"), place))).toBe("approval-invalid");
    expect(await code(planLanding(record, foreign, target(a), place))).toBe("approval-invalid");
    const later = new Date(start.getTime() + 8 * 24 * 3_600_000);
    expect(await code(planLanding(record, envelope, target(a), { ...place, now: later }))).toBe("approval-expired");
    expect(await code(planLanding(record, envelope, target(a), place))).toBe("landed");
  });

  test("a merge is made again, and is the one that was tested, or it is not approved", async () => {
    const b = await repository();
    const a = await approved(b.root, b.repo, key, { ref: "refs/heads/main" });
    const ref = "refs/heads/main";
    script(owner, b.repo, "git checkout -q main; printf moved > other; git commit -qam moved; git checkout -q work");
    await land(a);
    const record = a.store.record(a.id);
    const { prepared } = record;
    if (!prepared?.report) throw new Error("not merged");
    const facts = (change: object) => approvalFacts(record, 1, a.quarantine, ref, { ...prepared, ...change });
    const { issued: _, expires: __, replaces: ___, ...said } = record.approval?.predicate ?? ({} as never);
    expect(await facts({})).toEqual(said);
    const cases: [string, object][] = [
      ["recorded with another tree", { tree: record.attempts[0]?.proposal?.tree }],
      ["the commit of another tree", { commit: a.base }],
      ["on another tip", { onto: a.base }],
      ["not tested", { report: undefined }],
      [
        "tested on another tree",
        { report: { ...prepared.report, tested: true, proposal: runOf({ works: "passed" }, { tree: a.tree }) } },
      ],
      ["of another attempt", { attempt: 2 }],
      ["for another target", { ref: "refs/heads/release" }],
      ["to be verified, and was not", { verify: true }],
    ];
    for (const [what, change] of cases) expect([what, await code(facts(change))]).toEqual([what, "approval-invalid"]);
  });

  test("the facts are computed again from quarantine and record", async () => {
    const [b] = benches as [Bench];
    const a = await approved(b.root, b.repo, key, { ref: "refs/heads/main" });
    const { issued: _, expires: __, ...said } = a.store.record(a.id).approval?.predicate ?? ({} as never);
    expect(await approvalFacts(a.store.record(a.id), 1, a.quarantine, "refs/heads/main")).toEqual(said);
  });
});
