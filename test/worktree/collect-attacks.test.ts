import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collectLayer } from "../../src/worktree/collect.ts";
import { runGit } from "../../src/worktree/git.ts";
import { createLayer, destroyLayer, freezeLayer, openWorkspace } from "../../src/worktree/layer.ts";
import {
  accepted,
  as,
  type Bench,
  bench,
  commit,
  everything,
  fingerprint,
  limits,
  owner,
  plan,
  refused,
  type Stage,
  sandbox,
  script,
  stage,
} from "./fixture.ts";

let b: Bench;
let s: Stage;
let before: string[];

beforeAll(async () => {
  b = await bench();
  await commit(
    b.repo,
    `mkdir -p src Docs; printf 'one\\n' > src/one.txt; printf d > Docs/d; printf 'vendor/\\n' > .gitignore
     ln -s ../elsewhere escape; printf a > Clash; printf b > clash
     git init -q sub; git -C sub commit -q --allow-empty -m sub; git add -f sub 2>/dev/null; rm -rf sub/.git`,
  );
  s = await stage(b);
  before = [fingerprint(b.repo), fingerprint(s.base.files)];
});
afterAll(async () => {
  try {
    expect([fingerprint(b.repo), fingerprint(s.base.files)]).toEqual(before);
    const refs = await runGit(["for-each-ref", "--format=%(refname)"], { gitDir: s.quarantine.gitDir });
    const kept = refs.stdout.toString().trim().split("\n");
    expect(kept.every((ref) => ref.startsWith("refs/sallyport/attempts/lane-"))).toBe(true);
  } finally {
    await b?.clean();
  }
});

const fine = async (write: string, expected: string[]) =>
  expect(accepted(await s.attempt(write)).changes.map((c) => c.path)).toEqual(expected);
const bad = async (write: string, expected: string[]) =>
  expect(refused(await s.attempt(write)).sort()).toEqual(expected);

describe("`.git` and its kin", () => {
  test.each([
    ["mkdir -p a/.git && printf x > a/.git/config", "nested-repository a/.git/config"],
    ["mkdir a && printf 'gitdir: /x' > a/.git", "nested-repository a/.git"],
    ["mkdir .GIT && printf x > .GIT/config", "name-refused .GIT/config"],
    ["mkdir '.git ' && printf x > '.git /config'", "name-refused .git /config"],
    ["mkdir .git. && printf x > .git./config", "name-refused .git./config"],
    ["mkdir git~1 && printf x > git~1/config", "name-refused git~1/config"],
    ["printf x > '.git::$INDEX_ALLOCATION'", "name-refused .git::$INDEX_ALLOCATION"],
    ["mkdir $'.g\\u200cit' && printf x > $'.g\\u200cit/config'", "name-refused .g\\u{200c}it/config"],
    ["rm -rf .git && printf 'gitdir: /x' > .git", "nested-repository .git"],
    ["rm -rf .git && ln -s /etc .git", "nested-repository .git"],
    ["printf x > .gitmodules", "name-refused .gitmodules"],
    ["printf x > src/.GitModules", "name-refused src/.GitModules"],
    ["printf x > .GITATTRIBUTES", "name-refused .GITATTRIBUTES"],
  ])("%s", async (write, finding) => {
    await bad(write, [finding]);
  });

  test("a repository, bare or with a common directory elsewhere, inside the tree", async () => {
    await bad("mkdir -p e && git init -q --bare e/bare.git && touch e/bare.git/objects/x e/bare.git/refs/x", [
      "nested-repository e/bare.git",
    ]);
    await bad("mkdir e && printf 'ref: refs/heads/x' > e/HEAD && printf ../c > e/commondir && printf z > e/config", [
      "nested-repository e",
    ]);
    await bad("mkdir -p objects refs && touch objects/a refs/b && printf 'ref: x' > HEAD", ["nested-repository ."]);
    await fine("mkdir e && printf x > e/HEAD && mkdir e/objects && printf o > e/objects/o", ["e/HEAD", "e/objects/o"]);
    await fine("mkdir -p vendor/x && git init -q vendor/x && printf y > y", ["y"]);
  });

  test("a submodule of the base cannot be filled, replaced or removed", async () => {
    await bad("printf x > sub/x", ["nested-repository sub/x"]);
    await bad("rmdir sub", ["nested-repository sub"]);
    await bad("rmdir sub && printf x > sub", ["nested-repository sub"]);
    await fine("test -d sub && chmod 700 sub && printf x > subway", ["subway"]);
  });

  test("hostile git configuration, attributes, hooks and replaced objects in the layer run nothing and change nothing", async () => {
    script({ uid: 0, gid: 0 }, b.root, `mkdir -p traps && chmod 777 traps`);
    const hook = `#!/bin/sh\ntouch ${b.root}/traps/tripped\n`;
    await s
      .attempt(async (workspace) => {
        writeFileSync(join(b.root, "hook.sh"), hook, { mode: 0o755 });
        const tool = join(b.root, "hook.sh");
        script(
          sandbox,
          workspace,
          `git config core.fsmonitor ${tool}; git config filter.x.clean ${tool}; git config filter.x.smudge ${tool}
         git config diff.x.textconv ${tool}; git config core.hooksPath ${b.root}; git config alias.status '!${tool}'
         printf '* filter=x diff=x text eol=crlf\\n' > .gitattributes; printf 'two\\n' > src/one.txt
         git replace -f HEAD $(git commit-tree -m r HEAD^{tree}); mkdir -p .git/info; echo bogus > .git/info/grafts; echo /etc > .git/objects/info/alternates`,
        );
        script({ uid: 0, gid: 0 }, b.root, "rm -f traps/*");
      })
      .then(async (collected) => {
        const done = accepted(collected);
        expect(done.changes.map((c) => c.path)).toEqual([".gitattributes", "src/one.txt"]);
        const patch = await s.quarantine.patch(s.base.tree, done.tree, 100_000);
        expect(patch.ok && patch.patch.toString()).toContain("+two\n");
        expect(await s.quarantine.readBlob(`${done.commit}:src/one.txt`)).toEqual(Buffer.from("two\n"));
      });
    expect(existsSync(join(b.root, "traps/tripped"))).toBe(false);
  });
});

