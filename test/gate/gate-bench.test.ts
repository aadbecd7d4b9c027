/** What the bench of the gate computes by, and how the corpus is read. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { upperBound } from "../../bench/gate/bound.ts";
import { loadCorpus } from "../gate-corpus/load.ts";
import { applyEdits, difference, readTree, type Tree, writeTree } from "../gate-corpus/tree.ts";

describe("the one-sided bound of Clopper and Pearson", () => {
  // By its closed form for no event, 1 - 0.05^(1/n), and by tables of the binomial for others.
  it.each([
    [0, 1, 0.95],
    [0, 10, 1 - 0.05 ** (1 / 10)],
    [0, 100, 1 - 0.05 ** (1 / 100)],
    [1, 10, 0.3942],
    [2, 20, 0.2826],
    [5, 50, 0.1992],
    [10, 10, 1],
  ])("of %i in %i is %d", (events, trials, bound) => {
    expect(upperBound(events, trials)).toBeCloseTo(bound, 3);
  });

  it("of nothing tried is 1", () => expect(upperBound(0, 0)).toBe(1));
});

describe("edits", () => {
  const base: Tree = new Map([["a.txt", { content: Buffer.from("one two one"), mode: 0o644 }]]);
  const text = (tree: Tree, path: string) => {
    const entry = tree.get(path);
    return entry && "content" in entry ? entry.content.toString() : undefined;
  };

  it("are applied in order, and leave the base as it is", () => {
    const tree = applyEdits(base, [
      { path: "a.txt", find: "two", replace: "2" },
      { path: "a.txt", append: "!" },
      { path: "a.txt", mode: "755" },
      { path: "b", link: "a.txt" },
    ]);
    expect(text(tree, "a.txt")).toBe("one 2 one!");
    expect(text(base, "a.txt")).toBe("one two one");
    expect([...difference(base, tree)].map(([path]) => path)).toEqual(["a.txt", "b"]);
    expect(difference(base, applyEdits(base, [{ path: "a.txt", delete: true }])).get("a.txt")).toBeNull();
  });

  it("are refused where the text is not there exactly once, and where there is no file", () => {
    expect(() => applyEdits(base, [{ path: "a.txt", find: "one", replace: "" }])).toThrow("more than once");
    expect(() => applyEdits(base, [{ path: "a.txt", find: "three", replace: "" }])).toThrow("does not hold");
    expect(() => applyEdits(base, [{ path: "b.txt", append: "x" }])).toThrow("no file");
    expect(() => applyEdits(base, [{ path: "b.txt", delete: true }])).toThrow("nothing to delete");
  });
});

describe("a corpus", () => {
  const made: string[] = [];
  afterEach(() => {
    for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true });
  });

  const brief =
    "title: A brief\nintent: x\ninstructions: x\naccept: [{ id: A1, must: x }]\nexecutor: scripted\npolicy: p\n";
  function corpus(cases: string, more: Record<string, string> = {}): string {
    const directory = mkdtempSync(join(tmpdir(), "sallyport-corpus-form-"));
    made.push(directory);
    const files = {
      "p/policy.yaml": "version: 1\nextends: base\nfilesystem: { writable: ['src/**'] }\n",
      "p/base/src/a.txt": "one\n",
      "p/briefs/b/brief.yaml": brief,
      "p/briefs/b/cases.yaml": cases,
      "p/briefs/b/hidden/prove.sh": "false\n",
      ...more,
    };
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), content);
    }
    return directory;
  }
  const gold = "gold:\n  - { path: src/a.txt, find: one, replace: two }\n";

  it("is read with each case's result tree, written out as it is", async () => {
    const [repository] = await loadCorpus(corpus(`${gold}cases:\n  - { id: gold, class: gold, from: gold }\n`));
    const one = repository?.briefs[0]?.cases[0];
    expect(one?.name).toBe("p/b/gold");
    const out = mkdtempSync(join(tmpdir(), "sallyport-corpus-form-"));
    made.push(out);
    writeTree(out, one?.tree ?? new Map());
    expect(difference(one?.tree ?? new Map(), readTree(out)).size).toBe(0);
  });

  it.each([
    [
      "a text that is not there",
      "  - { id: x, class: gold, edits: [{ path: src/a.txt, find: zzz, replace: y }] }\n",
      /cases\.yaml:4:\d+ src\/a\.txt does not hold/,
    ],
    ["an unknown class", "  - { id: x, class: splendid }\n", /cases\.yaml:4:\d+/],
    ["an unknown key", "  - { id: x, class: gold, label: good }\n", /cases\.yaml:4:\d+.*label/],
    ["a path out of the tree", "  - { id: x, class: gold, edits: [{ path: ../a, write: y }] }\n", /cases\.yaml:4:\d+/],
    [
      "the same id twice",
      "  - { id: x, class: gold }\n  - { id: x, class: gold }\n",
      /cases\.yaml:5:\d+ there are two cases x/,
    ],
    ["no note", "  - { id: x, class: wrong }\n", /cases\.yaml:4:\d+ x needs a note/],
    [
      "a reach where there is none",
      "  - { id: x, class: empty, note: n, reach: tests }\n",
      /cases\.yaml:4:\d+ only a semantic/,
    ],
  ])("is refused with file and line for %s", async (_, cases, message) => {
    await expect(loadCorpus(corpus(`${gold}cases:\n${cases}`))).rejects.toThrow(message);
  });
});
