import { existsSync, readFileSync } from "node:fs";
import { chmod, chown, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureBaseTree } from "../../src/worktree/base-tree.ts";
import { checkedOutBranches } from "../../src/worktree/checked-out.ts";
import {
  assertComplete,
  openHostRepository,
  readRef,
  receivePack,
  resolveCommit,
  swapRef,
} from "../../src/worktree/host-repository.ts";
import { openQuarantine } from "../../src/worktree/quarantine.ts";
import { as, type Bench, bench, commit, everything, fingerprint, owner, plan, sandbox, script } from "./fixture.ts";

const checkedOutRefs = async (repo: Parameters<typeof checkedOutBranches>[0]) =>
  (await checkedOutBranches(repo)).map(({ ref }) => ref).sort();

let b: Bench;
let first: string;
let second: string;

beforeAll(async () => {
  b = await bench();
  first = await commit(b.repo, "printf a > a");
  second = await commit(b.repo, "mkdir d; printf b > d/b");
  await as(owner, b.repo, "git", "branch", "other", first);
  await as(owner, b.repo, "git", "tag", "v1", first);
  await as(owner, b.repo, "git", "tag", "-a", "-m", "x", "v2", second);
  await chmod(b.root, 0o777);
});
afterAll(() => b?.clean());

const here = (name: string) => join(b.root, name);

describe("opening", () => {
  test("a checkout, a bare repository, a linked worktree; the path is canonical and the owner known", async () => {
    script(
      owner,
      b.root,
      "git clone -q --bare 'host repo' bare.git; git -C 'host repo' worktree add -q ../linked other; ln -s 'host repo' way",
    );
    const repo = await openHostRepository(here("way"));
    expect(repo).toMatchObject({
      path: b.repo,
      gitDir: join(b.repo, ".git"),
      headDir: join(b.repo, ".git"),
      ...owner,
      bare: false,
      objectFormat: "sha1",
    });
    expect(await openHostRepository(here("bare.git"))).toMatchObject({ gitDir: here("bare.git"), bare: true });
    const linked = await openHostRepository(here("linked"));
    expect(linked).toMatchObject({ path: here("linked"), gitDir: join(b.repo, ".git"), bare: false });
    expect(await resolveCommit(linked, undefined)).toEqual({ commit: first, ref: "refs/heads/other" });
    expect(await checkedOutRefs(linked)).toEqual(["refs/heads/main", "refs/heads/other"]);
    expect(await checkedOutRefs(await openHostRepository(here("bare.git")))).toEqual([]);
    expect(await checkedOutRefs(repo)).toEqual(["refs/heads/main", "refs/heads/other"]);
  });

  test("what is missing, no repository, below a top, empty, or broken is refused with the next step", async () => {
    script(
      owner,
      b.root,
      "mkdir plain; git init -q empty; git init -q broken; echo x > broken/.git/HEAD; echo f > file",
    );
    for (const path of ["nowhere", "plain", "file", "empty", "broken", "host repo/d"]) {
      const error = await openHostRepository(here(path)).catch((e: unknown) => e);
      expect(error, path).toMatchObject({ code: "repository-invalid", next: expect.stringMatching(/\w+/) });
    }
  });

  test("a checkout whose git directory belongs to another is refused; the same with one owner passes", async () => {
    script(
      { uid: 0, gid: 0 },
      b.root,
      "mkdir theirs && cd theirs && git init -q && git -c user.name=x -c user.email=x commit -q --allow-empty -m x",
    );
    await mkdir(here("deputy"));
    await writeFile(here("deputy/.git"), `gitdir: ${here("theirs/.git")}\n`);
    await chown(here("deputy"), owner.uid, owner.gid);
    await chown(here("deputy/.git"), owner.uid, owner.gid);
    await expect(openHostRepository(here("deputy"))).rejects.toMatchObject({ code: "repository-invalid" });
    await expect(openHostRepository(here("theirs"))).resolves.toMatchObject({ uid: 0 });
  });

  test("a partial clone with missing objects is refused; a full one passes; nothing is fetched", async () => {
    script(
      owner,
      b.root,
      "git -C 'host repo' config uploadpack.allowFilter true; git clone -q --no-checkout --filter=blob:none file://$PWD/'host repo' partial; git clone -q file://$PWD/'host repo' full",
    );
    await expect(openHostRepository(here("partial"))).rejects.toMatchObject({
      code: "repository-invalid",
      message: expect.stringContaining("is missing"),
    });
    await expect(openHostRepository(here("full"))).resolves.toMatchObject({ bare: false });
  });

  test("a shallow clone serves", async () => {
    script(owner, b.root, "git clone -q --depth 1 file://$PWD/'host repo' shallow");
    const repo = await openHostRepository(here("shallow"));
    const q = await openQuarantine({ directory: here("q-shallow"), repository: repo });
    const tree = await q.compose(await q.treeOf(second), [
      { path: "n", mode: "100644", oid: await q.writeBlob(Buffer.from("n")) },
    ]);
    const made = await q.commitTree({ ...plan, tree, parent: second });
    await receivePack(repo, q.packFor(made, second));
    expect(await swapRef(repo, "refs/heads/landed", null, made)).toBe(true);
    expect(await as(owner, repo.path, "git", "show", "landed:n")).toBe("n");
  });

  test("objects the owner cannot read are not read for them", async () => {
    script({ uid: 0, gid: 0 }, b.root, "mkdir secret && cd secret && git init -q --bare && chmod 700 .");
    script(
      { uid: 0, gid: 0 },
      b.root,
      "cd secret && t=$(printf secret | git hash-object -w --stdin | xargs -I{} printf '100644 blob {}\\tf\\n' | git mktree) && git -c user.name=x -c user.email=x commit-tree -m s $t > ../secret-commit",
    );
    script(
      owner,
      b.root,
      "git clone -q 'host repo' thief && mkdir -p thief/.git/objects/info && echo $PWD/secret/objects > thief/.git/objects/info/alternates && git -C thief update-ref refs/heads/s $(cat secret-commit)",
    );
    const repo = await openHostRepository(here("thief"));
    const stolen = script(owner, b.root, "cat secret-commit").output.trim();
    expect(stolen).toMatch(/^[0-9a-f]{40}$/);
    await expect(resolveCommit(repo, stolen)).rejects.toMatchObject({ code: "ref-invalid" });
    const quarantine = await openQuarantine({ directory: here("q-thief"), repository: repo });
    const wanted = {
      quarantine,
      directory: here("trees-thief"),
      visible: everything,
      visibleKey: "all",
      owner: sandbox,
    };
    await expect(ensureBaseTree({ ...wanted, commit: stolen })).rejects.toMatchObject({ code: "repository-invalid" });
    await expect(ensureBaseTree({ ...wanted, commit: second })).resolves.toMatchObject({ commit: second });
  });
});

