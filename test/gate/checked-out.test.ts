/** A branch that somebody is at work on: what lands goes beside it, and nothing of theirs is touched. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Landed, landDelegation } from "../../src/delegation/decide.ts";
import { SallyportError } from "../../src/domain/error.ts";
import { type HostKey, loadHostKey } from "../../src/gate/keys.ts";
import { type Approved, approved } from "../delegation/approved.ts";
import { codeOf, type Target, target } from "../delegation/target.ts";
import { fingerprint, owner, script } from "../worktree/fixture.ts";

let t: Target;
let key: HostKey;
const made: Target[] = [];
const work = "refs/heads/work";
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

const run = (text: string, cwd = t.repo) => {
  const ended = script(owner, cwd, `set -e\n${text}`);
  if (ended.status !== 0) throw new Error(ended.output);
  return ended.output.trim();
};
/** All that is somebody's: files, index, HEAD, what is under way, and every ref but the one that lands. */
const theirs = (repo = t.repo) => [
  execFileSync("find", [
    repo,
    "-path",
    "*/.git/objects",
    "-prune",
    "-o",
    "-path",
    "*/refs/heads/sallyport*",
    "-prune",
    "-o",
    "-path",
    "*/logs/refs/heads/sallyport*",
    "-prune",
    "-o",
    "-type",
    "f",
    "-exec",
    "sha256sum",
    "{}",
    "+",
  ])
    .toString()
    .split("\n")
    .sort()
    .join("\n"),
  script(owner, repo, "git status --porcelain=v2 --branch --ignored").output,
];

/** Lands on `ref` and holds what came of it to what must never change. */
async function landBeside(ref = work, repo = t.repo, ready?: Approved): Promise<Landed & { id: string }> {
  const a = ready ?? (await approved(t.root, t.repo, key, { ref }));
  const tip = await t.at(ref);
  const before = theirs(repo);
  const landed = await landDelegation(a.id, ref, a.tools);
  expect(theirs(repo)).toEqual(before);
  expect(await t.at(ref)).toBe(tip);
  expect(landed.ref).toBe(`refs/heads/sallyport/${a.id}`);
  expect(await t.at(landed.ref)).toBe(landed.commit);
  expect(await t.at(`${landed.ref}^`)).toBe(tip);
  expect(landed.beside).toMatchObject({ ref });
  expect(a.store.record(a.id).approval?.predicate).toMatchObject({ ref: landed.ref, base: tip });
  return { ...landed, id: a.id };
}
/** Runs the command that was printed, as the repository's owner. */
const takeOver = ({ beside }: Landed) => script(owner, "/", beside?.command ?? "false");

test("clean: it lands beside, and the printed command brings files and branch along", async () => {
  const landed = await landBeside();
  expect(takeOver(landed)).toMatchObject({ status: 0 });
  expect(await t.at("work")).toBe(landed.commit);
  expect(readFileSync(join(t.repo, "src/sum.mjs"), "utf8")).toContain("a +");
  expect(run("git status --porcelain")).toBe("");
});

test("dirty elsewhere: the command goes through and keeps what is unsaved", async () => {
  run("printf unsaved > other; printf staged > new; git add new; printf note > untracked");
  const landed = await landBeside();
  expect(takeOver(landed).status).toBe(0);
  expect(run("cat other new untracked")).toBe("unsavedstagednote");
  expect(script(owner, t.repo, "git status --porcelain").output.trimEnd().split("\n").sort()).toEqual([
    " M other",
    "?? untracked",
    "A  new",
  ]);
});

test("dirty in the same file, or an untracked file in the way: git itself refuses, and nothing is lost", async () => {
  run("printf mine >> src/sum.mjs");
  const before = theirs();
  const landed = await landBeside();
  expect(takeOver(landed).status).not.toBe(0);
  expect(readFileSync(join(t.repo, "src/sum.mjs"), "utf8")).toContain("mine");
  expect(theirs()[1]).toBe(before[1]);
  run("git rm -q --cached src/sum.mjs");
  expect(takeOver(landed).status).not.toBe(0);
  expect(readFileSync(join(t.repo, "src/sum.mjs"), "utf8")).toContain("mine");
});

test("the branch goes on: what lands stands on where it is, merged and tested again", async () => {
  const a = await approved(t.root, t.repo, key, { ref: work });
  run("printf y > other; git commit -qam theirs");
  const tip = await t.at("work");
  const landed = await landDelegation(a.id, work, a.tools);
  expect(landed).toMatchObject({ merged: { onto: tip, verdict: "carried" }, beside: { ref: work } });
  expect(takeOver(landed).status).toBe(0);
  expect(run("cat other; grep -c 'a +' src/sum.mjs")).toBe("y1");
});

