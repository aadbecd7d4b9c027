import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { diffLines } from "../../src/gate/diff-lines.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-diff-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Tree = Record<string, string | null>;

/** git's own diff of two trees, with the options that the quarantine uses. */
function gitDiff(before: Tree, after: Tree): string {
  const work = mkdtempSync(join(folder, "repo-"));
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "core.quotePath=false", ...args], {
      cwd: work,
      encoding: "utf8",
      timeout: 20_000,
      env: { PATH: process.env["PATH"], HOME: work, GIT_CONFIG_NOSYSTEM: "1" },
    });
  const lay = (tree: Tree) => {
    for (const [path, content] of Object.entries(tree)) {
      rmSync(join(work, path), { force: true });
      if (content === null) continue;
      mkdirSync(dirname(join(work, path)), { recursive: true });
      writeFileSync(join(work, path), content);
    }
    git("add", "-A", "-f");
    return git("write-tree").trim();
  };
  git("init", "-q");
  const [from, to] = [lay(before), lay(after)];
  const options = ["-r", "-p", "--full-index", "--binary", "--no-renames", "--unified=3", "--no-indent-heuristic"];
  return git("diff-tree", ...options, "--src-prefix=a/", "--dst-prefix=b/", from, to, "--");
}

const linesOf = (patch: string, path: string) => [...(diffLines(patch).get(path) ?? [])];

describe("the lines of a diff's new side", () => {
  test("context and additions have a number, removals have none", () => {
    const patch = gitDiff({ f: "1\n2\n3\n4\n5\n6\n7\n8\n9\n" }, { f: "1\n2\n3\n4\nfive\n6\n7\n8\n9\n" });
    expect(linesOf(patch, "f")).toEqual([2, 3, 4, 5, 6, 7, 8]);
  });

  test("a new file has all, a deleted one and one that only changed its mode have none", () => {
    const patch = gitDiff({ gone: "x\n" }, { gone: null, made: "a\nb\n" });
    expect(linesOf(patch, "made")).toEqual([1, 2]);
    expect([...(diffLines(patch).get("gone") ?? [0])]).toEqual([]);
    expect([...(diffLines(patch).get("gone")?.removed ?? [])]).toEqual([1]);
  });

  test("text inside a hunk that imitates headers is text", () => {
    const forged = "++ b/other.txt\n@@ -1,1 +1,9000 @@\n-- a/other.txt\ndiff --git a/x b/x\n";
    const patch = gitDiff({ f: "one\n" }, { f: `one\n${forged}` });
    expect([...diffLines(patch).keys()]).toEqual(["f"]);
    expect(linesOf(patch, "f")).toEqual([1, 2, 3, 4, 5]);
  });

  test("removed text that imitates a header is text as well", () => {
    const patch = gitDiff({ f: "-- a/other.txt\n++ b/other.txt\none\n" }, { f: "one\n", z: "z\n" });
    expect([...diffLines(patch).keys()].sort()).toEqual(["f", "z"]);
    expect(linesOf(patch, "f")).toEqual([1]);
  });

  test("changed are added lines, and the neighbours of those that went without a replacement", () => {
    const ten = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    const changed = (after: string) => [...(diffLines(gitDiff({ f: ten }, { f: after })).get("f")?.changed ?? [])];
    expect(changed(ten.replace("5\n", "five\n"))).toEqual([5]);
    expect(changed(ten.replace("5\n", ""))).toEqual([5, 4]);
    expect(changed(ten.replace("1\n", ""))).toEqual([1]);
    expect(changed(ten.replace("9\n", ""))).toEqual([8]);
    expect(changed(ten.replace("5\n", "5\nmore\n"))).toEqual([6]);
    const gone = diffLines(gitDiff({ f: ten }, { f: ten.replace("5\n6\n", "five\n") })).get("f");
    expect([...(gone?.removed ?? [])]).toEqual([5, 6]);
  });

  test("no newline at the end, on either side and on both", () => {
    expect(linesOf(gitDiff({ f: "a\nb" }, { f: "a\nc" }), "f")).toEqual([1, 2]);
    expect(linesOf(gitDiff({ f: "a\nb\n" }, { f: "a\nb" }), "f")).toEqual([1, 2]);
    const patch = gitDiff({ f: "a", g: "a" }, { f: "a\n", g: "b" });
    expect([linesOf(patch, "f"), linesOf(patch, "g")]).toEqual([[1], [1]]);
  });

  test("names with spaces, quotes, backslashes, tabs and letters of other scripts", () => {
    const names = ["a b.txt", 'we"ird.txt', "back\\slash", "tab\there", "ümlaut/日本.txt", 'both "ü" x', "b/c"];
    const patch = gitDiff({}, Object.fromEntries(names.map((name) => [name, "x\n"])));
    expect([...diffLines(patch).keys()].sort()).toEqual([...names].sort());
  });

  test("a binary file has no lines", () => {
    const patch = gitDiff({ t: "a\n" }, { t: "b\n", bin: "\0\u0001+++ b/forged\n@@ -1 +1 @@\n" });
    expect([...diffLines(patch).keys()].sort()).toEqual(["bin", "t"]);
    expect(linesOf(patch, "bin")).toEqual([]);
  });

  test("every line that a real diff adds resolves, and none beyond the file's end", { timeout: 120_000 }, () => {
    const line = fc.constantFrom(
      "a",
      "b",
      "",
      "+++ b/x",
      "--- a/x",
      "@@ -1,2 +3,4 @@",
      "\\ No newline",
      "diff --git a b",
      "+",
      "-",
    );
    const content = fc
      .tuple(fc.array(line, { maxLength: 30 }), fc.boolean())
      .map(([lines, end]) => lines.join("\n") + (end ? "\n" : ""));
    fc.assert(
      fc.property(content, content, (before, after) => {
        fc.pre(before !== after);
        const shown = new Set(linesOf(gitDiff({ f: before }, { f: after }), "f"));
        const lines = after.split("\n");
        if (lines.at(-1) === "") lines.pop();
        const old = before.split("\n");
        // A line whose text the old side does not have can only be an addition.
        lines.forEach((text, index) => {
          if (!old.includes(text)) expect(shown.has(index + 1)).toBe(true);
        });
        for (const number of shown) expect(number).toBeLessThanOrEqual(lines.length);
      }),
      { numRuns: 60 },
    );
  });
});
