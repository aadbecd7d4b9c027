/** Sandboxes made by the real engine for the tests that look from inside: one command each, from the base image. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type Docker from "dockerode";
import { delegationIdFrom } from "../../src/domain/identity.ts";
import { connectEngine } from "../../src/sandbox/connect.ts";
import { dockerEngine } from "../../src/sandbox/docker-engine.ts";
import type { Sandbox, SandboxEngine, SandboxResult, SandboxSpec } from "../../src/sandbox/engine.ts";
import { baseEnvironment } from "../../src/sandbox/hardening.ts";
import { program } from "../e2e/cli.ts";

const MiB = 1024 * 1024;

export interface Bench {
  docker: Docker;
  engine: SandboxEngine;
  /** The base image's digest. */
  image: string;
  /** The label that this bench's sandboxes carry. */
  host: string;
  /** A directory of this bench's own; what lies below may be shown to a sandbox. */
  directory: string;
  /** A specification with everything small. */
  spec(command: readonly string[], changes?: Partial<SandboxSpec>): SandboxSpec;
  start(command: readonly string[], changes?: Partial<SandboxSpec>): Promise<Sandbox>;
  /** Runs a command to its end and gives what it printed. */
  run(command: readonly string[], changes?: Partial<SandboxSpec>): Promise<SandboxResult & { text: string }>;
  /** Runs a shell script to its end. */
  sh(script: string, changes?: Partial<SandboxSpec>): Promise<SandboxResult & { text: string }>;
  /** Ends every sandbox of this bench and removes the directory. */
  close(): Promise<void>;
}

/** A sandbox's id, as the host makes them. */
export const sandboxId = () => `s-${delegationIdFrom(randomBytes(10)).slice(2)}`;

/** Builds the base image if need be, and connects to the engine. */
export async function openBench(): Promise<Bench> {
  const built = execFileSync(
    "flock",
    ["/tmp/sallyport-test-images.lock", program, "image", "build", "base", "--json"],
    {
      timeout: 600_000,
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const [{ digest: image }] = JSON.parse(built.toString()) as [{ digest: string }];
  const docker = await connectEngine();
  const engine = dockerEngine(docker);
  const host = `h-${delegationIdFrom(randomBytes(10)).slice(2)}`;
  const directory = mkdtempSync(join(tmpdir(), "sb-"));
  chmodSync(directory, 0o755);
  const bench: Bench = {
    docker,
    engine,
    image,
    host,
    directory,
    spec: (command, changes = {}) => ({
      id: sandboxId(),
      host,
      role: "tester",
      image,
      command,
      environment: baseEnvironment(false),
      directory: "/tmp",
      mounts: [],
      runtime: "runc",
      cpus: 1,
      memory: 256 * MiB,
      pids: 64,
      fileSize: 32 * MiB,
      wall: 30_000,
      output: 4 * MiB,
      ...changes,
    }),
    start: (command, changes) => engine.start(bench.spec(command, changes)),
    async run(command, changes) {
      const result = await (await bench.start(command, changes)).done;
      return { ...result, text: result.output.head.toString("utf8") };
    },
    sh: (script, changes) => bench.run(["/bin/sh", "-c", script], changes),
    async close() {
      await engine.sweep(host);
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return bench;
}

/** A folder below the bench's directory that a sandbox may look into. */
export function folder(bench: Bench, name: string): string {
  const path = join(bench.directory, name);
  mkdirSync(path, { mode: 0o755 });
  return path;
}
