import { describe, expect, it } from "vitest";
import { togetherCouplings } from "../../src/delegation/collect-facts.ts";
import { importsOf, isSource } from "../../src/delegation/imports.ts";

const tree = new Set([
  "src/a.ts",
  "src/b.ts",
  "src/lib/index.js",
  "src/c.json",
  "pkg/m.py",
  "pkg/__init__.py",
  "pkg/sub/n.py",
  "inc/x.h",
  "x.c",
]);
const of = (path: string, text: string) => importsOf(path, text, tree).sort();

describe("imports, read off a text", () => {
  it.each([
    ["src/a.ts", 'import { b } from "./b.ts";', ["src/b.ts"]],
    ["src/a.ts", 'import { b } from "./b.js"', ["src/b.ts"]],
    ["src/a.ts", 'export * from "./lib"', ["src/lib/index.js"]],
    ["src/a.ts", "const c = require('./c.json'); await import('../src/b')", ["src/b.ts", "src/c.json"]],
    ["src/a.ts", 'import fs from "node:fs"; import x from "left-pad"', []],
    ["pkg/sub/n.py", "from ..m import thing", ["pkg/m.py"]],
    ["pkg/m.py", "import pkg.sub.n", ["pkg/sub/n.py"]],
    ["pkg/m.py", "from .sub import n", ["pkg/sub/n.py"]],
    ["x.c", '#include "inc/x.h"\n#include <stdio.h>', ["inc/x.h"]],
  ])("%s: %s", (path, text, expected) => expect(of(path, text)).toEqual(expected));

  it("knows what it reads, and is quick on hostile text", () => {
    expect([isSource("a.tsx"), isSource("a.py"), isSource("a.md")]).toEqual([true, true, false]);
    const begun = performance.now();
    of("src/a.ts", `import${" ".repeat(200_000)}(`);
    of("pkg/m.py", `${" ".repeat(200_000)}from ${".".repeat(200_000)}`);
    of("x.c", `#${" ".repeat(200_000)}include`);
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});

describe("what changed together", () => {
  const pair = ["src/a.ts", "src/b.ts"];
  it("is a habit from the third time on, in half of the changes of the rarer file, of files that are still there", () => {
    expect(togetherCouplings([pair, pair], tree)).toEqual([]);
    expect(togetherCouplings([pair, pair, pair], tree)).toEqual([
      { a: "src/a.ts", b: "src/b.ts", why: { is: "together", commits: 3, of: 3 } },
    ]);
    const alone = Array.from({ length: 4 }, () => [
      ["src/a.ts", "x.c"],
      ["src/b.ts", "inc/x.h"],
    ]).flat();
    expect(
      togetherCouplings([pair, pair, pair, ...alone], tree).some((c) => c.a === "src/a.ts" && c.b === "src/b.ts"),
    ).toBe(false);
    expect(togetherCouplings([pair, pair, pair], new Set(["src/a.ts"]))).toEqual([]);
  });
});