describe("names", () => {
  test.each([
    ["printf x > $'a\\nb'", "name-refused a\\nb"],
    ["printf x > $'a\\eb'", "name-refused a\\x1bb"],
    ["printf x > ./-rf", "name-refused -rf"],
    ["mkdir ./--help && printf x > ./--help/a", "name-refused --help/a"],
    ["printf x > 'a\\b'", "name-refused a\\\\b"],
    ["printf x > $'a\\xff'", "name-refused a\\xff"],
    ["printf x > $'a\\u202etxt.exe'", "name-refused a\\u{202e}txt.exe"],
    ["printf x > 'trailing '", "name-refused trailing "],
    ["printf x > trailing.", "name-refused trailing."],
    ["printf x > SRC", "name-refused SRC"],
    ["mkdir Src && printf x > Src/new", "name-refused Src"],
    ["printf x > $'src/caf\\u00e9'; printf y > $'src/cafe\\u0301'", "name-refused src/cafe\u0301"],
  ])("%s", async (write, finding) => {
    await bad(write, [finding]);
  });

  test("honest names of every kind pass", async () => {
    const long = "l".repeat(255);
    await fine(
      `printf x > $'caf\\u00e9 (1) [a]'; printf y > ':(glob)z'; printf z > '"quoted"'; printf w > ${long}; printf v > .gitkeep; printf h > '#hash'`,
      ['"quoted"', "#hash", ".gitkeep", ":(glob)z", "café (1) [a]", long],
    );
  });

  test("a rename by case alone passes, and a collision that the base has already is not the executor's", async () => {
    await fine("mv Docs docs", ["Docs/d", "docs/d"]);
    await fine("printf changed > Clash", ["Clash"]);
  });

  test("a path that is too long or too deep is refused, and does not end the walk in an error", async () => {
    const deep = (n: number, name: string) =>
      `d=.; for i in $(seq ${n}); do mkdir ${name} && cd ${name} || exit; done; printf x > f`;
    expect(refused(await s.attempt(deep(30, "n".repeat(200))))[0]).toMatch(/^name-refused n+/);
    expect(refused(await s.attempt(deep(300, "d")))[0]).toMatch(/^name-refused d\/d/);
    accepted(await s.attempt(deep(100, "d")));
  });
});