describe("revisions", () => {
  test("branches, tags, ids and expressions resolve; only a branch has a ref", async () => {
    const repo = await openHostRepository(b.repo);
    expect(await resolveCommit(repo, undefined)).toEqual({ commit: second, ref: "refs/heads/main" });
    expect(await resolveCommit(repo, "other")).toEqual({ commit: first, ref: "refs/heads/other" });
    expect(await resolveCommit(repo, "refs/heads/other")).toEqual({ commit: first, ref: "refs/heads/other" });
    expect(await resolveCommit(repo, "v1")).toEqual({ commit: first, ref: null });
    expect(await resolveCommit(repo, "v2")).toEqual({ commit: second, ref: null });
    expect(await resolveCommit(repo, "main~1")).toEqual({ commit: first, ref: null });
    expect(await resolveCommit(repo, first)).toEqual({ commit: first, ref: null });
    expect(await readRef(repo, "refs/heads/other")).toBe(first);
    expect(await readRef(repo, "refs/heads/none")).toBeNull();
  });

  test.each([
    "nope",
    "--all",
    "-n1",
    "",
    "main\n",
    "a\0b",
    "HEAD:a",
    "main:a",
    "\u001b[2J",
    "x".repeat(2000),
    "--output=/tmp/x",
    "0".repeat(40),
  ])("%j is refused", async (ref) => {
    const repo = await openHostRepository(b.repo);
    await expect(resolveCommit(repo, ref)).rejects.toMatchObject({ code: "ref-invalid" });
  });

  test("a name that is a tag and a branch is not guessed", async () => {
    await as(owner, b.repo, "git", "tag", "twin", first);
    await as(owner, b.repo, "git", "branch", "twin", second);
    const repo = await openHostRepository(b.repo);
    await expect(resolveCommit(repo, "twin")).rejects.toMatchObject({
      code: "ref-invalid",
      next: expect.stringContaining("refs/heads/twin"),
    });
    expect(await resolveCommit(repo, "refs/heads/twin")).toEqual({ commit: second, ref: "refs/heads/twin" });
  });
});

