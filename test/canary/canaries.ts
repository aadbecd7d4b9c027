/**
 * What a run of the tests plants: a variable that every process inherits, a file that only root may read, and a core of the
 * values that tests give as secrets. None of them may be in anything that the run leaves or throws away.
 */
import { randomBytes } from "node:crypto";
import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { searchFor } from "../../src/secrets/masker.ts";
import type { Search } from "../../src/secrets/search.ts";

/** The variables by which a worker knows its run. The first holds a canary. */
const variables = { canary: "SALLYPORT_RUN_CANARY", run: "SALLYPORT_RUN_DIRECTORY" } as const;

export interface Canaries {
  /** The run's directory: every temporary directory of the tests is below it. */
  run: string;
  search: Search;
  /** Where a canary may be, as files or directories: the sources that tests write, and what they put one into by intent. */
  allowed(): string[];
}

const plain = () => `cn${randomBytes(12).toString("hex")}`;

/** Plants the canaries of a run in a new directory below `parent`, and tells this process's children. */
export function plant(parent: string): Canaries {
  const run = mkdtempSync(join(parent, "r-"));
  writeFileSync(join(run, "canaries.json"), JSON.stringify({ file: plain(), secret: plain() }), { mode: 0o600 });
  writeFileSync(join(run, "allowed"), `${run}/canaries.json\n`, { mode: 0o600 });
  process.env[variables.canary] = plain();
  process.env[variables.run] = run;
  return planted() as Canaries;
}

/** The canaries of the run that this process belongs to; undefined outside of one. */
export function planted(): Canaries | undefined {
  const { [variables.run]: run, [variables.canary]: variable } = process.env;
  if (run === undefined || variable === undefined) return undefined;
  const { file, secret } = stored(run);
  return {
    run,
    search: searchFor(
      new Map([
        ["variable", [variable]],
        ["file", [file]],
        ["secret", [secret]],
      ]),
    ),
    allowed: () => readFileSync(join(run, "allowed"), "utf8").split("\n").filter(Boolean),
  };
}

const stored = (run: string): { file: string; secret: string } =>
  JSON.parse(readFileSync(join(run, "canaries.json"), "utf8"));

/** A value for a secret of a test, by which it is known wherever it comes up. `odd` is put at its end. */
export function secretCanary(name: string, odd = ""): string {
  const { run } = planted() ?? {};
  if (run === undefined) throw new Error("no canaries are planted: vitest.config.ts names the set-up");
  return `canary-${stored(run).secret}-${name}${odd}`;
}

/** Says that a file or directory holds a canary by intent: a source, or what a test leaks itself. */
export function allowCanary(path: string): string {
  const { run } = planted() ?? {};
  if (run !== undefined) appendFileSync(join(run, "allowed"), `${path}\n`);
  return path;
}
