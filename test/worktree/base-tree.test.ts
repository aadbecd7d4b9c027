import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BaseTree, ensureBaseTree, sweepBaseTrees } from "../../src/worktree/base-tree.ts";
import { openHostRepository, resolveCommit } from "../../src/worktree/host-repository.ts";
import { createLayer, destroyLayer, openWorkspace } from "../../src/worktree/layer.ts";
import { openQuarantine, type Quarantine } from "../../src/worktree/quarantine.ts";
import {
  accepted,
  as,
  type Bench,
  bench,
  commit,
  everything,
  fingerprint,
  owner,
  sandbox,
  script,
  stage,
} from "./fixture.ts";

let b: Bench;
let quarantine: Quarantine;
let base: BaseTree;
let head: string;
const long = "l".repeat(255);

const ensure = (options: Partial<Parameters<typeof ensureBaseTree>[0]> = {}) =>
  ensureBaseTree({
    quarantine,
    directory: join(b.root, "trees"),
    commit: head,
    visible: everything,
    visibleKey: "all",
    owner: sandbox,
    ...options,
  });

// Content goes into the repository as raw blobs: what these attributes would do to it is part of the test.
const content = `set -e
put() { git update-index --add --cacheinfo "$1,$(printf "$3" | git hash-object -w --no-filters --stdin),$2"; }
put 100644 .gitattributes '* text=auto eol=crlf\\n*.id ident\\n*.f filter=lfs\\n*.u working-tree-encoding=UTF-16\\n'
put 100644 crlf.txt 'a\\r\\nb\\n'; put 100644 x.id '$Id$ $Id: abc $'
put 100644 x.f 'version https://git-lfs.github.com/spec/v1\\noid sha256:00\\nsize 1\\n'
put 100644 x.u 'plain'; put 100755 bin/run '#!/bin/sh\\n'; put 120000 link 'bin/run'; put 120000 out '/etc/passwd'
put 100644 "$(printf 'caf\\xe9')" 'latin'; put 100644 ${long} 'long'; put 100644 "d/${long}/${long}" 'deeper'
put 100644 .gitignore 'ignored/\\n'; put 100644 bin/.gitignore 'x\\n'; put 120000 d/.gitignore '/etc/passwd'
put 100644 .gitmodules '[submodule "module"]\\n\\tpath = module\\n\\turl = /x\\n'
git update-index --add --cacheinfo 160000,0123456789012345678901234567890123456789,module
git commit -qm raw`;

beforeAll(async () => {
  b = await bench();
  await commit(b.repo, "true");
  const made = script(owner, b.repo, content);
  if (made.status !== 0) throw new Error(made.output);
  head = await as(owner, b.repo, "git", "rev-parse", "HEAD");
  const repository = await openHostRepository(b.repo);
  quarantine = await openQuarantine({ directory: join(b.root, "quarantine"), repository });
  base = await ensure();
  // Here the sandbox's uid looks at it in place; a sandbox has it mounted.
  await chmod(join(b.root, "trees"), 0o755);
});
afterAll(() => b?.clean());

