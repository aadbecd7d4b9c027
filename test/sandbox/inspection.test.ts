/** The same controls from outside: what the engine says it made, what the kernel says of the init, and what nobody can ask for. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { brief } from "../../src/domain/brief.ts";
import { harnessFile } from "../../src/domain/harness.ts";
import { policyFile } from "../../src/domain/policy.ts";
import type { SandboxSpec } from "../../src/sandbox/engine.ts";
import { baseEnvironment, checkInspection, checkKernelStatus, containerOptions } from "../../src/sandbox/hardening.ts";
import { type Bench, folder, openBench } from "./engine.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
}, 600_000);
afterAll(() => bench?.close());

describe("the engine", () => {
  it("shows the same controls from outside", async () => {
    const shown = folder(bench, "shown");
    const sandbox = await bench.start(["sleep", "20"], {
      mounts: [{ source: shown, target: "/worktree", writable: false }],
    });
    const made = await bench.docker.getContainer(`sallyport-${sandbox.id}`).inspect();
    const { HostConfig: host, Config: config } = made;
    expect(host).toMatchObject({
      NetworkMode: "none",
      Privileged: false,
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      IpcMode: "private",
      PidMode: "",
      UTSMode: "",
      Init: true,
      OomScoreAdj: 500,
      PidsLimit: 64,
      Memory: 256 * 1024 * 1024,
      MemorySwap: 256 * 1024 * 1024,
    });
    expect(host.CapAdd ?? []).toEqual([]);
    expect(host.Devices ?? []).toEqual([]);
    expect(host.Binds ?? []).toEqual([]);
    expect(config.Image).toBe(bench.image);
    const byTarget = (a: Docker.ContainerInspectInfo["Mounts"][0], b: typeof a) =>
      a.Destination.localeCompare(b.Destination);
    expect(made.Mounts.sort(byTarget).map((m) => [m.Source, m.Destination, m.RW, m.Propagation])).toEqual([
      [expect.stringMatching(/\/src\/sandbox\/hosts$/), "/etc/hosts", false, "rprivate"],
      [shown, "/worktree", false, "rprivate"],
    ]);
    expect(readFileSync(`/proc/${sandbox.pid}/oom_score_adj`, "utf8").trim()).toBe("500");
    for (const kind of ["net", "pid", "ipc", "uts", "mnt", "cgroup"]) {
      const link = (pid: string | number) => execFileSync("readlink", [`/proc/${pid}/ns/${kind}`]).toString();
      expect([kind, link(sandbox.pid) === link("self")]).toEqual([kind, false]);
    }
    expect(sandbox.controls).toMatchObject({
      network: "none",
      kernelSeccomp: "2",
      kernelNoNewPrivs: "1",
      capabilities: "none",
    });
    sandbox.end("stopped");
    expect((await sandbox.done).end).toBe("stopped");
    await expect(bench.docker.getContainer(made.Id).inspect()).rejects.toMatchObject({ statusCode: 404 });
  });

  it("runs an image by its digest only: a tag that moved changes nothing", async () => {
    await expect(bench.start(["true"], { image: "sallyport/base:latest" })).rejects.toMatchObject({
      code: "image-missing",
    });
    await expect(bench.start(["true"], { image: `sha256:${"0".repeat(64)}` })).rejects.toMatchObject({
      code: "image-missing",
    });
    const tag = "sallyport-test-moved:1";
    execFileSync("docker", ["tag", bench.image, tag]);
    try {
      await expect(bench.start(["true"], { image: tag })).rejects.toMatchObject({ code: "control-missing" });
    } finally {
      execFileSync("docker", ["rmi", tag], { stdio: "ignore" });
    }
    expect((await bench.run(["true"])).exit).toBe(0);
  });

  it("sweeps the sandboxes of one host and leaves the others", async () => {
    const mine = [
      await bench.start(["sleep", "30"], { host: "h-sweep-a" }),
      await bench.start(["sleep", "30"], { host: "h-sweep-a" }),
    ];
    const other = await bench.start(["sleep", "30"], { host: "h-sweep-b" });
    try {
      expect((await bench.engine.sweep("h-sweep-a")).sort()).toEqual(mine.map((s) => s.id).sort());
      for (const sandbox of mine) expect((await sandbox.done).end).not.toBe("output");
      expect((await bench.docker.getContainer(`sallyport-${other.id}`).inspect()).State.Running).toBe(true);
    } finally {
      await bench.engine.sweep("h-sweep-b");
      await bench.engine.sweep("h-sweep-a");
    }
  });

  it("leaves nothing where a command does not exist", async () => {
    const result = await bench.run(["/no/such/program"]).catch((error: unknown) => error as { code: string });
    expect("end" in result ? result.exit : result.code).toSatisfy((v) => v === 127 || v === "engine-failed");
    const all = await bench.docker.listContainers({
      all: true,
      filters: { label: [`org.sallyport.host=${bench.host}`] },
    });
    expect(all).toEqual([]);
  });
});

describe("what the engine made is compared with what was asked", () => {
  let spec: SandboxSpec;
  let made: Docker.ContainerInspectInfo;
  beforeAll(async () => {
    const shown = join(bench.directory, "compared");
    mkdirSync(shown);
    spec = bench.spec(["true"], {
      mounts: [{ source: shown, target: "/worktree", writable: false }],
      environment: baseEnvironment(true),
    });
    const container = await bench.docker.createContainer(containerOptions(spec));
    made = await container.inspect();
    await container.remove({ force: true });
  });

  it("passes as it is", () => {
    expect(checkInspection(spec, made)).toMatchObject({ network: "none", readonlyRoot: true, capabilities: "none" });
  });

  const host = (change: object) => (m: Docker.ContainerInspectInfo) => Object.assign(m.HostConfig, change);
  const mounts = (change: object) => (m: Docker.ContainerInspectInfo) => {
    m.Mounts = m.Mounts.map((one) => ({ ...one, ...change }));
  };
  const altered: [string, (m: Docker.ContainerInspectInfo) => unknown][] = [
    ["image", (m) => Object.assign(m, { Image: `sha256:${"1".repeat(64)}` })],
    ["user", (m) => Object.assign(m.Config, { User: "0:0" })],
    ["entry", (m) => Object.assign(m.Config, { Entrypoint: ["/bin/sh"] })],
    ["network", host({ NetworkMode: "bridge" })],
    ["network", (m) => Object.assign(m.NetworkSettings, { Networks: { bridge: {} } })],
    ["privileged", host({ Privileged: true })],
    ["capabilities added", host({ CapAdd: ["NET_RAW"] })],
    ["capabilities dropped", host({ CapDrop: [] })],
    ["no-new-privileges", host({ SecurityOpt: [] })],
    ["seccomp", host({ SecurityOpt: ["no-new-privileges:true", "seccomp=unconfined"] })],
    ["seccomp", host({ SecurityOpt: ["no-new-privileges:true"] })],
    ["read-only root", host({ ReadonlyRootfs: false })],
    ["ipc namespace", host({ IpcMode: "host" })],
    ["pid namespace", host({ PidMode: "host" })],
    ["uts namespace", host({ UTSMode: "host" })],
    ["user namespace mode", host({ UsernsMode: "host" })],
    ["cgroup namespace", host({ CgroupnsMode: "host" })],
    ["init", host({ Init: false })],
    ["memory", host({ Memory: 0 })],
    ["memory", host({ MemorySwap: -1 })],
    ["cpus", host({ NanoCpus: 0 })],
    ["pids", host({ PidsLimit: null })],
    ["devices", host({ Devices: [{ PathOnHost: "/dev/kvm" }] })],
    ["published ports", host({ PortBindings: { "80/tcp": [{}] } })],
    ["log driver", host({ LogConfig: { Type: "json-file" } })],
    ["runtime", host({ Runtime: "other" })],
    ["masked paths", host({ MaskedPaths: ["/proc/acpi"] })],
    ["masked paths", host({ MaskedPaths: null })],
    ["read-only paths", host({ ReadonlyPaths: [] })],
    ["tmpfs", host({ Tmpfs: { "/tmp": "rw" } })],
    ["tmpfs", (m) => Object.assign(m.HostConfig.Tmpfs ?? {}, { "/run": "rw" })],
    ["shared memory", host({ ShmSize: 2 ** 40 })],
    ["limits", host({ Ulimits: [] })],
    ["oom score", host({ OomScoreAdj: -500 })],
    ["mounts", mounts({ RW: true })],
    ["mounts", mounts({ Propagation: "rshared" })],
    ["mounts", mounts({ Destination: "/var/run/docker.sock" })],
    ["mounts", (m) => Object.assign(m, { Mounts: [] })],
    ["mount sources", mounts({ Source: "/" })],
  ];
  for (const [index, [name, alter]] of altered.entries()) {
    it(`refuses another ${name} (${index + 1})`, () => {
      const copy = structuredClone(made);
      alter(copy);
      expect(() => checkInspection(spec, copy)).toThrow(
        expect.objectContaining({ code: "control-missing", message: expect.stringContaining(`${name} is `) }),
      );
    });
  }

  it("refuses a kernel's word that differs", () => {
    const status = readFileSync("/proc/self/status", "utf8");
    expect(() => checkKernelStatus(status)).toThrow(/control-missing|Uid/);
    const good =
      "Uid:\t10001\t10001\t10001\t10001\nGid:\t10001\t10001\t10001\t10001\nGroups:\t10001 \nCapInh:\t0000\nCapPrm:\t0000\nCapEff:\t0000\nCapBnd:\t0000\nCapAmb:\t0000\nNoNewPrivs:\t1\nSeccomp:\t2\n";
    expect(checkKernelStatus(good)).toMatchObject({ kernelSeccomp: "2" });
    for (const [from, to] of [
      ["NoNewPrivs:\t1", "NoNewPrivs:\t0"],
      ["Seccomp:\t2", "Seccomp:\t0"],
      ["CapBnd:\t0000", "CapBnd:\t0400"],
      ["Uid:\t10001", "Uid:\t0"],
      ["Groups:\t10001", "Groups:\t0"],
    ] as const) {
      expect(() => checkKernelStatus(good.replace(from, to)), from).toThrow(
        expect.objectContaining({ code: "control-missing" }),
      );
    }
  });
});

describe("what nobody can ask for", () => {
  it("a policy or brief names no privilege, device, mount or namespace", async () => {
    const words = {
      privileged: true,
      capAdd: ["ALL"],
      devices: ["/dev/kvm"],
      mounts: ["/:/host"],
      networkMode: "host",
      pidMode: "host",
      user: "root",
      securityOpt: [],
      propagation: "rshared",
    };
    const harness = { name: "x", roles: ["executor"], description: "x", command: ["x"], smoke: ["x"] };
    expect(harnessFile.safeParse(harness).success).toBe(true);
    expect(policyFile.safeParse({ version: 1, sandbox: { cpus: 1 } }).success).toBe(true);
    for (const [word, value] of Object.entries(words)) {
      expect([word, policyFile.safeParse({ version: 1, sandbox: { [word]: value } }).success]).toEqual([word, false]);
      expect([word, harnessFile.safeParse({ ...harness, [word]: value }).success]).toEqual([word, false]);
      expect([
        word,
        brief.safeParse({
          title: "abc",
          intent: "x",
          instructions: "x",
          accept: [{ id: "A1", must: "x" }],
          executor: "x",
          policy: "x",
          [word]: value,
        }).success,
      ]).toEqual([word, false]);
    }
  });
});
