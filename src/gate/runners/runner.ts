/** What the host knows of a test runner: how its report is read, and what a planted test looks like in its language. */
import type { JunitNames } from "../reports/junit.ts";

/** What goes into one planted file. */
export interface PlantSpot {
  /** The folder it goes to, relative to the root; empty for the root itself. */
  folder: string;
  /** A random word for this file; every name in it must hold it. */
  word: string;
  /** Two numbers whose product the failing test must say: it is written nowhere, and known only by who runs the test. */
  factors: readonly [number, number];
  /** Paths of the tree that is tested, those in this folder alone. */
  paths: readonly string[];
  /** Whether the file is to load what the tests beside it load. */
  loads: boolean;
  /** Reads one of these paths. */
  read(path: string): Promise<string>;
}

/** One planted file. The names are the last part of its tests' ids. */
export interface PlantFile {
  name: string;
  content: string;
  mustPass: string;
  mustFail: string;
}

export interface Runner {
  /** How its JUnit names its tests. */
  junit: JunitNames;
  /** Where a file is planted when the policy does not say. */
  folder: string;
  /** Whether a path of the tree is a test file of this runner's: planted files go beside such too. */
  isTest(path: string): boolean;
  /** The file for a spot; undefined where nothing can be planted there. */
  plant(spot: PlantSpot): Promise<PlantFile | undefined>;
  /**
   * Whether one file that does not load keeps others from running, so that a run without planted tests, or without any
   * report, can be an honest failure: it is red then, and not called forged.
   */
  fallsTogether: "never" | "package" | "all";
}

/** The end of a test file's name from its first dot, most used in a folder: a pattern of the project's finds that again. */
export function commonSuffix(paths: readonly string[], fallback: string): string {
  const counts = new Map<string, number>();
  for (const path of paths) {
    const suffix = /^[^.]+(\..+)$/.exec(path.split("/").at(-1) ?? "")?.[1];
    if (suffix !== undefined) counts.set(suffix, (counts.get(suffix) ?? 0) + 1);
  }
  const [most] = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return most?.[0] ?? fallback;
}
