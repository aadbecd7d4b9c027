/** The package, as an operator gets it: packed, installed on a prefix of its own, and used there without the checkout. */
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { inputFiles } from "../../src/sandbox/images/input-hash.ts";
import { root } from "./cli.ts";
import { openHost } from "./daemon.ts";
import { processesOf } from "./leftovers.ts";

const exec = promisify(execFile);
// npm's own cache of compiled code would be left in the temporary directory.
process.env.NODE_DISABLE_COMPILE_CACHE = "1";
const directory = mkdtempSync(join(tmpdir(), "sp-package-"));
const prefix = join(directory, "prefix");
const home = join(prefix, "lib/node_modules/sallyport");
const installed = join(prefix, "bin/sallyport");
let tarball: string;

beforeAll(async () => {
  const { stdout } = await exec(process.execPath, [join(root, "tools/pack.ts"), directory], { timeout: 120_000 });
  tarball = stdout.trim();
  const quiet = ["--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
  await exec("npm", ["install", "--global", "--prefix", prefix, ...quiet, tarball], {
    cwd: directory,
    timeout: 240_000,
  });
}, 400_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it("holds the program and what it reads, and nothing that only development needs", () => {
  const listed = execFileSync("tar", ["-tzf", tarball], { encoding: "utf8" }).split("\n").filter(Boolean);
  expect(listed.filter((name) => /^package\/(test|bench|demo|tools|src|node_modules|\.ci)\//.test(name))).toEqual([]);
  expect(listed).toEqual(
    expect.arrayContaining([
      "package/bin/sallyport",
      "package/dist/cli/main.js",
      "package/dist/sandbox/hosts",
      "package/policies/base.yaml",
      "package/images/base/harness.yaml",
      "package/npm-shrinkwrap.json",
      "package/packaging/systemd/sallyport.service",
      "package/packaging/man/sallyport.1",
    ]),
  );
  expect(statSync(tarball).size).toBeLessThan(3_000_000);
  const lock = JSON.parse(readFileSync(join(home, "npm-shrinkwrap.json"), "utf8")) as { packages: object };
  expect(Object.keys(lock.packages)).not.toContain("node_modules/vitest");
  // A checkout is never published by mistake; the package can be.
  expect(JSON.parse(readFileSync(join(root, "package.json"), "utf8"))).toMatchObject({ private: true });
  expect(JSON.parse(readFileSync(join(home, "package.json"), "utf8"))).not.toHaveProperty("private");
});

it("brings the same inputs of every image as the checkout, so that its images are the same", async () => {
  const names = execFileSync("git", ["ls-files", "images"], { cwd: root, encoding: "utf8" });
  const folders = new Set([...names.matchAll(/^images\/([^/]+)\/harness\.yaml$/gm)].map(([, name]) => name ?? ""));
  expect(folders.size).toBeGreaterThan(5);
  for (const name of folders) {
    expect(await inputFiles(join(home, "images", name)), name).toEqual(await inputFiles(join(root, "images", name)));
  }
});

it("says its version, and what to do where there is no Node for it", async () => {
  const { stdout } = await exec(installed, ["--version"], { cwd: "/", env: { PATH: "/usr/bin:/bin" } });
  expect(stdout.trim()).toBe(
    (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version,
  );
  // The same script where neither its own nor the system's Node is there.
  const tools = mkdirSync(join(directory, "tools"), { recursive: true }) ?? "";
  for (const name of ["readlink", "dirname"]) symlinkSync(join("/usr/bin", name), join(tools, name));
  execFileSync("cp", [join(home, "bin/sallyport"), join(directory, "alone")]);
  const alone = await exec("/bin/sh", [join(directory, "alone"), "--version"], { env: { PATH: tools } }).catch(
    (error: { code: number; stderr: string }) => error,
  );
  expect(alone).toMatchObject({ code: 6, stderr: expect.stringContaining("install Node 24") });
});

it("runs its daemon and a delegation to an approval, without the checkout", { timeout: 300_000 }, async () => {
  const host = await openHost({ program: installed });
  try {
    const repository = host.repository();
    const record = await host.turn(repository);
    expect(record.state).toBe("approved");
    const commands = processesOf(host.state).map(({ command }) => command);
    expect(commands.filter((command) => command.includes(home)).length).toBeGreaterThanOrEqual(2);
    expect(commands.filter((command) => command.includes(join(root, "src")))).toEqual([]);
    const { stdout } = await exec(installed, ["land", record.id, "--json"], {
      env: { ...process.env, SALLYPORT_STATE: host.state },
    });
    expect(JSON.parse(stdout)).toMatchObject({ state: "landed" });
  } finally {
    await host.close();
  }
  expect(existsSync(join(home, ".cache"))).toBe(false);
});
