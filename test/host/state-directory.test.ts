/** One daemon at a time has a state directory, and nobody else can write to it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadConfig, rightsOf } from "../../src/host/config.ts";
import { makeStateDirectory, type StateDirectory, stateDirectory } from "../../src/host/state-directory.ts";
import { lockState } from "../../src/host/state-lock.ts";

let root: string;
let state: StateDirectory;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "sd-"));
  state = stateDirectory(join(root, "s"));
  await makeStateDirectory(state);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const refused = (code: string) => expect.objectContaining({ code, next: expect.stringMatching(/\w/) });
it("makes every directory for the daemon alone", () => {
  for (const path of [
    state.root,
    state.ledger,
    state.trees,
    state.lanes,
    state.quarantine,
    state.gateway,
    state.keys,
  ]) {
    expect([path, (statSync(path).mode & 0o777).toString(8)]).toEqual([path, "700"]);
  }
});

it("refuses a directory that others may write, a socket path that is too long, and what means something to mount", async () => {
  chmodSync(state.root, 0o770);
  await expect(makeStateDirectory(state)).rejects.toThrow(refused("control-missing"));
  await expect(makeStateDirectory(stateDirectory(join(root, "x".repeat(110))))).rejects.toThrow(refused("usage"));
  for (const odd of ["a,b", "a:b", "a\\b", "a\nb"]) {
    await expect(makeStateDirectory(stateDirectory(join(root, odd)))).rejects.toThrow(refused("usage"));
  }
});

it("is locked while its owner lives, and free after the release", async () => {
  const release = await lockState(state);
  await expect(lockState(state)).rejects.toThrow(refused("host-busy"));
  await release();
  await (await lockState(state))();
});

it("is free at once when its owner is killed, whatever the file beside it says", async () => {
  const module = join(import.meta.dirname, "../../src/host/state-lock.ts");
  const script = `const { lockState } = await import(${JSON.stringify(module)}); await lockState(${JSON.stringify(state)}); console.log("locked"); setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const gone = once(owner, "exit");
  try {
    await once(owner.stdout, "data");
    await expect(lockState(state)).rejects.toThrow(`pid ${owner.pid}`);
  } finally {
    owner.kill("SIGKILL");
    await gone;
  }
  expect(readFileSync(join(state.root, "lock"), "utf8")).toBe(`${owner.pid}\n`);
  await (await lockState(state))();
});

it("is had by one of several that start at once", async () => {
  const tries = await Promise.allSettled(Array.from({ length: 8 }, () => lockState(state)));
  const owners = tries.filter((t) => t.status === "fulfilled");
  expect(owners).toHaveLength(1);
  for (const { value: release } of owners) await release();
});

it("allows nobody anything without a configuration, and names line and column of a wrong one", async () => {
  const none = await loadConfig(state);
  expect(rightsOf(none, "default")).toEqual({ repositories: [], refs: [] });
  for (const name of ["__proto__", "constructor", "other"]) expect(rightsOf(none, name).repositories).toEqual([]);
  for (const text of [
    "version: 2\n",
    "version: 1\nplanner: {}\n",
    "version: 1\nplanners: { default: { refs: [main] } }\n",
    "version: 1\nlanes: 0\n",
    "- a\n",
    "version: [",
  ]) {
    writeFileSync(state.config, text);
    await expect(loadConfig(state)).rejects.toThrow(
      expect.objectContaining({ code: "config-invalid", at: expect.stringMatching(/config\.yaml:\d+:\d+/) }),
    );
  }
  writeFileSync(
    state.config,
    'version: 1\nplanners: { default: { repositories: ["/srv/git/*"], refs: ["refs/heads/fix/**"] } }\n',
  );
  expect(rightsOf(await loadConfig(state), "default")).toEqual({
    repositories: ["/srv/git/*"],
    refs: ["refs/heads/fix/**"],
  });
});
