import { statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runGit } from "../../src/worktree/git.ts";
import { openHostRepository } from "../../src/worktree/host-repository.ts";
import { openQuarantine, type Quarantine, quarantineRef } from "../../src/worktree/quarantine.ts";
import { as, type Bench, bench, commit, fingerprint, owner, plan } from "./fixture.ts";

let b: Bench;
let q: Quarantine;
let head: string;
let tree: string;

beforeAll(async () => {
  b = await bench();
  head = await commit(
    b.repo,
    "mkdir -p src d; printf 'one\\n' > src/one; printf x > d/x; printf run > run; chmod +x run; ln -s run l; printf '\\x00\\x01' > bin; printf y > $'caf\\xe9'; printf b > 'a:b'",
  );
  q = await openQuarantine({ directory: join(b.root, "quarantine"), repository: await openHostRepository(b.repo) });
  tree = await q.treeOf(head);
});
afterAll(() => b?.clean());

const blob = (text: string) => q.writeBlob(Buffer.from(text));

test("it is the daemon's own, opened twice the same, and the host's repository is not written", async () => {
  const before = fingerprint(b.repo);
  const again = await openQuarantine({ directory: join(b.root, "quarantine"), repository: q.repository });
  expect(again.gitDir).toBe(q.gitDir);
  expect(statSync(q.gitDir).mode & 0o777).toBe(0o700);
  const made = await q.compose(tree, [{ path: "n", mode: "100644", oid: await blob("n") }]);
  await q.keep("x", await q.commitTree({ ...plan, tree: made, parent: head }));
  await q.drop("x");
  await q.drop("never-there");
  expect(fingerprint(b.repo)).toBe(before);
  await Promise.all(
    Array.from({ length: 5 }, () => openQuarantine({ directory: join(b.root, "many"), repository: q.repository })),
  );
});

test("composing puts, replaces and takes away; files become directories and back", async () => {
  const oid = await blob("new\n");
  const made = await q.compose(tree, [
    { path: "d/x/y", mode: "100644", oid },
    { path: "d/x", delete: true },
    { path: "src", mode: "120000", oid },
    { path: "src/one", delete: true },
    { path: "run", mode: "100644", oid },
    { path: "a b\nc", mode: "100755", oid },
  ]);
  const changes = await q.changes(tree, made);
  expect(changes.map((c) => `${c.kind} ${c.mode} ${c.path}`).sort()).toEqual([
    "added 100644 d/x/y",
    "added 100755 a b\nc",
    "added 120000 src",
    "deleted 100644 d/x",
    "deleted 100644 src/one",
    "modified 100644 run",
  ]);
  expect(await q.compose(made, [])).toBe(made);
  // The way back, out of what `changes` says.
  const back = (await q.changes(made, tree)).map((c) =>
    c.kind === "deleted" ? { path: c.path, delete: true as const } : c,
  );
  expect(await q.compose(made, back)).toBe(tree);
});

test("a name that is not UTF-8 survives `changes` and `compose`", async () => {
  const removals = (await q.listPaths(tree)).map((path) =>
    path === "caf\\xe9"
      ? { path, raw: Buffer.from("caf\xe9", "latin1"), delete: true as const }
      : { path, delete: true as const },
  );
  const empty = await q.compose(tree, removals);
  const changes = await q.changes(empty, tree);
  expect(changes.find((c) => c.raw)).toMatchObject({ path: "caf\\xe9", kind: "added" });
  expect(await q.compose(empty, changes)).toBe(tree);
});

test.each([".git/config", "../x", "a//b", "/x", ".GIT/x", "a/../b", "git~1/x"])(
  "composing refuses %j, by git too",
  async (path) => {
    const oid = await blob("x");
    await expect(q.compose(tree, [{ path, mode: "100644", oid }])).rejects.toMatchObject({ code: "git-failed" });
  },
);

test("arguments that are no object ids are refused before git sees them", async () => {
  for (const bad of ["--help", "HEAD", "main", "", `${head}^{tree}`, "-x", head.slice(0, 10)]) {
    await expect(q.treeOf(bad)).rejects.toMatchObject({ code: "git-failed" });
    await expect(q.changes(bad, tree)).rejects.toMatchObject({ code: "git-failed" });
    await expect(q.patch(tree, bad, 10)).rejects.toMatchObject({ code: "git-failed" });
  }
});

