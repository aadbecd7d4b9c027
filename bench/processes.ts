/** A sandbox whose processes the kernel writes down, against the same one without: first byte, start to end, and 1,000 processes. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shippedImages } from "../src/host/config.ts";
import { connectEngine } from "../src/sandbox/connect.ts";
import { dockerEngine } from "../src/sandbox/docker-engine.ts";
import type { SandboxEngine, SandboxSpec } from "../src/sandbox/engine.ts";
import { baseEnvironment } from "../src/sandbox/hardening.ts";
import { findImage } from "../src/sandbox/images/find.ts";
import { type Figure, sideBySide } from "./measure.ts";

const MiB = 1024 * 1024;

export async function processFigures(): Promise<Figure[]> {
  const docker = await connectEngine();
  const image = (await findImage(docker, "base", shippedImages)).digest;
  const directory = await mkdtemp(join(tmpdir(), "sallyport-bench-"));
  const host = `h-bench${process.pid}`;
  const accounted = dockerEngine(docker, undefined, join(directory, "accounts"));
  const plain = dockerEngine(docker);
  let count = 0;

  const run = async (engine: SandboxEngine, script: string) => {
    const begun = performance.now();
    let first = Number.NaN;
    const spec: SandboxSpec = {
      id: `s-bench${process.pid}x${count++}`,
      host,
      role: "tester",
      image,
      command: ["/bin/sh", "-c", script],
      environment: baseEnvironment(false),
      directory: "/tmp",
      mounts: [],
      runtime: "runc",
      cpus: 2,
      memory: 512 * MiB,
      pids: 256,
      fileSize: 64 * MiB,
      wall: 60_000,
      output: MiB,
      onOutput: () => {
        first = Number.isNaN(first) ? performance.now() - begun : first;
      },
    };
    await (await engine.start(spec)).done;
    return { first, whole: performance.now() - begun };
  };
  const figure = (name: string, runs: number, script: string, what: "first" | "whole") =>
    sideBySide(
      { name, unit: "ms", peer: "the same, not accounted", runs },
      async () => (await run(accounted, script))[what],
      async () => (await run(plain, script))[what],
    );
  const many = "i=0; while [ $i -lt 1000 ]; do (:); i=$((i+1)); done; echo done";
  try {
    return [
      await figure("processes: to the first byte", 30, "echo first", "first"),
      await figure("processes: start to end", 30, "echo first", "whole"),
      await figure("processes: 1,000 of them", 10, many, "whole"),
    ];
  } finally {
    await plain.sweep(host);
    await rm(directory, { recursive: true, force: true });
  }
}
