/** The diff view's reading of a patch, beside the host's own. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { readPatch } from "../../src/console/view/patch.ts";
import { diffLines } from "../../src/gate/diff-lines.ts";

/** What git writes between two sets of files. */
function patchOf(before: Record<string, string>, after: Record<string, string>): string {
  const directory = mkdtempSync(join(tmpdir(), "sp-patch-"));
  try {
    const git = (...args: string[]) =>
      execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", ...args], {
        cwd: directory,
        encoding: "utf8",
        timeout: 30_000,
      });
    const write = (files: Record<string, string>) => {
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(directory, name)), { recursive: true });
        writeFileSync(join(directory, name), content);
      }
    };
    git("init", "-q");
    write(before);
    git("add", "-A");
    git("commit", "-qm", "a", "--allow-empty");
    for (const name of Object.keys(before)) if (!(name in after)) rmSync(join(directory, name));
    write(after);
    git("add", "-A");
    return git("diff", "--cached", "--no-renames", "--no-color");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const long = Array.from({ length: 60 }, (_, n) => `line ${n}`);

it("numbers the lines as the host does, for every kind of change", () => {
  const patch = patchOf(
    {
      "src/a.js": long.join("\n"),
      "gone.txt": "one\ntwo\n",
      "with space.txt": "x\n",
      "umläut\ttab.txt": "old\n",
      "header.txt": "a\n-- a/other\n++ b/other\nb\n",
    },
    {
      "src/a.js": long.with(3, "changed").with(50, "changed too").concat("more").join("\n"),
      "new.txt": "no end of line",
      "empty.txt": "",
      "with space.txt": "y\n",
      "umläut\ttab.txt": "new\n",
      "header.txt": "a\n++ b/fake\nb\n@@ -1,1 +1,1 @@\n",
      "binary.bin": "\0\u0001",
    },
  );
  const files = readPatch(patch);
  const known = diffLines(patch);
  expect(files.map(({ path }) => path).sort()).toEqual([...known.keys()].sort());
  for (const { path, rows, added, removed } of files) {
    const lines = known.get(path);
    const numbers = rows.flatMap((row) => (row.new === undefined ? [] : [row.new]));
    expect([path, numbers]).toEqual([path, [...(lines ?? [])]]);
    expect(new Map(rows.flatMap((row) => (row.new === undefined ? [] : [[row.new, row.text]])))).toEqual(
      new Map(lines?.texts),
    );
    expect(rows.flatMap((row) => (row.kind === "removed" ? [row.old] : []))).toEqual([...(lines?.removed ?? [])]);
    expect([added, removed]).toEqual([lines?.added.size, lines?.removed.size]);
  }
  const by = new Map(files.map((file) => [file.path, file]));
  expect(by.get("gone.txt")?.change).toBe("deleted");
  expect(by.get("new.txt")?.change).toBe("added");
  expect(by.get("new.txt")?.rows.at(-1)).toMatchObject({ kind: "note", text: "\\ No newline at end of file" });
  expect(by.get("header.txt")?.rows.filter(({ kind }) => kind === "hunk")).toHaveLength(1);
});

it.each([
  "",
  "diff --git",
  "--- a/x\n+++ b/x\n@@ -1 +1 @@",
  "diff --git a/x b/x\n@@ -1,99999999 +1,99999999 @@\n x",
  "@@ -1 +1 @@\n+x",
  'diff --git "a/\\377" "b/\\377"\n',
])("reads what no git wrote without an end of its own: %j", (patch) => {
  expect(() => readPatch(patch)).not.toThrow();
});