describe("moving a branch", () => {
  test("compare and swap: only from where it is said to be", async () => {
    const repo = await openHostRepository(b.repo);
    expect(await swapRef(repo, "refs/heads/new", null, first)).toBe(true);
    expect(await swapRef(repo, "refs/heads/new", null, second)).toBe(false);
    expect(await swapRef(repo, "refs/heads/new", second, second)).toBe(false);
    expect(await readRef(repo, "refs/heads/new")).toBe(first);
    expect(await swapRef(repo, "refs/heads/new", first, second)).toBe(true);
    expect(await readRef(repo, "refs/heads/new")).toBe(second);
  });

  test("twenty at once: one wins", async () => {
    const repo = await openHostRepository(b.repo);
    await swapRef(repo, "refs/heads/race", null, first);
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => swapRef(repo, "refs/heads/race", first, second).catch(() => false)),
    );
    expect(outcomes.filter(Boolean)).toHaveLength(1);
    expect(await readRef(repo, "refs/heads/race")).toBe(second);
  });

  test.each([
    "main",
    "HEAD",
    "refs/tags/v1",
    "refs/heads/",
    "refs/heads/a..b",
    "refs/heads/-x/../y",
    "refs/heads/a.lock",
    "refs/heads/x y",
    "--stdin",
    "refs/heads/a\nb",
  ])("%j is no branch", async (ref) => {
    const repo = await openHostRepository(b.repo);
    await expect(swapRef(repo, ref, null, first)).rejects.toMatchObject({ code: "ref-invalid" });
  });

  test("a symbolic branch is refused, and what it points at stays", async () => {
    await as(owner, b.repo, "git", "symbolic-ref", "refs/heads/alias", "refs/heads/other");
    const repo = await openHostRepository(b.repo);
    await expect(swapRef(repo, "refs/heads/alias", first, second)).rejects.toMatchObject({ code: "ref-invalid" });
    expect(await readRef(repo, "refs/heads/other")).toBe(first);
  });

  test("a branch that cannot be written is an error, not a lost race", async () => {
    const repo = await openHostRepository(b.repo);
    script(owner, b.repo, "touch .git/refs/heads/locked.lock");
    await expect(swapRef(repo, "refs/heads/locked", null, first)).rejects.toMatchObject({ code: "git-failed" });
    await expect(swapRef(repo, "refs/heads/main/below", null, first)).rejects.toMatchObject({ code: "git-failed" });
  });

  test("objects and refs that were written belong to the owner", async () => {
    const repo = await openHostRepository(b.repo);
    const q = await openQuarantine({ directory: here("quarantine"), repository: repo });
    const tree = await q.compose(await q.treeOf(second), [
      { path: "landed", mode: "100644", oid: await q.writeBlob(Buffer.from("landed")) },
    ]);
    const made = await q.commitTree({ ...plan, tree, parent: second });
    await expect(as(owner, b.repo, "git", "cat-file", "-t", made)).rejects.toThrow();
    await receivePack(repo, q.packFor(made, second));
    expect(await swapRef(repo, "refs/heads/land", null, made)).toBe(true);
    expect(await as(owner, b.repo, "git", "show", "land:landed")).toBe("landed");
    expect(await as(owner, b.repo, "git", "fsck", "--strict")).not.toContain("error");
    expect(await as(owner, b.repo, "find", ".git", "!", "-uid", String(owner.uid))).toBe("");
  });

  test("a broken or cut pack is refused and leaves nothing", async () => {
    const repo = await openHostRepository(b.repo);
    const before = fingerprint(join(b.repo, ".git/objects"));
    await expect(receivePack(repo, Readable.from([Buffer.from("PACK not")]))).rejects.toMatchObject({
      code: "git-failed",
    });
    const torn = new Readable({
      read() {
        this.destroy(new Error("upstream broke"));
      },
    });
    await expect(receivePack(repo, torn)).rejects.toThrow("upstream broke");
    script(owner, b.repo, "rm -f .git/objects/pack/tmp_*");
    expect(fingerprint(join(b.repo, ".git/objects"))).toBe(before);
  });
});

