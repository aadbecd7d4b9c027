import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { forgetObjects } from "../../src/worktree/forget.ts";
import { openHostRepository } from "../../src/worktree/host-repository.ts";
import { openQuarantine, type Quarantine } from "../../src/worktree/quarantine.ts";
import { type Bench, bench, commit, plan } from "./fixture.ts";

let b: Bench;
let q: Quarantine;
let head: string;

beforeAll(async () => {
  b = await bench();
  head = await commit(b.repo, "printf 'base has this\\n' > known");
  q = await openQuarantine({ directory: join(b.root, "quarantine"), repository: await openHostRepository(b.repo) });
});
afterAll(() => b?.clean());

const blob = (text: string) => q.writeBlob(Buffer.from(text));
const text = (oid: string) => q.readBlob(oid).then(String);
const git = (args: string[], input = "") =>
  execFileSync("git", ["-c", "safe.directory=*", "--git-dir", q.gitDir, ...args], { input, encoding: "utf8" });
const pack = (oids: string[]) => git(["pack-objects", "-q", join(q.gitDir, "objects/pack/pack")], oids.join("\n"));

test("a loose object and one in a pack go; their neighbours stay", async () => {
  const loose = await blob("loose value");
  const packed = await blob(`packed value\n${"filler\n".repeat(200)}`);
  const neighbour = await blob(`packed neighbour\n${"filler\n".repeat(200)}`);
  const alone = await blob("alone in its pack");
  pack([packed, neighbour]);
  pack([alone]);
  git(["prune-packed", "-q"]);
  await forgetObjects(q, [loose, packed, alone]);
  for (const gone of [loose, packed, alone]) await expect(text(gone)).rejects.toThrow();
  expect(await text(neighbour)).toMatch(/^packed neighbour/);
  // Packs that held none of them are not written again.
  const before = git(["count-objects", "-v"]);
  await forgetObjects(q, ["0".repeat(40)]);
  expect(git(["count-objects", "-v"])).toBe(before);
});

test("what a kept proposal has stays, and so does what the host's repository has", async () => {
  const shared = await blob("a kept proposal has it");
  const tree = await q.compose(await q.treeOf(head), [{ path: "n", mode: "100644", oid: shared }]);
  await q.keep("kept/1", await q.commitTree({ ...plan, tree, parent: head }));
  const known = git(["rev-parse", `${head}:known`]).trim();
  await forgetObjects(q, [shared, tree, known]);
  expect(await text(shared)).toBe("a kept proposal has it");
  expect(await text(known)).toBe("base has this\n");
  await q.drop("kept/1");
  await forgetObjects(q, [shared, tree]);
  await expect(text(shared)).rejects.toThrow();
  expect(await q.changes(await q.treeOf(head), await q.treeOf(head))).toEqual([]);
});
