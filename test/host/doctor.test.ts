/** Each probe with what it must find, and the same machine with that one thing broken. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  engine,
  imageAges,
  judgeAges,
  judgePropagation,
  memoryLimits,
  propagation,
  runc,
} from "../../src/host/doctor/engine.ts";
import { clock, kvm, overlay, tool } from "../../src/host/doctor/kernel.ts";
import { flaws, judgeRunc } from "../../src/host/doctor/runc.ts";
import { disk, engineDisk, keys, ledgerClock, socket } from "../../src/host/doctor/state.ts";
import { stateDirectory } from "../../src/host/state-directory.ts";

const directory = mkdtempSync(join(tmpdir(), "sp-doctor-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let made = 0;
const fresh = (): string => {
  const path = join(directory, String(++made));
  mkdirSync(path, { mode: 0o700 });
  return path;
};

describe("runc", () => {
  it("has none of the known flaws from its newest lines on, and all of the newer ones before", () => {
    for (const version of ["1.2.8", "1.2.9", "1.3.3", "1.4.0-rc.3", "1.4.0", "1.5.0-rc.1", "2.0.0", "1.3.3+ds1"])
      expect(judgeRunc(version), version).toMatchObject({ state: "ok" });
    for (const version of ["1.2.7", "1.3.2", "1.4.0-rc.2", "1.1.15", "1.3.0"]) {
      const { state, found, fix } = judgeRunc(version);
      expect([version, state]).toEqual([version, "warn"]);
      expect(found).toMatch(/CVE-2025-31133.*CVE-2025-52565.*CVE-2025-52881/);
      expect(fix).toContain("1.2.8 or later");
    }
    expect(judgeRunc("1.1.11").found).toContain("CVE-2024-21626");
    expect(judgeRunc("1.1.12").found).not.toContain("CVE-2024-21626");
    expect(judgeRunc("1.1.13").found).toContain("CVE-2024-45310");
    expect(judgeRunc("1.0.0-rc6").found).toContain("CVE-2019-5736");
    expect(judgeRunc("1.0.0-rc93").found).toContain("CVE-2021-30465");
    expect(judgeRunc("1.0.0").found).not.toContain("CVE-2021-30465");
  });

  it("counts what a distribution closed without a new version, and no more", () => {
    const patched = judgeRunc("1.1.5+ds1", "* CVE-2024-21626: leaked descriptors");
    expect(patched.found).toContain("1 closed by the distribution");
    expect(patched.found).not.toContain("CVE-2024-21626");
    expect(judgeRunc("1.1.5+ds1", flaws.map(({ cve }) => cve).join("\n"))).toMatchObject({ state: "ok" });
    expect(judgeRunc("unknown")).toMatchObject({ state: "warn" });
  });
});

it("the engine as it is here: answers, limits, sees the host's mounts", async () => {
  for (const probe of [engine, memoryLimits, propagation, engineDisk])
    expect(await probe(), probe.name).toMatchObject({ state: "ok" });
  expect((await runc()).found).toMatch(/^runc \d/);
  expect((await imageAges()).state).toMatch(/ok|warn/);
});

it("mounts that the engine would not see", () => {
  expect(judgePropagation("mnt:[1]", "mnt:[1]", false)).toMatchObject({ state: "ok" });
  expect(judgePropagation("mnt:[2]", "mnt:[1]", true)).toMatchObject({ state: "ok" });
  expect(judgePropagation("mnt:[2]", "mnt:[1]", false)).toMatchObject({ state: "fail" });
  expect(judgePropagation("mnt:[2]", undefined, false)).toMatchObject({ state: "warn" });
});

it("an overlay, and a file system that holds none", async () => {
  expect(await overlay(directory)).toMatchObject({ state: "ok" });
  // /proc is no place for anything: whatever cannot be made there is a failed control, not a crash.
  await expect(overlay("/proc").catch((error: unknown) => ({ state: String(error) }))).resolves.not.toMatchObject({
    state: "ok",
  });
});

it("images that are too old", () => {
  const built = [{ name: "base", created: "2026-01-01T00:00:00Z" }];
  expect(judgeAges(built, new Date("2026-02-01"))).toMatchObject({ state: "ok" });
  expect(judgeAges(built, new Date("2026-06-01"))).toMatchObject({
    state: "warn",
    found: expect.stringContaining("base"),
  });
});

it("a tool that is there, and one that is not", async () => {
  expect(await tool("git", ["--version"], "git")()).toMatchObject({ state: "ok" });
  expect(await tool("no-such-tool", [], "nothing")()).toMatchObject({
    state: "fail",
    fix: expect.stringContaining("nothing"),
  });
});

it("a disk with room, and a full one", async () => {
  expect(await disk(directory)).toMatchObject({ state: "ok" });
  expect(await disk(join(directory, "not/there/yet"))).toMatchObject({ state: "ok" });
  const small = fresh();
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", small]);
  try {
    expect(await disk(small)).toMatchObject({ state: "warn" });
  } finally {
    execFileSync("umount", [small]);
  }
  const few = fresh();
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=6g,nr_inodes=1000", "tmpfs", few]);
  try {
    expect(await disk(few)).toMatchObject({ state: "ok" });
    for (let file = 0; file < 998; file++) writeFileSync(join(few, String(file)), "");
    expect(await disk(few)).toMatchObject({ state: "warn", found: expect.stringContaining("inodes") });
  } finally {
    execFileSync("umount", [few]);
  }
});

it("a key of the host's own, one that others can read, and a link", async () => {
  const state = stateDirectory(fresh());
  expect(await keys(state)).toMatchObject({ state: "ok" });
  mkdirSync(state.keys);
  const file = join(state.keys, "host.key");
  writeFileSync(file, "key", { mode: 0o600 });
  expect(await keys(state)).toMatchObject({ state: "ok" });
  chmodSync(file, 0o644);
  expect(await keys(state)).toMatchObject({ state: "fail", fix: expect.stringContaining("chmod 600") });
  rmSync(file);
  symlinkSync("/etc/hostname", file);
  expect(await keys(state)).toMatchObject({ state: "fail" });
  rmSync(file);
  chmodSync(state.root, 0o777);
  expect(await keys(state)).toMatchObject({ state: "fail", fix: expect.stringContaining("chmod 700") });
});

it("a socket that is free, left over, answered, and open to everybody", async () => {
  const state = stateDirectory(fresh());
  expect(await socket(state)).toMatchObject({ state: "ok", found: expect.stringContaining("free") });
  const server = createServer().listen(state.socket);
  await new Promise((resolve) => server.once("listening", resolve));
  chmodSync(state.socket, 0o600);
  expect(await socket(state)).toMatchObject({ state: "ok", found: expect.stringContaining("answers") });
  chmodSync(state.socket, 0o666);
  expect(await socket(state)).toMatchObject({ state: "warn" });
  await new Promise((resolve) => server.close(resolve));
  writeFileSync(state.socket, "");
  expect(await socket(state)).toMatchObject({ state: "warn", found: expect.stringContaining("no socket") });
});

it("a clock that went back behind the ledger", async () => {
  const state = stateDirectory(fresh());
  mkdirSync(state.ledger);
  expect(await ledgerClock(state)).toMatchObject({ state: "ok" });
  writeFileSync(join(state.ledger, "000001.jsonl"), '{"seq":1,"time":"2026-03-01T00:00:00.000Z"}\n');
  expect(await ledgerClock(state, Date.parse("2026-03-01T00:00:01Z"))).toMatchObject({ state: "ok" });
  expect(await ledgerClock(state, Date.parse("2026-02-28T00:00:00Z"))).toMatchObject({ state: "warn" });
  expect(["ok", "warn"]).toContain((await clock()).state);
});

it("KVM: not there, there and not tried, and one under which no kernel comes up is ended in time", async () => {
  expect((await kvm(join(directory, "no-kvm"))).found).toContain("not there");
  const device = join(fresh(), "kvm");
  writeFileSync(device, "");
  expect((await kvm(device, fresh())).found).toContain("no kernel");
  const boot = fresh();
  writeFileSync(join(boot, "vmlinuz-1"), "");
  const path = process.env.PATH;
  const bin = fresh();
  // What a hanging KVM looks like from outside: a QEMU that never ends.
  writeFileSync(join(bin, "qemu-system-x86_64"), "#!/bin/sh\nexec sleep 60\n", { mode: 0o755 });
  process.env.PATH = `${bin}:${path}`;
  try {
    expect((await kvm(device, boot)).found).toContain("no kernel came up");
  } finally {
    process.env.PATH = path;
  }
});
