import { describe, expect, test } from "vitest";
import { kindOfPath, kindOfWork } from "../../src/delegation/work-kind.ts";

describe("the kind of work", () => {
  test.each([
    ["src/money.ts", "source:typescript"],
    ["lib/a/b.PY", "source:python"],
    ["src/testing.go", "source:go"],
    ["test/money.test.js", "tests"],
    ["src/money.spec.ts", "tests"],
    ["pkg/money_test.go", "tests"],
    ["test_money.py", "tests"],
    ["src/__tests__/x.js", "tests"],
    ["README.md", "docs"],
    ["docs/logo.svg", "docs"],
    ["package.json", "config"],
    ["Makefile", "other"],
    ["src/latest.ts", "source:typescript"],
    ["src/**/*.ts", "source:typescript"],
    ["src/**", "other"],
    ["constructor.__proto__", "other"],
  ])("of %s is %s", (path, kind) => {
    expect(kindOfPath(path)).toBe(kind);
  });

  test.each<[string[], string]>([
    [["src/a.ts", "test/a.test.ts", "test/b.test.ts", "README.md"], "source:typescript"],
    [["src/a.ts", "src/b.py", "src/c.py"], "source:python"],
    [["src/a.ts", "src/b.py"], "source:python"],
    [["test/a.test.ts", "README.md", "test/fixture.json"], "tests"],
    [["README.md", "Makefile"], "docs"],
    [["Makefile"], "other"],
    [[], "other"],
  ])("of %j is %s", (paths, kind) => {
    expect(kindOfWork(paths)).toBe(kind);
    expect(kindOfWork(paths.toReversed())).toBe(kind);
  });
});
