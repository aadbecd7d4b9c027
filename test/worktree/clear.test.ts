import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { clearObjects, idleTrees, keptRefs, removeTrees } from "../../src/worktree/clear.ts";

const directory = mkdtempSync(join(tmpdir(), "sp-clear-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const day = 24 * 3_600_000;
const ago = (milliseconds: number) => new Date(Date.now() - milliseconds);

it("a tree that is asked for while the others are measured stays; names of others are left alone", async () => {
  const trees = join(directory, "trees");
  const key = (digit: string) => digit.repeat(40);
  for (const digit of ["a", "b", "c"]) {
    mkdirSync(join(trees, key(digit)), { recursive: true });
    const base = join(trees, key(digit), "base.json");
    writeFileSync(base, "{}");
    utimesSync(base, ago(2 * day), ago(2 * day));
  }
  mkdirSync(join(trees, "somebody's"));
  mkdirSync(join(trees, `.gone-${key("d")}`));
  utimesSync(join(trees, key("c"), "base.json"), new Date(), new Date());
  const before = ago(day);
  const idle = await idleTrees(trees, before);
  expect(idle.map((one) => one.key)).toEqual([key("a"), key("b")]);
  // Meanwhile a delegation asks for b.
  utimesSync(join(trees, key("b"), "base.json"), new Date(), new Date());
  expect(
    await removeTrees(
      trees,
      idle.map((one) => one.key),
      before,
    ),
  ).toEqual([key("a")]);
  expect(readdirSync(trees).sort()).toEqual([key("b"), key("c"), "somebody's"].sort());
  expect(await idleTrees(join(directory, "none"), before)).toEqual([]);
});

it("drops what no ref names and nobody wrote lately; one that was cut is finished", async () => {
  const quarantine = join(directory, "quarantine");
  const gitDir = join(quarantine, `${"e".repeat(32)}.git`);
  const git = (args: string[], input?: string) =>
    execFileSync("git", ["--git-dir", gitDir, ...args], { encoding: "utf8", input: input ?? "", stdio: "pipe" }).trim();
  execFileSync("git", ["init", "-q", "--bare", "--template=", gitDir]);
  const person = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
  const commit = (text: string) => {
    const blob = git(["hash-object", "-w", "--stdin"], text);
    const tree = git(["mktree"], `100644 blob ${blob}\tfile\n`);
    const made = git([...person, "commit-tree", "-m", text, tree]);
    return { made, blob };
  };
  const has = (oid: string) => {
    try {
      git(["cat-file", "-e", oid]);
      return true;
    } catch {
      return false;
    }
  };
  const [kept, dropped, cut] = [commit("kept"), commit("dropped"), commit("cut")];
  for (const [name, { made }] of Object.entries({ k: kept, d: dropped, c: cut }))
    git(["update-ref", `refs/sallyport/${name}/1`, made]);
  git(["repack", "-a", "-d", "-q"]);
  execFileSync("find", [gitDir, "-exec", "touch", "-h", "-d", "3 days ago", "{}", "+"]);
  const young = commit("young");
  expect(await keptRefs(quarantine)).toEqual([{ gitDir, refs: ["c/1", "d/1", "k/1"] }]);
  await clearObjects(gitDir, ["d/1"], ago(day));
  expect([kept, dropped, cut, young].map(({ made }) => has(made))).toEqual([true, false, true, true]);
  expect(has(dropped.blob)).toBe(false);
  // Cut after the ref was dropped, before anything was packed: the mark is there, and the next one goes on.
  writeFileSync(join(gitDir, "clearing"), "");
  git(["update-ref", "-d", "refs/sallyport/c/1"]);
  execFileSync("find", [gitDir, "-exec", "touch", "-h", "-d", "3 days ago", "{}", "+"]);
  await clearObjects(gitDir, [], ago(day));
  expect([kept, cut].map(({ made }) => has(made))).toEqual([true, false]);
  expect(existsSync(join(gitDir, "clearing"))).toBe(false);
});