test("a sparse checkout, and one with a submodule", async () => {
  run("git sparse-checkout set --no-cone '/other'");
  expect(takeOver(await landBeside()).status).toBe(0);
  expect(run("ls")).toBe("other");
  t = await target();
  made.push(t);
  run(
    `git init -q sub; git -C sub commit -q --allow-empty -m sub; git update-index --add --cacheinfo 160000,$(git -C sub rev-parse HEAD),sub; git commit -qm 'a submodule'`,
  );
  expect(takeOver(await landBeside()).status).toBe(0);
  expect(run("git ls-tree HEAD sub")).toContain("160000 commit");
});

test("a linked worktree is somebody's too; a path with blanks and quotes is quoted", async () => {
  const above = join(t.root, "above");
  const linked = join(above, "it's linked");
  execFileSync("install", ["-d", "-o", String(owner.uid), "-g", String(owner.gid), above]);
  run(`git worktree add -q "${linked}" main`);
  const landed = await landBeside("refs/heads/main", linked);
  expect(landed.beside?.worktree).toBe(linked);
  expect(takeOver(landed).status).toBe(0);
  expect(readFileSync(join(linked, "src/sum.mjs"), "utf8")).toContain("a +");
  // The benign twin: once nobody has it checked out, it is moved itself.
  run(`git worktree remove --force "${linked}" || git worktree prune; git branch -f spare work`);
  const a = await approved(t.root, t.repo, key, { ref: "refs/heads/spare" });
  expect(await landDelegation(a.id, "refs/heads/spare", a.tools)).toMatchObject({ ref: "refs/heads/spare" });
});

test("a branch that is being rebased or bisected, where HEAD is detached", async () => {
  run(
    "git branch topic; printf a >> other; git commit -qam a; git checkout -q topic; printf b >> other; git commit -qam b",
  );
  const topic = await approved(t.root, t.repo, key, { ref: "refs/heads/topic" });
  script(owner, t.repo, "git rebase work");
  expect(run("git status")).toContain("rebas");
  expect(script(owner, t.repo, "git symbolic-ref -q HEAD").status).not.toBe(0);
  await landBeside("refs/heads/topic", t.repo, topic);
  run("git rebase --abort; git checkout -q work; git bisect start; git checkout -q --detach");
  await landBeside(work);
  run("git bisect reset");
});

test("a detached HEAD holds no branch: it is moved itself, and the files stay", async () => {
  run("git checkout -q --detach");
  const a = await approved(t.root, t.repo, key, { ref: work });
  const files = fingerprint(join(t.repo, "src"));
  expect(await landDelegation(a.id, work, a.tools)).toMatchObject({ ref: work });
  expect(fingerprint(join(t.repo, "src"))).toBe(files);
  expect(run("git status --porcelain")).toBe("");
});

test("checked out while it lands: the branch is left, and it lands beside", async () => {
  const a = await approved(t.root, t.repo, key, { ref: "refs/heads/main" });
  let once = true;
  a.store.before = (event) => {
    if (event.type !== "landing.intended" || !once) return;
    once = false;
    run("git checkout -q main");
  };
  const landed = await landDelegation(a.id, "refs/heads/main", a.tools);
  expect(landed.beside?.ref).toBe("refs/heads/main");
  expect(run("git status --porcelain")).toBe("");
});

test("where the branch beside is taken, or not allowed, it is refused and says so", async () => {
  const a = await approved(t.root, t.repo, key, { ref: work });
  run(`git branch sallyport/${a.id} main`);
  expect(await codeOf(landDelegation(a.id, work, a.tools))).toBe("target-checked-out");
  run(`git branch -q -D sallyport/${a.id}`);
  const forbidding = {
    ...a.tools,
    checkTarget: (_planner: string, _repository: string, ref: string) => {
      throw new SallyportError("ref-refused", `planner default may not land on ${ref}`, { next: "Ask." });
    },
  };
  await expect(landDelegation(a.id, work, forbidding)).rejects.toMatchObject({
    code: "target-checked-out",
    message: expect.stringContaining("may not land"),
  });
  expect(a.store.types()).not.toContain("landing.intended");
  expect(await codeOf(landDelegation(a.id, work, a.tools))).toBe("done");
});

test("notes of a rebase that are links, fifos or floods are not followed, waited for or believed", async () => {
  const state = join(t.repo, ".git", "rebase-merge");
  mkdirSync(state);
  const secret = join(t.root, "secret");
  writeFileSync(secret, "refs/heads/main\n", { mode: 0o600 });
  execFileSync("ln", ["-s", secret, join(state, "head-name")]);
  execFileSync("mkfifo", [join(state, "update-refs")]);
  execFileSync("chown", ["-Rh", `${owner.uid}:${owner.gid}`, state]);
  const a = await approved(t.root, t.repo, key, { ref: "refs/heads/main" });
  expect(await landDelegation(a.id, "refs/heads/main", a.tools)).toMatchObject({ ref: "refs/heads/main" });
  rmSync(state, { recursive: true });
});