describe("links", () => {
  test.each([
    ["ln -s /etc/passwd l", "link-refused l"],
    ["ln -s ../../etc/passwd l", "link-refused l"],
    ["ln -s ../.. src/l", "link-refused src/l"],
    ["ln -s src/../../x l", "link-refused l"],
    ["ln -s .git/config l", "link-refused l"],
    ["ln -s src/../.GIT l", "link-refused l"],
    ["ln -s escape/passwd l", "link-refused l"],
    ["ln -s m l; ln -s l m", "link-refused l,link-refused m"],
    ["ln -s 'C:\\x' l", "link-refused l"],
    ["ln -sfn ../../more escape", "link-refused escape"],
  ])("%s", async (write, finding) => {
    await bad(write, finding.split(","));
  });

  test("relative links inside the tree pass, also to what does not exist; a base's own link stays as it is", async () => {
    await fine("ln -s src/one.txt l; ln -s ../Docs/d src/l; ln -s nowhere n; ln -s ./src m; touch -h escape", [
      "l",
      "m",
      "n",
      "src/l",
    ]);
  });

  test("a link in the place of a directory is never followed: nothing outside is read", async () => {
    const canary = `canary-${process.pid}`;
    writeFileSync(join(b.root, "secret"), canary, { mode: 0o644 });
    await bad(`rm -rf src && ln -s ${b.root} src`, ["link-refused src"]);
    await bad(`rm src/one.txt && ln -s ${b.root}/secret src/one.txt`, ["link-refused src/one.txt"]);
    const all = execFileSync(
      "git",
      [`--git-dir=${s.quarantine.gitDir}`, "cat-file", "--batch-all-objects", "--batch"],
      { maxBuffer: 1 << 28, timeout: 30_000 },
    );
    expect(all.includes(canary)).toBe(false);
    expect(all.includes("proposal")).toBe(true);
  });
});

describe("what is no plain file", () => {
  test("hard links, fifos, setuid files are refused with their path; copies pass", async () => {
    await bad("printf x > a && ln a b", ["file-refused a", "file-refused b"]);
    await bad("mkfifo src/fifo", ["file-refused src/fifo"]);
    await bad("printf x > s && chmod u+s s", ["file-refused s"]);
    await fine("printf x > a && cp a b && chmod 000 b", ["a", "b"]);
  });

  test("a socket and devices", async () => {
    const refusedSocket = await s.attempt(async (workspace) => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(join(workspace, "sock"), resolve));
      // Bound elsewhere and moved in would be the same inode; closing removes the name, so make it again by hand.
      execFileSync("mv", [join(workspace, "sock"), join(workspace, "kept")]);
      await new Promise((resolve) => server.close(resolve));
      execFileSync("mknod", [join(workspace, "tty"), "c", "5", "0"]);
      execFileSync("mknod", [join(workspace, "disk"), "b", "7", "0"]);
    });
    expect(refused(refusedSocket).sort()).toEqual(["file-refused disk", "file-refused kept", "file-refused tty"]);
  });

  test("an ignored fifo, socket or hard link is dropped, unread and without blocking", async () => {
    const collected = accepted(
      await s.attempt(
        "mkdir vendor && mkfifo vendor/f && printf x > vendor/a && ln vendor/a vendor/b && printf x > ok",
      ),
    );
    expect([collected.ignored, collected.changes.length]).toEqual([3, 1]);
  });
});

describe("too much", () => {
  test("more paths, bytes or larger files than allowed; the same within the limits", async () => {
    const many = "mkdir m && for i in $(seq 60); do printf x > m/$i; done";
    expect(refused(await s.attempt(many, { limits: { entries: 50 } }))).toEqual(["layer-too-large -"]);
    accepted(await s.attempt(many, { limits: { entries: 60 } }));
    const big = "head -c 600000 /dev/zero > z1; head -c 600000 /dev/zero > z2";
    expect(refused(await s.attempt(big, { limits: { bytes: 1_000_000 } }))).toEqual(["layer-too-large -"]);
    expect(refused(await s.attempt(big, { limits: { fileBytes: 500_000 } }))).toEqual([
      "layer-too-large z1",
      "layer-too-large z2",
    ]);
    accepted(await s.attempt(big, { limits: { bytes: 1_200_000, fileBytes: 600_000 } }));
  });

  test("a sparse file of an enormous size is refused unread", async () => {
    const start = Date.now();
    expect(refused(await s.attempt("truncate -s 1T huge"))).toEqual(["layer-too-large huge"]);
    expect(Date.now() - start).toBeLessThan(10_000);
  });

  test("a flood of files, or of bytes, ends at the layer's bound and is told as such", async () => {
    const flood = "i=0; while printf '' > f$i; do i=$((i+1)); done 2>/dev/null";
    expect(refused(await s.attempt(flood, { inodes: 500 }))).toContain("layer-too-large -");
    expect(
      refused(await s.attempt("head -c 64M /dev/zero > vendor.bin; printf x > y", { bytes: 8 * 1024 * 1024 })),
    ).toContain("layer-too-large -");
    // Also where it is all ignored: what else was written may be cut short.
    expect(
      refused(
        await s.attempt("mkdir vendor; head -c 64M /dev/zero > vendor/b; printf x > y", { bytes: 8 * 1024 * 1024 }),
      ),
    ).toEqual(["layer-too-large -"]);
    // One write of all that finds no room leaves some free: more than the file system's smallest piece.
    const atOnce = (bytes: string) => `dd if=/dev/zero of=y bs=${bytes} count=1 2>/dev/null; true`;
    const limits = { fileBytes: 64 * 1024 * 1024, bytes: 64 * 1024 * 1024 };
    expect(refused(await s.attempt(atOnce("40M"), { bytes: 32 * 1024 * 1024, limits }))).toContain("layer-too-large -");
    expect((await s.attempt(atOnce("20M"), { bytes: 32 * 1024 * 1024, limits })).ok).toBe(true);
    await fine("head -c 1M /dev/zero > y; head -c 64K /dev/zero > z", ["y", "z"]);
  });

  test("ignored files do not count against the limits of a proposal", async () => {
    const collected = accepted(
      await s.attempt("mkdir vendor && for i in $(seq 200); do printf x > vendor/$i; done; printf y > y", {
        limits: { entries: 10 },
      }),
    );
    expect(collected.ignored).toBe(200);
  });

  test("an attempt with many faults lists a hundred of them and stops", async () => {
    expect(refused(await s.attempt("mkdir m && for i in $(seq 300); do printf x > m/-$i; done"))).toHaveLength(100);
  });
});

