/** From `start` to the first byte of the command, against `docker run` with the same options on the same image. */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shippedImages } from "../src/host/config.ts";
import { connectEngine } from "../src/sandbox/connect.ts";
import { dockerEngine } from "../src/sandbox/docker-engine.ts";
import type { SandboxSpec } from "../src/sandbox/engine.ts";
import { baseEnvironment, sandboxPaths } from "../src/sandbox/hardening.ts";
import { findImage } from "../src/sandbox/images/find.ts";
import { seccompProfile } from "../src/sandbox/seccomp.ts";
import { type Figure, sideBySide } from "./measure.ts";

const MiB = 1024 * 1024;

export async function coldStart(): Promise<Figure[]> {
  const docker = await connectEngine();
  const engine = dockerEngine(docker);
  const image = (await findImage(docker, "base", shippedImages)).digest;
  const directory = await mkdtemp(join(tmpdir(), "sallyport-bench-"));
  const profile = join(directory, "seccomp.json");
  await writeFile(profile, JSON.stringify(seccompProfile()));
  const instance = `h-bench${process.pid}`;
  let count = 0;

  const ours = async () => {
    const begun = performance.now();
    let first = Number.NaN;
    const spec: SandboxSpec = {
      id: `s-bench${process.pid}x${count++}`,
      host: instance,
      role: "tester",
      image,
      command: ["/bin/echo", "first"],
      environment: baseEnvironment(false),
      directory: "/tmp",
      mounts: [],
      runtime: "runc",
      cpus: 2,
      memory: 512 * MiB,
      pids: 256,
      fileSize: 64 * MiB,
      wall: 30_000,
      output: MiB,
      onOutput: () => {
        first = Number.isNaN(first) ? performance.now() - begun : first;
      },
    };
    const sandbox = await engine.start(spec);
    await sandbox.done;
    return first;
  };

  const tmpfs = "rw,nosuid,nodev,size=268435456";
  const options = [
    "run",
    "--rm",
    "--init",
    "--network",
    "none",
    "--read-only",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges:true",
    "--security-opt",
    `seccomp=${profile}`,
    "--user",
    "10001:10001",
    "--ipc",
    "private",
    "--cgroupns",
    "private",
    "--memory",
    "512m",
    "--memory-swap",
    "512m",
    "--cpus",
    "2",
    "--pids-limit",
    "256",
    "--ulimit",
    "nofile=4096:4096",
    "--ulimit",
    "core=0:0",
    "--tmpfs",
    `/tmp:${tmpfs}`,
    "--tmpfs",
    `/home/sandbox:${tmpfs}`,
    "--log-driver",
    "none",
    "--hostname",
    "sandbox",
    "--entrypoint",
    sandboxPaths.entry,
    image,
    "/bin/echo",
    "first",
  ];
  const theirs = () =>
    new Promise<number>((resolve, reject) => {
      const begun = performance.now();
      const child = spawn("docker", options, { stdio: ["ignore", "pipe", "inherit"] });
      let first = Number.NaN;
      child.stdout.once("data", () => {
        first = performance.now() - begun;
      });
      child.once("error", reject);
      child.once("close", (code) => (code === 0 ? resolve(first) : reject(new Error(`docker run ended with ${code}`))));
    });

  try {
    return [
      await sideBySide(
        {
          name: "cold start of a hardened sandbox to its first output",
          unit: "ms",
          peer: "docker run, same options",
          runs: 15,
        },
        ours,
        theirs,
      ),
    ];
  } finally {
    await engine.sweep(instance);
    await rm(directory, { recursive: true, force: true });
  }
}
