/** The runners of JavaScript: node:test, vitest, jest and mocha. They differ in where `test` comes from. */
import { commonSuffix, type PlantFile, type PlantSpot, type Runner } from "./runner.ts";

const testFile = /(?:^|\/)(?:[^/]+[._-](?:test|spec)|test[-_.][^/]+)\.[cm]?[jt]sx?$/;
const inTestFolder = /(?:^|\/)(?:__tests__|tests?|spec)\/(?:.*\/)?[^/]+\.[cm]?[jt]sx?$/;

/** `declare` is a line that leaves a function `test`, in a module as well as in a script. */
function fileOf(spot: PlantSpot, isTest: (path: string) => boolean, fallback: string, declare: string): PlantFile {
  const mustPass = `${spot.word} holds`;
  const mustFail = `${spot.word} fails`;
  const [a, b] = spot.factors;
  const suffix = commonSuffix(spot.paths.filter(isTest), fallback);
  return {
    name: `${spot.word}${suffix}`,
    content: `${declare}
planted(${JSON.stringify(mustPass)}, () => {});
planted(${JSON.stringify(mustFail)}, () => {
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
  // Built in, so nothing in the tree can stand in its place; this way of asking is the same in modules and scripts.
  plant: async (spot) =>
    fileOf(spot, isNamedTest, ".test.mjs", 'const { test: planted } = process.getBuiltinModule("node:test");'),
  fallsTogether: "never",
};

export const vitest: Runner = {
  junit: { suites: true, classnames: false },
  folder: "test",
  isTest: isNamedTest,
  plant: async (spot) => fileOf(spot, isNamedTest, ".test.mjs", 'import { test as planted } from "vitest";'),
  fallsTogether: "never",
};

export const jest: Runner = {
  junit: { suites: true, classnames: false },
  folder: "test",
  isTest: isNamedTest,
  // `test` is a global of jest's, in modules too.
  plant: async (spot) => fileOf(spot, isNamedTest, ".test.js", "const planted = test;"),
  fallsTogether: "never",
};

export const mocha: Runner = {
  junit: { suites: false, classnames: true },
  folder: "test",
  isTest,
  // `it` in its usual interface, `test` in the other (`--ui tdd`).
  plant: async (spot) => fileOf(spot, isTest, ".test.mjs", "const planted = globalThis.it ?? globalThis.test;"),
  fallsTogether: "all",
};