describe("a layer that could still be written to is not collected", () => {
  const collect = (layer: Awaited<ReturnType<typeof createLayer>>, lowers: string[]) =>
    collectLayer({
      quarantine: s.quarantine,
      base: s.base,
      layer,
      lowers,
      limits,
      visible: everything,
      commit: plan,
      ref: "attempts/lane-frozen",
    });

  test("not frozen, half frozen, other lowers: refused; frozen: collected", async () => {
    const layer = await createLayer({
      directory: join(b.root, "lanes"),
      name: "frozen",
      bytes: 8 << 20,
      inodes: 500,
      owner: sandbox,
    });
    try {
      await expect(collect(layer, [s.base.files])).rejects.toMatchObject({
        code: "worktree-failed",
        message: expect.stringContaining("can be written to"),
      });
      const workspace = await openWorkspace({ lowers: [s.base.files], layer, target: join(b.root, "slots/frozen") });
      script(sandbox, workspace.target, "printf x > x");
      await expect(collect(layer, [s.base.files])).rejects.toMatchObject({ code: "worktree-failed" });
      await freezeLayer(workspace);
      expect(script(sandbox, layer.upper, "printf y >> x").status).not.toBe(0);
      expect(() => writeFileSync(join(layer.upper, "x"), "root")).toThrow(/EROFS/);
      await expect(collect(layer, [b.root])).rejects.toMatchObject({
        code: "worktree-failed",
        message: expect.stringContaining("other lowers"),
      });
      expect(accepted(await collect(layer, [s.base.files])).changes.map((c) => c.path)).toEqual(["x"]);
    } finally {
      await destroyLayer(layer);
    }
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain("lanes/frozen");
  });

  test("a process that still writes keeps the layer from being frozen", async () => {
    const layer = await createLayer({
      directory: join(b.root, "lanes"),
      name: "busy",
      bytes: 8 << 20,
      inodes: 500,
      owner: sandbox,
    });
    try {
      const workspace = await openWorkspace({ lowers: [s.base.files], layer, target: join(b.root, "slots/busy") });
      execFileSync("chown", ["10001:10001", workspace.target]);
      const { spawn } = await import("node:child_process");
      const writer = spawn("bash", ["-c", "exec 3> open; echo ready; sleep 1"], {
        cwd: workspace.target,
        uid: 10001,
        gid: 10001,
        stdio: ["ignore", "pipe", "ignore"],
      });
      await new Promise((resolve) => writer.stdout.once("data", resolve));
      const start = Date.now();
      await freezeLayer(workspace);
      expect(Date.now() - start).toBeGreaterThan(500);
      expect(writer.exitCode).toBe(0);
    } finally {
      await destroyLayer(layer);
    }
  });
});

test("the host repository was read as its owner and never written", async () => {
  expect(await as(owner, b.repo, "git", "status", "--porcelain", "--ignore-submodules=none")).toBe("");
  expect(await as(owner, b.repo, "git", "for-each-ref", "--format=%(refname)")).toBe("refs/heads/main");
});