describe("patches", () => {
  test("full index, binary, no renames; the same bytes every time; cut at the cap", async () => {
    const next = await q.compose(tree, [
      { path: "src/one", delete: true },
      { path: "src/uno", mode: "100644", oid: await blob("one\n") },
      { path: "bin", mode: "100644", oid: await q.writeBlob(Buffer.from([0, 2, 3])) },
    ]);
    const patch = await q.patch(tree, next, 100_000);
    if (!patch.ok) throw new Error("cut");
    const text = patch.patch.toString();
    expect(text).toContain("deleted file mode 100644");
    expect(text).toContain("new file mode 100644");
    expect(text).toContain("GIT binary patch");
    expect(text).not.toContain("rename");
    expect(text).toMatch(/index [0-9a-f]{40}\.\.[0-9a-f]{40}/);
    expect(await q.patch(tree, next, patch.patch.length - 1)).toMatchObject({ ok: false });
    expect(await q.patch(tree, next, patch.patch.length)).toEqual(patch);
    expect(await q.patch(tree, tree, 10)).toEqual({ ok: true, patch: Buffer.alloc(0) });
  });

  test("an enormous line is cut in time", async () => {
    const next = await q.compose(tree, [
      { path: "line", mode: "100644", oid: await q.writeBlob(Buffer.alloc(20 << 20, 0x61)) },
    ]);
    const start = Date.now();
    expect((await q.patch(tree, next, 64 * 1024)).ok).toBe(false);
    expect(Date.now() - start).toBeLessThan(10_000);
  });
});

test("blobs by id and by path", async () => {
  expect((await q.readBlob(`${head}:src/one`)).toString()).toBe("one\n");
  expect((await q.readBlob(`${tree}:a:b`)).toString()).toBe("b");
  expect((await q.readBlob(await blob("z"))).toString()).toBe("z");
  for (const bad of [`${head}:src`, `${head}:none`, `${head}:../x`, `${head}:./run`, `${head}:`, tree]) {
    await expect(q.readBlob(bad), bad).rejects.toMatchObject({ code: "not-found" });
  }
  await expect(q.readBlob(`${head}:src/one`, 2)).rejects.toMatchObject({ code: "git-failed" });
  expect(await q.listPaths(tree, ["src", "d/"])).toEqual(["d/x", "src/one"]);
});

test("a commit is its plan and nothing else", async () => {
  const one = await q.commitTree({ ...plan, tree, parent: head });
  expect(await q.commitTree({ ...plan, tree, parent: head })).toBe(one);
  const author = { name: "a\nparent b <x", email: "e>\ncommitter z" };
  const forged = await q.commitTree({ tree, parent: null, message: "m\n\nparent x", author, date: new Date(0) });
  const shown = (await runGit(["cat-file", "commit", forged], { gitDir: q.gitDir })).stdout.toString();
  expect(shown.split("\n\n")[0]).toBe(
    `tree ${tree}\nauthor aparent b x <ecommitter z> 0 +0000\ncommitter aparent b x <ecommitter z> 0 +0000`,
  );
  await runGit(["fsck", "--strict", forged], { gitDir: q.gitDir });
});

test("the reader answers many questions in order, and refuses what is missing, of another type or too large", async () => {
  const objects = q.objects();
  try {
    const big = await q.writeBlob(Buffer.alloc(300_000, 7));
    const one = await blob("one\n");
    const answers = await Promise.allSettled([
      objects.read(one, "blob", 10),
      objects.read("0".repeat(40), "blob", 10),
      objects.read(big, "blob", 10),
      objects.read(tree, "blob", 10_000),
      objects.read(big, "blob", 300_000),
      objects.read(one, "blob", 4),
    ]);
    const seen = answers.map((a) => (a.status === "fulfilled" ? a.value.length : (a.reason as { code: string }).code));
    expect(seen).toEqual([4, "git-failed", "git-failed", "git-failed", 300_000, 4]);
    const names = (await objects.tree(tree)).map((e) => `${e.mode} ${e.name.toString("latin1")}`);
    expect(names).toEqual([
      "100644 a:b",
      "100644 bin",
      "100644 caf\xe9",
      "040000 d",
      "120000 l",
      "100755 run",
      "040000 src",
    ]);
  } finally {
    await objects.close();
  }
  await expect(objects.read(tree, "tree", 10)).rejects.toMatchObject({ code: "git-failed" });
});

test("a pack that fails never looks whole", async () => {
  await expect(q.packFor("2".repeat(40), head).toArray()).rejects.toMatchObject({ code: "git-failed" });
  const whole = Buffer.concat(await q.packFor(await q.commitTree({ ...plan, tree, parent: head }), head).toArray());
  expect(whole.subarray(0, 4).toString()).toBe("PACK");
});

test("kept commits live under one prefix", async () => {
  expect(quarantineRef("attempts/d-x.1")).toBe("refs/sallyport/attempts/d-x.1");
  expect(quarantineRef("refs/sallyport/a")).toBe("refs/sallyport/a");
  expect(quarantineRef("refs/heads/main")).toBe("refs/sallyport/refs/heads/main");
  for (const bad of ["../heads/main", "-x", "a..b", "a/.b", "x.lock", "", "a b", "a\n"])
    expect(() => quarantineRef(bad), bad).toThrow();
  await q.keep("k", head);
  const refs = (await runGit(["for-each-ref", "--format=%(refname)"], { gitDir: q.gitDir })).stdout.toString().trim();
  expect(refs).toBe("refs/sallyport/k");
  expect(await as(owner, b.repo, "git", "for-each-ref", "--format=%(refname)")).toBe("refs/heads/main");
});