describe("a base tree", () => {
  test("holds the commit byte for byte, whatever its attributes ask for", () => {
    const text = (path: string) => readFileSync(join(base.files, path), "latin1");
    expect(text("crlf.txt")).toBe("a\r\nb\n");
    expect(text("x.id")).toBe("$Id$ $Id: abc $");
    expect(text("x.f")).toMatch(/^version https:\/\/git-lfs/);
    expect(text("x.u")).toBe("plain");
    expect(text(long)).toBe("long");
    expect(readFileSync(Buffer.from(`${base.files}/caf\xe9`, "latin1"), "latin1")).toBe("latin");
    expect(readFileSync(join(base.files, "d", long, long), "latin1")).toBe("deeper");
    expect(readlinkSync(join(base.files, "link"))).toBe("bin/run");
    expect(readlinkSync(join(base.files, "out"))).toBe("/etc/passwd");
    expect(lstatSync(join(base.files, "bin/run")).mode & 0o777).toBe(0o755);
    expect(lstatSync(join(base.files, "crlf.txt")).mode & 0o777).toBe(0o644);
    expect(readdirSync(join(base.files, "module"))).toEqual([]);
    expect(lstatSync(join(base.files, "crlf.txt")).uid).toBe(sandbox.uid);
  });

  test("has a `.git` of one commit with that tree's objects alone, and no remote, hook or history", async () => {
    const git = (...args: string[]) => as(sandbox, base.files, "git", "--no-optional-locks", ...args);
    expect(await git("status", "--porcelain")).toBe("");
    expect(await git("log", "--format=%an|%s|%P|%T")).toBe(`Sallyport|base||${base.visibleTree}`);
    expect(base.visibleTree).toBe(base.tree);
    const objects = (await git("cat-file", "--batch-all-objects", "--batch-check=%(objecttype)")).split("\n");
    expect(objects.filter((type) => type === "commit")).toHaveLength(1);
    await expect(git("cat-file", "-t", head)).rejects.toThrow();
    expect(await git("remote")).toBe("");
    expect(existsSync(join(base.files, ".git/hooks"))).toBe(false);
    expect(await as({ uid: 0, gid: 0 }, base.files, "find", ".", "!", "-uid", String(sandbox.uid))).toBe("");
  });

  test("is clean to git also through an overlay, without reading files again", async () => {
    const layer = await createLayer({
      directory: join(b.root, "lanes"),
      name: "status",
      bytes: 8 << 20,
      inodes: 500,
      owner: sandbox,
    });
    try {
      const workspace = await openWorkspace({ lowers: [base.files], layer, target: join(b.root, "workspace") });
      const git = (...args: string[]) => as(sandbox, workspace.target, "git", ...args);
      expect(await git("diff-files", "--name-only")).toBe("");
      expect(await git("status", "--porcelain")).toBe("");
      script(sandbox, workspace.target, "printf x >> crlf.txt; printf n > new");
      expect(await git("status", "--porcelain")).toBe(" M crlf.txt\n?? new");
      expect(await git("commit", "-qam", "mine")).toBe("");
    } finally {
      await destroyLayer(layer);
    }
  });

  test("keeps its regular ignore files apart, and no link", () => {
    expect(readdirSync(base.ignoreRoot).sort()).toEqual([".gitignore", "bin"]);
    expect(readFileSync(join(base.ignoreRoot, "bin/.gitignore"), "utf8")).toBe("x\n");
  });

  test("an attempt on such a base collects, with every odd path left as it was", async () => {
    const s = await stage(b);
    const collected = accepted(await s.attempt("printf n > new; chmod -R u+rw . 2>/dev/null; printf z > out2"));
    expect(collected.changes.map((c) => c.path)).toEqual(["new", "out2"]);
  });

  test("a filter by path leaves out what is not visible, also from its `.git`", async () => {
    const part = await ensure({ visible: (path) => path.startsWith("bin/"), visibleKey: "bin" });
    expect(part.key).not.toBe(base.key);
    expect(readdirSync(part.files).sort()).toEqual([".git", "bin"]);
    expect(part.tree).toBe(base.tree);
    const git = (...args: string[]) => as(sandbox, part.files, "git", "--no-optional-locks", ...args);
    expect(await git("ls-tree", "-r", "--name-only", "HEAD")).toBe("bin/.gitignore\nbin/run");
    expect(await git("status", "--porcelain")).toBe("");
    expect((await git("cat-file", "--batch-all-objects", "--batch-check")).split("\n")).toHaveLength(5);
    const none = await ensure({ visible: () => false, visibleKey: "none" });
    expect(readdirSync(none.files)).toEqual([".git"]);
  });
});

describe("making it", () => {
  test("many at once make one; a second call makes none; what a crash left is swept", async () => {
    const directory = join(b.root, "race");
    const all = await Promise.all(Array.from({ length: 8 }, () => ensure({ directory })));
    expect(new Set(all.map((tree) => tree.files)).size).toBe(1);
    expect(readdirSync(directory)).toEqual([all[0]?.key]);
    const before = fingerprint(directory);
    await ensure({ directory });
    expect(fingerprint(directory)).toBe(before);
    await mkdir(join(directory, ".making-abc/files"), { recursive: true });
    await writeFile(join(directory, ".making-abc/files/x"), "half");
    expect(await sweepBaseTrees(directory)).toEqual([".making-abc"]);
    expect(readdirSync(directory)).toEqual([all[0]?.key]);
  });

  test("the host's checkout and repository are untouched, also where the checkout is dirty", async () => {
    script(owner, b.repo, "printf dirty > crlf.txt; printf u > untracked");
    const before = fingerprint(b.repo);
    const fresh = await ensure({ directory: join(b.root, "dirty") });
    expect(readFileSync(join(fresh.files, "crlf.txt"), "latin1")).toBe("a\r\nb\n");
    expect(existsSync(join(fresh.files, "untracked"))).toBe(false);
    expect(fingerprint(b.repo)).toBe(before);
  });

  test.each([".GIT", "git~1", ".g\u200cit", ".git "])(
    "a base with %j in it is refused, and nothing is left",
    async (name) => {
      const made = script(
        owner,
        b.repo,
        `set -e; blob=$(printf x | git hash-object -w --stdin); sub=$(printf '100644 blob %s\\tconfig\\0' $blob | git mktree -z)
       top=$(printf '040000 tree %s\\t%s\\0' $sub '${name}' | git mktree -z); git commit-tree -m bad $top`,
      );
      const bad = made.output.trim();
      expect(bad).toMatch(/^[0-9a-f]{40}$/);
      const directory = join(b.root, "bad");
      await expect(ensure({ directory, commit: bad })).rejects.toMatchObject({ code: "repository-invalid" });
      expect(existsSync(directory) ? readdirSync(directory) : []).toEqual([]);
    },
  );

  test("a missing commit is refused", async () => {
    await expect(ensure({ commit: "1".repeat(40) })).rejects.toMatchObject({ code: "repository-invalid" });
  });
});

test("a repository of SHA-256 objects goes the whole way", async () => {
  const other = await bench("sha256");
  try {
    await commit(other.repo, "printf a > a; ln -s a l");
    const s = await stage(other);
    const { commit: at } = await resolveCommit(s.repository, undefined);
    expect(at).toHaveLength(64);
    const collected = accepted(await s.attempt("printf b > b; touch -h l"));
    expect(collected.tree).toHaveLength(64);
    expect(collected.changes.map((c) => c.path)).toEqual(["b"]);
  } finally {
    await other.clean();
  }
});
