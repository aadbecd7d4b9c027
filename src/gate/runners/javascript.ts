/** The runners of JavaScript: node:test, vitest, jest and mocha. They differ in where `test` comes from. */
import { commonSuffix, type PlantFile, type PlantSpot, type Runner } from "./runner.ts";

const testFile = /(?:^|\/)(?:[^/]+[._-](?:test|spec)|test[-_.][^/]+)\.[cm]?[jt]sx?$/;
const inTestFolder = /(?:^|\/)(?:__tests__|tests?|spec)\/(?:.*\/)?[^/]+\.[cm]?[jt]sx?$/;

/** Relative names that a test file imports or requires, as they are written. */
const imported = /(?:\bfrom|\bimport|\bimport\s*\(|\brequire\s*\()\s*(["'])(\.{1,2}\/[^"'\n\\]{1,500})\1/g;
const mostRead = 20;
const mostImported = 40;

/**
 * Lines that load what the test files of a folder load of the tree, before anything is planted: what that does to the
 * process, its assertions and the runner's own functions, is done to the planted tests as well.
 */
async function loadLines(spot: PlantSpot, { isTest, scripts }: Dialect, suffix: string): Promise<string> {
  if (!spot.loads) return "";
  const found = new Set<string>();
  let isModule = /\.mjs$|\.mts$/.test(suffix);
  for (const path of spot.paths.filter(isTest).slice(0, mostRead)) {
    const source = await spot.read(path);
    isModule ||= /^[ \t]*import\b/m.test(source);
    for (const [, , name] of source.matchAll(imported)) {
      // Another test file would be run, not loaded.
      if (name !== undefined && !testFile.test(name)) found.add(name);
    }
  }
  if (found.size === 0) return "";
  // A script cannot wait at its top, and a module has no `require`.
  const load =
    isModule && !scripts && !/\.c[jt]s$/.test(suffix) ? "await import(/* @vite-ignore */ file)" : "require(file)";
  const files = JSON.stringify([...found].slice(0, mostImported));
  return `for (const file of ${files}) {\n  try {\n    ${load};\n  } catch {}\n}\n`;
}

interface Dialect {
  /** Before the word in a file's name, where that decides what is loaded first. */
  prefix?: string;
  isTest: (path: string) => boolean;
  suffix: string;
  /** Its files are scripts when they run, whatever they are written as. */
  scripts?: boolean;
  /** A line that leaves a function `planted`, in a module as well as in a script. */
  declare: string;
  /** Expressions that must throw: how tests of this runner fail. */
  fails: readonly string[];
}

/** How node:assert fails. Code under test can replace its functions for the whole process. */
const assertFails = [
  "assert(false)",
  "assert.ok(false)",
  "assert.equal(1, 2)",
  "assert.strictEqual(1, 2)",
  "assert.notStrictEqual(1, 1)",
  "assert.deepEqual([1], [2])",
  "assert.deepStrictEqual([1], [2])",
  "assert.throws(() => {})",
  "assert.strict.equal(1, 2)",
];
const expectFails = [
  "expect(1).toBe(2)",
  "expect([1]).toEqual([2])",
  "expect(false).toBeTruthy()",
  "expect(() => {}).toThrow()",
];

async function fileOf(spot: PlantSpot, dialect: Dialect): Promise<PlantFile> {
  const { prefix = "", isTest, suffix, declare, fails } = dialect;
  const mustPass = `${spot.word} holds`;
  const mustFail = `${spot.word} fails`;
  const [a, b] = spot.factors;
  const own = commonSuffix(spot.paths.filter(isTest), suffix);
  const load = await loadLines(spot, dialect, own);
  return {
    name: `${prefix}${spot.word}${own}`,
    // What was to throw and does not is an assertion that was made blind: then the test passes, which it must not.
    content: `${load}${declare}
planted(${JSON.stringify(mustPass)}, () => {});
planted(${JSON.stringify(mustFail)}, () => {
  const assert = process.getBuiltinModule("node:assert");
  for (const fails of [${[...assertFails, ...fails].map((one) => `() => ${one}`).join(", ")}]) {
    try {
      fails();
    } catch {
      continue;
    }
    return;
  }
  throw new Error("meant to fail: " + ${a} * ${b});
});
`,
    mustPass,
    mustFail,
  };
}

const isNamedTest = (path: string) => testFile.test(path) && !path.includes("node_modules/");
const isTest = (path: string) => isNamedTest(path) || (inTestFolder.test(path) && !path.includes("node_modules/"));

export const nodeTest: Runner = {
  junit: { suites: true, classnames: false },
  folder: "test",
  isTest: isNamedTest,
  plant: (spot) =>
    fileOf(spot, {
      isTest: isNamedTest,
      suffix: ".test.mjs",
      // Built in, so nothing in the tree can stand in its place; this way of asking is the same in modules and scripts.
      declare: 'const { test: planted } = process.getBuiltinModule("node:test");',
      fails: [],
    }),
  fallsTogether: "never",
};

export const vitest: Runner = {
  junit: { suites: true, classnames: false },
  folder: "test",
  isTest: isNamedTest,
  plant: (spot) =>
    fileOf(spot, {
      isTest: isNamedTest,
      suffix: ".test.mjs",
      declare: 'import { expect, test as planted } from "vitest";',
      fails: expectFails,
    }),
  fallsTogether: "never",
};

export const jest: Runner = {
  junit: { suites: true, classnames: false },
  folder: "test",
  isTest: isNamedTest,
  plant: (spot) =>
    fileOf(spot, {
      isTest: isNamedTest,
      suffix: ".test.js",
      scripts: true,
      // `test` and `expect` are globals of jest's, in modules too.
      declare: "const planted = test;",
      fails: expectFails,
    }),
  fallsTogether: "never",
};

export const mocha: Runner = {
  junit: { suites: false, classnames: true },
  folder: "test",
  isTest,
  plant: (spot) =>
    fileOf(spot, {
      isTest,
      suffix: ".test.mjs",
      // First of all: mocha gives each file its functions anew, so only who loads the code first sees what it does to them.
      prefix: "0",
      // `it` in its usual interface, `test` in the other (`--ui tdd`).
      declare: "const planted = globalThis.it ?? globalThis.test;",
      fails: [],
    }),
  fallsTogether: "all",
};