const hooks = [
  "reference-transaction",
  "post-checkout",
  "pre-receive",
  "update",
  "post-update",
  "post-receive",
  "pre-auto-gc",
  "post-index-change",
  "fsmonitor-watchman",
  "proc-receive",
  "post-commit",
  "pre-commit",
  "push-to-checkout",
];

/** A config in which every setting that names a program names the trap. */
const trapConfig = (trap: string, directory: string, more: string) => `[core]
  repositoryformatversion = 1
  hooksPath = ${directory}/.git/hooks
  fsmonitor = ${trap}
  sshCommand = ${trap}
  gitProxy = ${trap}
  askPass = ${trap}
  pager = ${trap}
  editor = ${trap}
  alternateRefsCommand = ${trap}
  attributesFile = ${directory}/.gitattributes
[filter "x"]
  clean = ${trap} clean
  smudge = ${trap} smudge
  process = ${trap} process
  required = true
[diff]
  external = ${trap}
[diff "x"]
  command = ${trap}
  textconv = ${trap}
[merge "x"]
  driver = ${trap}
[alias]
  rev-parse = !${trap}
  update-ref = !${trap}
[gpg]
  program = ${trap}
[log]
  showSignature = true
[commit]
  gpgSign = true
[remote "origin"]
  promisor = true
  url = ext::${trap}
  uploadpack = ${trap}
  vcs = x
[extensions]
  partialClone = origin
[include]
  path = ${more}
[uploadpack]
  packObjectsHook = ${trap}
[gc]
  auto = 1
`;

test("nothing that a hostile repository names is ever run", async () => {
  const [trap, directory, trip, more] = [here("trap"), here("hostile"), here("tripped"), here("more")];
  await writeFile(trap, `#!/bin/sh\necho "$0 $*" >> ${trip}\n`);
  await chmod(trap, 0o755);
  await writeFile(more, `[core]\n  fsmonitor = ${trap}\n  hooksPath = ${directory}/.git/hooks\n`);
  script(owner, b.root, "git clone -q 'host repo' hostile");
  script(
    owner,
    directory,
    "printf '* filter=x diff=x merge=x text eol=crlf ident\\n' > .gitattributes; printf 'a\\n' > text; git add -A; git commit -qm hostile; mkdir -p .git/hooks",
  );
  for (const hook of hooks) {
    await writeFile(join(directory, ".git/hooks", hook), `#!/bin/sh\nexec ${trap} ${hook}\n`);
    await chmod(join(directory, ".git/hooks", hook), 0o755);
  }
  await writeFile(join(directory, ".git/config"), trapConfig(trap, directory, more));
  script({ uid: 0, gid: 0 }, directory, `chown -R ${owner.uid}:${owner.gid} .`);
  // The traps are real: git as anyone would call it falls into them.
  script(owner, directory, "git status; git update-ref refs/heads/t HEAD");
  expect(readFileSync(trip, "utf8")).toContain("reference-transaction");
  await rm(trip);

  const repo = await openHostRepository(directory);
  const before = fingerprint(join(directory, ".git"));
  const { commit: base, ref } = await resolveCommit(repo, undefined);
  expect(ref).toBe("refs/heads/main");
  await assertComplete(repo, base);
  await checkedOutRefs(repo);
  const q = await openQuarantine({ directory: here("q-hostile"), repository: repo });
  const tree = await ensureBaseTree({
    quarantine: q,
    directory: here("trees-hostile"),
    commit: base,
    visible: everything,
    visibleKey: "all",
    owner: sandbox,
  });
  expect(fingerprint(join(directory, ".git"))).toBe(before);
  const next = await q.compose(tree.tree, [
    { path: "text", mode: "100644", oid: await q.writeBlob(Buffer.from("b\n")) },
  ]);
  const patch = await q.patch(tree.tree, next, 10_000);
  expect(patch.ok && patch.patch.toString()).toContain("-a\n+b\n");
  const made = await q.commitTree({ ...plan, tree: next, parent: base });
  await receivePack(repo, q.packFor(made, base));
  expect(await swapRef(repo, "refs/heads/main", base, made)).toBe(true);
  // A missing object of a partial clone is not fetched through what the config names.
  await expect(resolveCommit(repo, `${"0".repeat(39)}1`)).rejects.toMatchObject({ code: "ref-invalid" });
  expect(existsSync(trip)).toBe(false);
});
