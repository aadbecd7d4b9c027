import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accepted, as, type Bench, bench, commit, fingerprint, owner, refused, type Stage, stage } from "./fixture.ts";

let b: Bench;
let s: Stage;

beforeAll(async () => {
  b = await bench();
  await commit(
    b.repo,
    `mkdir -p src/deep docs old
     printf 'one\\n' > src/one.txt; printf '#!/bin/sh\\n' > run.sh; chmod +x run.sh
     printf 'x' > src/deep/x; printf 'y' > src/deep/y; ln -s src/one.txt link; ln -s /etc/hostname outside
     printf 'a' > docs/README.md; printf 'p' > old/p; printf 'q' > old/q
     printf 'build/\\n*.log\\n!keep.log\\n' > .gitignore; mkdir -p build; printf 'tracked' > build/tracked
     git add -f build/tracked; printf 'u' > $'caf\\xe9'; printf 'w' > 'odd '`,
  );
  s = await stage(b);
});
afterAll(() => b?.clean());

const paths = async (write: string, options = {}) =>
  accepted(await s.attempt(write, options)).changes.map((c) => `${c.kind} ${c.mode} ${c.path}`);

describe("what a layer changes becomes a tree", () => {
  test("additions, changes, deletions, modes, links and renames, as git itself would say", async () => {
    const collected = accepted(
      await s.attempt(`printf 'two\\n' > src/one.txt; chmod -x run.sh; rm src/deep/x; mkdir -p new/dir; printf n > new/dir/n
        ln -s ../src/one.txt new/l; git mv docs/README.md docs/readme.md 2>/dev/null || mv docs/README.md docs/readme.md; mkdir empty`),
    );
    expect(collected.changes.map((c) => `${c.kind} ${c.mode} ${c.path}`)).toEqual([
      "deleted 100644 docs/README.md",
      "added 100644 docs/readme.md",
      "added 100644 new/dir/n",
      "added 120000 new/l",
      "modified 100644 run.sh",
      "deleted 100644 src/deep/x",
      "modified 100644 src/one.txt",
    ]);
    expect((await s.quarantine.readBlob(`${collected.commit}:src/one.txt`)).toString()).toBe("two\n");
    expect((await s.quarantine.readBlob(`${collected.commit}:new/l`)).toString()).toBe("../src/one.txt");
    const objects = s.quarantine.objects();
    const shown = (await objects.read(collected.commit, "commit", 10_000)).toString();
    await objects.close();
    expect(shown).toContain(`parent ${s.base.commit}`);
    expect(shown).toContain("author Host <host@example.org> 1767323045 +0000");
  });

  test("the same work twice gives the same commit", async () => {
    const write = "printf z > src/z; rm -rf old";
    const [first, second] = [accepted(await s.attempt(write)), accepted(await s.attempt(write))];
    expect(first.commit).toBe(second.commit);
  });

  test("nothing written is the base's tree, and so is what was only touched", async () => {
    const collected = accepted(
      await s.attempt("chmod -R u+w .; touch src/one.txt link 'odd ' $'caf\\xe9'; touch -h outside"),
    );
    expect(collected.tree).toBe(s.base.tree);
    expect(collected.changes).toEqual([]);
  });

  test("a directory removed, removed and made anew, or turned into a file", async () => {
    expect(await paths("rm -rf src/deep")).toEqual(["deleted 100644 src/deep/x", "deleted 100644 src/deep/y"]);
    expect(await paths("rm -rf old; mkdir old; printf r > old/r; printf p > old/p")).toEqual([
      "deleted 100644 old/q",
      "added 100644 old/r",
    ]);
    expect(await paths("rm -rf old; printf f > old")).toEqual([
      "added 100644 old",
      "deleted 100644 old/p",
      "deleted 100644 old/q",
    ]);
    expect(await paths("rm link; mkdir link; printf f > link/f")).toEqual([
      "deleted 120000 link",
      "added 100644 link/f",
    ]);
    expect(await paths("rm src/one.txt; ln -s deep/x src/one.txt")).toEqual(["modified 120000 src/one.txt"]);
    expect(await paths("mv old ancient")).toEqual([
      "added 100644 ancient/p",
      "added 100644 ancient/q",
      "deleted 100644 old/p",
      "deleted 100644 old/q",
    ]);
  });

  test("the sandbox's own `.git` is skipped unread: used, broken, removed", async () => {
    expect(await paths("printf z > z; git add -A; git commit -qm mine; git status")).toEqual(["added 100644 z"]);
    expect(await paths("printf z > z; rm -rf .git")).toEqual(["added 100644 z"]);
    expect(await paths("printf z > z; rm -rf .git; git init -q; mkfifo .git/fifo; ln -s /etc/passwd .git/p")).toEqual([
      "added 100644 z",
    ]);
  });

  test("what the base ignores is dropped and counted, never what it tracks, and a new ignore file does not hide anything", async () => {
    const collected = accepted(
      await s.attempt(`mkdir -p build/o; printf o > build/o/o; printf l > a.log; printf k > keep.log; mkfifo build/fifo
        printf changed > build/tracked; printf '*\\n' > src/.gitignore; printf s > src/secret.txt`),
    );
    expect(collected.ignored).toBe(3);
    expect(collected.changes.map((c) => c.path)).toEqual([
      "build/tracked",
      "keep.log",
      "src/.gitignore",
      "src/secret.txt",
    ]);
    expect(collected.wrote.files).toBe(7);
    expect(collected.wrote.paths).toContain("keep.log");
    expect(collected.wrote.paths).not.toContain("a.log");
  });

  test("a layer seeded with an earlier proposal gives that proposal and what came on top", async () => {
    const first = accepted(
      await s.attempt(
        "printf n > n; rm old/p; mkdir -p build; ln -s src new; printf e > run.sh; rm src/one.txt; mkdir src/one.txt; printf i > src/one.txt/i",
      ),
    );
    const again = accepted(await s.attempt("true", { from: first.tree }));
    expect(again.tree).toBe(first.tree);
    const more = accepted(
      await s.attempt("test ! -e old/p && cat n && printf m >> n && rm run.sh && printf p > old/p", {
        from: first.tree,
      }),
    );
    expect(more.changes.map((c) => `${c.kind} ${c.path}`)).toEqual([
      "added n",
      "added new",
      "deleted run.sh",
      "deleted src/one.txt",
      "added src/one.txt/i",
    ]);
    expect((await s.quarantine.readBlob(`${more.commit}:n`)).toString()).toBe("nm");
  });

  test("what a setup layer below did is not the executor's", async () => {
    const setup = `${b.root}/setup`;
    await as(
      { uid: 0, gid: 0 },
      b.root,
      "bash",
      "-c",
      "mkdir -p setup/mods/old && echo m > setup/mods/m && echo changed > setup/run.sh && chown -R 10001:10001 setup",
    );
    const collected = accepted(
      await s.attempt("cat mods/m && printf z > z && printf q > old/q2 && rm mods/m", { setup: [setup] }),
    );
    expect(collected.changes.map((c) => `${c.kind} ${c.path}`)).toEqual(["added old/q2", "added z"]);
  });

  test("the base tree, the host's checkout and its repository are as they were", async () => {
    const before = [fingerprint(b.repo), fingerprint(s.base.files)];
    accepted(await s.attempt("printf z > src/one.txt; rm -rf docs old; chmod 600 run.sh; printf x > .git/config"));
    expect([fingerprint(b.repo), fingerprint(s.base.files)]).toEqual(before);
    expect(await as(owner, b.repo, "git", "status", "--porcelain")).toBe("");
  });
});

describe("what was not given cannot be changed", () => {
  let hidden: Stage;
  const visible = (path: string) => !path.startsWith("src/deep/") && path !== "old/p" && path !== "link";
  beforeAll(async () => {
    hidden = await stage(b, visible, "partial");
  });

  test("hidden files are not in the workspace, and stay in the result", async () => {
    const collected = accepted(
      await hidden.attempt("test ! -e src/deep && test ! -e old/p && printf z > z && rm -rf old"),
    );
    expect(collected.changes.map((c) => `${c.kind} ${c.path}`)).toEqual(["deleted old/q", "added z"]);
  });

  test("a path outside what is visible is refused, whether the base has it or not", async () => {
    expect(refused(await hidden.attempt("mkdir -p src/deep; printf a > src/deep/x; printf b > src/deep/new"))).toEqual([
      "not-writable src/deep/new",
      "not-writable src/deep/x",
    ]);
    expect(refused(await hidden.attempt("rm -rf src; printf a > src"))).toContain("not-writable src");
    expect(refused(await hidden.attempt("mkdir link; printf a > link/a"))).toContain("not-writable link/a");
  });
});
