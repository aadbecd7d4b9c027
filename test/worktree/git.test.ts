import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runGit, splitNul, startGit } from "../../src/worktree/git.ts";
import { type Bench, bench, commit, owner } from "./fixture.ts";

let b: Bench;
beforeAll(async () => {
  b = await bench();
  await commit(b.repo, "printf a > a");
});
afterAll(() => b?.clean());

const at = () => ({ gitDir: join(b.repo, ".git"), as: owner });
/** An input that neither says nor ends anything. */
const neverEnding = () => new Readable({ read() {} });

test("the environment is the listed one: nothing of the daemon's reaches git", async () => {
  const planted = {
    GIT_DIR: "/nonexistent",
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: "alias.leak",
    GIT_CONFIG_VALUE_0: "!env",
  };
  Object.assign(process.env, planted);
  try {
    expect((await runGit(["rev-parse", "HEAD"], at())).stdout.toString()).toMatch(/^[0-9a-f]{40}\n$/);
    await expect(runGit(["leak"], at())).rejects.toMatchObject({ code: "git-failed" });
  } finally {
    for (const name of Object.keys(planted)) delete process.env[name];
  }
});

test("a home directory's configuration is not read", async () => {
  const home = join(b.root, "home");
  await mkdir(home);
  await chmod(home, 0o755);
  await writeFile(join(home, ".gitconfig"), "[sallyport]\n\tseen = yes\n");
  const before = process.env["HOME"];
  process.env["HOME"] = home;
  try {
    await expect(runGit(["config", "sallyport.seen"], at())).rejects.toMatchObject({ code: "git-failed" });
  } finally {
    process.env["HOME"] = before;
  }
});

test("a failure has a code, a next step, and what git said: masked and escaped", async () => {
  const failure = await runGit(["rev-parse", "--verify", "\u001b[2Jx"], at()).catch((e: unknown) => e);
  expect(failure).toMatchObject({ code: "git-failed", next: expect.stringMatching(/./) });
  expect(String(failure)).not.toContain("\u001b");
  const url = await runGit(["ls-remote", "https://me:secret@127.0.0.1/x"], at()).catch((e: unknown) => e);
  expect(String(url)).not.toContain("secret");
  expect(String(url)).toMatch(/transport|protocol/);
});

test("time and output are bounded", async () => {
  const start = Date.now();
  const waiting = runGit(["cat-file", "--batch"], { ...at(), timeout: 200, stdin: neverEnding() });
  await expect(waiting).rejects.toMatchObject({ code: "git-failed", message: expect.stringContaining("200 ms") });
  expect(Date.now() - start).toBeLessThan(5000);
  const cut = runGit(["cat-file", "commit", "HEAD"], { ...at(), maxBytes: 10 });
  await expect(cut).rejects.toMatchObject({ message: expect.stringContaining("more than 10 bytes") });
  expect((await runGit(["cat-file", "commit", "HEAD"], { ...at(), maxBytes: 10_000 })).stdout.length).toBeGreaterThan(
    10,
  );
});

test("a git that is ended says so, and another exit code can be an answer", async () => {
  const git = startGit(["cat-file", "--batch"], at());
  git.kill();
  await expect(git.done).rejects.toMatchObject({ code: "git-failed" });
  expect((await runGit(["rev-parse", "--verify", "--quiet", "nope"], { ...at(), accept: [0, 1] })).code).toBe(1);
});

test("NUL-separated output, to the byte", () => {
  expect(splitNul(Buffer.from("a\0\0b\xff\0rest", "latin1")).map((p) => p.toString("latin1"))).toEqual([
    "a",
    "",
    "b\xff",
  ]);
});
