import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { composePackageJson, protectedWhy, samePackageJson } from "../../src/gate/protected-class.ts";
import { divideChanges } from "../../src/gate/put-back.ts";
import { type Bench, bench, commit, type Stage, stage } from "../worktree/fixture.ts";
import { nodeTest } from "./rig.ts";

describe("the protected class", () => {
  test.each([
    ["conftest.py", "configuration of a test runner"],
    ["pkg/deep/conftest.py", "configuration of a test runner"],
    ["sitecustomize.py", "loaded before the tests"],
    ["usercustomize.py", "loaded before the tests"],
    ["evil.pth", "loaded before the tests"],
    ["x.dist-info/entry_points.txt", "loaded before the tests"],
    ["node_modules/vitest/index.js", "loaded before the tests"],
    ["packages/a/node_modules/x/index.js", "loaded before the tests"],
    [".npmrc", "loaded before the tests"],
    [".NPMRC", "loaded before the tests"],
    ["vendor/github.com/x/y.go", "loaded before the tests"],
    ["vitest.config.ts", "configuration of a test runner"],
    [".mocharc.yml", "configuration of a test runner"],
    ["jest.config.cjs", "configuration of a test runner"],
    ["pyproject.toml", "settings and scripts of a package"],
    ["go.mod", "settings and scripts of a package"],
    ["build.rs", "settings and scripts of a package"],
    ["package-lock.json", "a lockfile"],
    [".github/workflows/ci.yml", "continuous integration"],
    [".husky/pre-commit", "git hooks and attributes"],
    ["CLAUDE.md", "configuration of agents and editors"],
    ["Makefile", "how things are built and started"],
  ])("%s is %s", (path, why) => {
    expect(protectedWhy(path)).toBe(why);
  });

  test.each([
    "src/money.mjs",
    "src/vendor/x.js",
    "src/vitest-plugin.ts",
    "docs/CI.md",
    "money.go",
    "src/lib.rs",
    "a.py",
  ])("%s is not", (path) => {
    expect(protectedWhy(path)).toBeUndefined();
  });
});

describe("a package.json", () => {
  const base = JSON.stringify({
    name: "m",
    type: "module",
    scripts: { test: "node --test" },
    dependencies: { a: "1" },
  });
  const proposed = JSON.stringify({
    name: "m",
    scripts: { test: "exit 0" },
    jest: { testMatch: [] },
    dependencies: { a: "1", b: "2" },
  });

  test("has the base's test keys and the proposal's others", () => {
    expect(JSON.parse(composePackageJson(proposed, base) ?? "")).toEqual({
      name: "m",
      type: "module",
      scripts: { test: "node --test" },
      dependencies: { a: "1", b: "2" },
    });
  });

  test("of a new package has no test keys but its type", () => {
    const fresh = JSON.stringify({ type: "module", scripts: { test: "exit 0" }, main: "x" });
    expect(JSON.parse(composePackageJson(fresh, undefined) ?? "")).toEqual({ type: "module", main: "x" });
  });

  test("that cannot be read is not composed", () => {
    expect(composePackageJson("{", base)).toBeUndefined();
    expect(composePackageJson("[]", base)).toBeUndefined();
  });

  test("is the same in another order", () => {
    expect(samePackageJson('{"a":1,"b":2}', '{ "b": 2, "a": 1 }')).toBe(true);
    expect(samePackageJson('{"a":1}', '{"a":2}')).toBe(false);
  });
});

describe("the tree of the second run", () => {
  let made: Bench;
  let staged: Stage;
  beforeAll(async () => {
    made = await bench();
    await commit(
      made.repo,
      `mkdir -p src test .github; printf '{"name":"m","scripts":{"test":"node --test"}}' > package.json
       echo base > src/a.mjs; echo base > test/a.test.mjs; echo base > vitest.config.mjs; echo base > .github/ci.yml; echo base > go.mod`,
    );
    staged = await stage(made);
  });
  afterAll(async () => {
    await made?.clean();
  });

  /** The paths that differ between the second run's tree and the base, after these files were put (or taken away). */
  async function second(files: Record<string, string | null>, keep: string[] = []) {
    const { quarantine, base } = staged;
    const overrides = await Promise.all(
      Object.entries(files).map(async ([path, text]) =>
        text === null
          ? { path, delete: true as const }
          : { path, mode: "100644", oid: await quarantine.writeBlob(Buffer.from(text)) },
      ),
    );
    const tree = await quarantine.compose(base.tree, overrides);
    const { back, told } = await divideChanges(quarantine, base, tree, { ...nodeTest, keep });
    const proven = await quarantine.compose(tree, back);
    const differs = (await quarantine.changes(base.tree, proven)).map((change) => change.path);
    return { differs, told: told.map((one) => one.path), proven };
  }

  test("keeps sources; evidence and configuration are the base's, changed, added or deleted", async () => {
    const found = await second({
      "src/a.mjs": "new",
      "test/a.test.mjs": "new",
      "vitest.config.mjs": "new",
      "conftest.py": "new",
      ".github/ci.yml": null,
      "go.mod": "new",
    });
    expect(found.differs).toEqual(["src/a.mjs"]);
    expect(found.told.sort()).toEqual([".github/ci.yml", "conftest.py", "go.mod", "vitest.config.mjs"]);
  });

  test("what the policy keeps stays, and is not told", async () => {
    expect(await second({ "go.mod": "new", "conftest.py": "x" }, ["go.mod"])).toMatchObject({
      differs: ["go.mod"],
      told: ["conftest.py"],
    });
  });

  test("of package.json only what tests depend on; a change of nothing else is none", async () => {
    const more = await second({ "package.json": '{"name":"m","scripts":{"test":"exit 0"},"dependencies":{"b":"2"}}' });
    expect(more.told).toEqual(["package.json"]);
    const text = await staged.quarantine.readBlob(`${more.proven}:package.json`);
    expect(JSON.parse(text.toString("utf8"))).toEqual({
      name: "m",
      scripts: { test: "node --test" },
      dependencies: { b: "2" },
    });
    const plain = await second({ "package.json": '{"name":"m","scripts":{"test":"node --test"},"license":"MIT"}' });
    expect(plain).toMatchObject({ differs: ["package.json"], told: [] });
  });

  test("a new package.json beside files of the base goes; in a folder of its own it stays, tamed", async () => {
    expect((await second({ "src/package.json": '{"type":"commonjs"}' })).differs).toEqual([]);
    const own = await second({ "new/package.json": '{"type":"module","scripts":{"test":"exit 0"}}', "new/b.mjs": "" });
    expect(own.differs).toEqual(["new/b.mjs", "new/package.json"]);
    expect(own.told).toEqual(["new/package.json"]);
  });
});
