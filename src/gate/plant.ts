/**
 * Planted tests: each run carries tests that must pass and tests that must fail, under a name drawn for that run, in the
 * folders where the base's own tests lie. A report written ahead, or a runner that was made to see nothing, does not have
 * them; and the failing ones must say a number that is written nowhere. Code under test that reads and runs the planted
 * files itself can still imitate them: docs/security.md says so.
 */
import { randomInt } from "node:crypto";
import { posix } from "node:path";
import type { TestCommands } from "../domain/policy.ts";
import type { TestRun } from "../domain/test-report.ts";
import type { SaidReport } from "./reports/collect.ts";
import { runnerOf } from "./runners/known.ts";
import type { PlantFile, Runner } from "./runners/runner.ts";

export interface PlantedFile extends Omit<PlantFile, "name"> {
  folder: string;
  path: string;
  /** What the failing test's message must hold. */
  says: string;
}

export interface Plant {
  runner: Runner;
  /** In every name that was planted, and in nothing else. */
  word: string;
  files: PlantedFile[];
}

/** A tree, as far as planting needs it. */
export interface PlantTree {
  paths: readonly string[];
  read(path: string): Promise<string>;
}

/** In so many folders at most: each costs a file, and in compiled languages a build. */
const mostFolders = 4;

/** Not folders of tests, though files in them may be named so: they are data of tests. */
const ofData = /(?:^|\/)(?:node_modules|vendor|dist|build|target|testdata|_?_?fixtures?_?_?|\.[^/]*)(?:\/|$)/i;

const folderOf = (path: string) => (path.includes("/") ? posix.dirname(path) : "");

/** The folders to plant in: the policy's own or the runner's first, then those of the base's tests, the fullest first. */
export function plantFolders(commands: TestCommands, basePaths: readonly string[]): string[] {
  const runner = runnerOf(commands);
  if (!runner) return [];
  const first = (commands.plant ?? runner.folder).replace(/\/+$/, "");
  const counts = new Map<string, number>();
  for (const path of basePaths) {
    const folder = folderOf(path);
    if (runner.isTest(path) && !ofData.test(folder)) counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  counts.delete(first);
  const others = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([folder]) => folder);
  return [first, ...others].slice(0, mostFolders);
}

/**
 * The planted files for these folders of a tree, or undefined where the policy names no runner. `word` is random; `loads`
 * says whether they load what the tests beside them load.
 */
export async function plantedTests(
  commands: TestCommands,
  word: string,
  folders: readonly string[],
  tree: PlantTree,
  loads = true,
): Promise<Plant | undefined> {
  const runner = runnerOf(commands);
  if (!runner) return undefined;
  const files: PlantedFile[] = [];
  for (const [index, folder] of folders.entries()) {
    const factors = [randomInt(2 ** 20, 2 ** 24), randomInt(2 ** 20, 2 ** 24)] as const;
    const paths = tree.paths.filter((path) => folderOf(path) === folder);
    // Letters alone at the end: in some languages the word is a part of a name.
    const own = `${word}${String.fromCharCode(97 + index)}`;
    const file = await runner.plant({ folder, word: own, factors, paths, loads, read: tree.read });
    if (!file) continue;
    const { name, ...rest } = file;
    files.push({
      ...rest,
      folder,
      path: folder === "" ? name : `${folder}/${name}`,
      says: String(factors[0] * factors[1]),
    });
  }
  return { runner, word, files };
}

export interface Uprooted {
  tests: TestRun["tests"];
  /** The folders whose planted tests ran as they must. */
  live: string[];
  /** Why the report cannot be believed. */
  forged?: string;
  /** The planted tests did not run since what they are part of does not load: an honest failure, never green. */
  unloaded?: true;
}

/**
 * Takes the planted tests out of a run's results and says whether the report can be believed. `optional` folders need
 * not have run. With a test that must fail in the run, an exit code of 0 is a lie.
 */
export function withoutPlant(
  report: SaidReport,
  exit: number | null,
  plant: Plant,
  optional: ReadonlySet<string> = new Set(),
): Uprooted {
  const ids = Object.keys(report.tests);
  const tests = Object.fromEntries(Object.entries(report.tests).filter(([id]) => !id.includes(plant.word)));
  const ofName = (name: string) => ids.find((id) => id === name || id.endsWith(` > ${name}`));
  const live: string[] = [];
  let unloaded = false;
  for (const file of plant.files) {
    const [pass, fail] = [ofName(file.mustPass), ofName(file.mustFail)];
    if (pass === undefined && fail === undefined) {
      if (optional.has(file.folder)) continue;
      if (exit !== 0 && doesNotLoad(plant.runner, tests, file.folder)) {
        unloaded = true;
        continue;
      }
      return { tests, live, forged: "its report lacks the tests that the host planted" };
    }
    if (pass === undefined || report.tests[pass] !== "passed") {
      return { tests, live, forged: "a planted test that must pass did not" };
    }
    if (fail === undefined || report.tests[fail] !== "failed") {
      return { tests, live, forged: "a planted test that must fail did not" };
    }
    if (!report.said[fail]?.includes(file.says)) {
      return { tests, live, forged: "a planted test that must fail did not say what it must" };
    }
    live.push(file.folder);
  }
  if (live.length > 0 && exit === 0) {
    return { tests, live, forged: "the command ended with 0 although a planted test must fail" };
  }
  return { tests, live, ...(unloaded ? { unloaded } : {}) };
}

/** Whether the report shows that what a folder's planted tests are part of does not build or load. */
function doesNotLoad(runner: Runner, tests: TestRun["tests"], folder: string): boolean {
  if (runner.fallsTogether === "never") return false;
  const whole = Object.keys(tests).filter((id) => tests[id] === "failed" && !id.includes(" > "));
  if (runner.fallsTogether === "all") return whole.length > 0;
  return whole.some((id) => folder === "" || id === folder || id.endsWith(`/${folder}`));
}
