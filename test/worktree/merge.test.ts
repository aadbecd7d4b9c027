import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mergeParts } from "../../src/delegation/plan-merge.ts";
import { changeSets } from "../../src/worktree/history.ts";
import { openHostRepository } from "../../src/worktree/host-repository.ts";
import { mergeCommits } from "../../src/worktree/merge.ts";
import { type Override, openQuarantine, type Quarantine } from "../../src/worktree/quarantine.ts";
import { as, type Bench, bench, commit, fingerprint, owner, plan } from "./fixture.ts";

let b: Bench;
let q: Quarantine;
let root: string;

beforeAll(async () => {
  b = await bench();
  await commit(
    b.repo,
    "mkdir -p src; seq 1 20 > src/a; echo b > src/b; echo c > src/c; echo '* merge=union' > .gitattributes",
  );
  for (let round = 0; round < 3; round++) await commit(b.repo, `echo ${round} >> src/b; echo ${round} >> src/c`);
  root = await commit(b.repo, "echo alone >> src/a");
  q = await openQuarantine({ directory: join(b.root, "quarantine"), repository: await openHostRepository(b.repo) });
});
afterAll(() => b?.clean());

const date = new Date("2026-03-01T12:00:00Z");
/** A commit on another that puts texts at paths, or takes them away. */
async function change(on: string, files: Record<string, string | null>): Promise<string> {
  const overrides: Override[] = [];
  for (const [path, text] of Object.entries(files)) {
    if (text === null) overrides.push({ path, delete: true });
    else overrides.push({ path, mode: "100644", oid: await q.writeBlob(Buffer.from(text)) });
  }
  return q.commitTree({ ...plan, tree: await q.compose(await q.treeOf(on), overrides), parent: on });
}
const read = async (tree: string, path: string) => {
  const at = await q.commitTree({ ...plan, tree, parent: null });
  return (await q.readBlob(`${at}:${path}`)).toString();
};

describe("merging in quarantine", () => {
  it("takes changes of separate files and of separate lines together, and leaves the host's repository alone", async () => {
    const before = fingerprint(b.repo);
    const one = await change(root, { "src/b": "B\n", "src/new": "new\n" });
    const other = await change(root, { "src/c": null });
    const merged = await mergeCommits(q, one, other);
    if (!merged.ok) throw new Error(merged.paths.join());
    expect(await q.listPaths(merged.tree)).toEqual([".gitattributes", "src/a", "src/b", "src/new"]);
    expect(await read(merged.tree, "src/b")).toBe("B\n");
    expect(fingerprint(b.repo)).toBe(before);
  });

  it("names the paths that disagree; a merge driver that never would has no say", async () => {
    const one = await change(root, { "src/b": "one\n", "src/c": "same\n" });
    const other = await change(root, { "src/b": "other\n", "src/c": "same\n" });
    expect(await mergeCommits(q, one, other)).toEqual({ ok: false, paths: ["src/b"] });
  });

  it("does not follow a file to another name", async () => {
    const text = (await q.readBlob(`${root}:src/a`)).toString();
    const renamed = await change(root, { "src/a": null, "src/z": text });
    const edited = await change(root, { "src/a": text.replace("10\n", "ten\n") });
    expect(await mergeCommits(q, renamed, edited)).toEqual({ ok: false, paths: ["src/z"] });
    // A rename that nobody edits meanwhile is two changes like any other.
    expect((await mergeCommits(q, renamed, await change(root, { "src/b": "b2\n" }))).ok).toBe(true);
  });

  it("merges parts in their order to one id, on what each stands on, and says who disagrees", async () => {
    const one = await change(root, { "src/b": "one\n" });
    const two = await change(one, { "src/c": "two\n" });
    const three = await change(root, { "src/new": "three\n" });
    const parts = [
      { brief: "B1", commit: one },
      { brief: "B2", commit: two },
      { brief: "B3", commit: three },
    ];
    const whole = await mergeParts(q, root, parts, date);
    if (!("commit" in whole)) throw new Error(whole.paths.join());
    expect(await read(whole.tree, "src/c")).toBe("two\n");
    expect(await read(whole.tree, "src/new")).toBe("three\n");
    expect(await mergeParts(q, root, parts, date)).toEqual(whole);
    for (const part of [one, two, three, root]) expect(await q.isAncestor(part, whole.commit)).toBe(true);
    expect(await q.isAncestor(three, two)).toBe(false);
    expect(await mergeParts(q, root, [], date)).toEqual({ commit: root, tree: await q.treeOf(root) });

    const against = { brief: "B4", commit: await change(root, { "src/c": "four\n" }) };
    const found = await mergeParts(q, root, [...parts, against], date);
    expect(found).toEqual({ between: ["B2", "B4"], paths: ["src/c"] });
  });
});

describe("what changed together", () => {
  const limits = { commits: 100, paths: 20, time: 20_000 };
  it("is read from the history, without the commits that say nothing about two files", async () => {
    const sets = await changeSets(q.repository, root, limits);
    expect(sets.filter((set) => set.join() === "src/b,src/c")).toHaveLength(3);
    expect(await changeSets(q.repository, root, { ...limits, commits: 2 })).toEqual([["src/b", "src/c"]]);
    expect(await changeSets(q.repository, root, { ...limits, paths: 1 })).toEqual([]);
  });

  it("runs nothing that the repository's configuration names", async () => {
    const mark = join(b.root, "ran");
    const settings = [
      ["log.showSignature", "true"],
      ["gpg.program", `sh -c 'touch ${mark}'`],
      ["diff.external", `touch ${mark}`],
      ["core.fsmonitor", `touch ${mark}`],
    ];
    for (const [name = "", value = ""] of settings) await as(owner, b.repo, "git", "config", name, value);
    expect((await changeSets(q.repository, root, limits)).length).toBeGreaterThan(2);
    expect(existsSync(mark)).toBe(false);
  });
});
