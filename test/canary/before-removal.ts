/**
 * Set up in every test file: what a test removes below the run's directory is searched first, whoever removes it and how.
 * The removal functions themselves are wrapped, since a test that had to ask for the search could forget it.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { resolve } from "node:path";
import { planted } from "./canaries.ts";
import { searchTree } from "./search-tree.ts";

const canaries = planted();
const marker = Symbol.for("sallyport.canary");

function searched(path: unknown): void {
  if (!canaries || typeof path !== "string") return;
  const target = resolve(path);
  if (!target.startsWith(`${canaries.run}/`) || !fs.lstatSync(target, { throwIfNoEntry: false })) return;
  const leaks = searchTree(target, canaries.search, canaries.allowed());
  if (leaks.length === 0) return;
  // Kept where the run's end finds it as well: a hook that swallows this error must not swallow the leak.
  fs.appendFileSync(`${canaries.run}/leaks`, leaks.map(({ path: at, name }) => `${name} in ${at}\n`).join(""));
  throw new Error(`a canary was found: ${leaks.map(({ path: at, name }) => `${name} in ${at}`).join(", ")}`);
}

if (canaries && !Object.hasOwn(fs, marker)) {
  Object.defineProperty(fs, marker, { value: true });
  const { rmSync, rm } = fs;
  const { rm: rmPromise } = fs.promises;
  fs.rmSync = (path, options) => {
    searched(path);
    rmSync(path, options);
  };
  fs.promises.rm = async (path, options) => {
    searched(path);
    await rmPromise(path, options);
  };
  fs.rm = ((path: fs.PathLike, ...rest: [fs.RmOptions, fs.NoParamCallback]) => {
    searched(path);
    rm(path, ...rest);
  }) as typeof rm;
  syncBuiltinESMExports();
}
