/** What the house asks of whatever runs sandboxes. Docker is one engine; a microVM is another. */
import type { SandboxEnd } from "../domain/event.ts";
import type { Role } from "../domain/identity.ts";
import type { ProcessAccount } from "./accounting.ts";

/** The fixed unprivileged identity inside every sandbox, far from any host user. */
export const sandboxOwner = { uid: 10001, gid: 10001 } as const;

/** One host directory made visible in a sandbox. */
export interface SandboxMount {
  source: string;
  target: string;
  writable: boolean;
}

export interface SandboxSpec {
  /** `s-` and 16 base-32 characters. */
  id: string;
  /** The host instance it belongs to: what a sweep looks for. */
  host: string;
  role: Role;
  /** Image id, `sha256:…`; never a tag. */
  image: string;
  /** Argument vector, run below the entry program. */
  command: readonly string[];
  environment: Readonly<Record<string, string>>;
  directory: string;
  mounts: readonly SandboxMount[];
  runtime: string;
  cpus: number;
  /** Bytes, without swap. */
  memory: number;
  pids: number;
  /** Largest single file, in bytes. */
  fileSize: number;
  /** Milliseconds until it is ended. */
  wall: number;
  /** Bytes it may print before it is ended. */
  output: number;
  /** Called with what it prints, as it comes. */
  onOutput?: (chunk: Buffer) => void;
}

export interface SandboxOutput {
  /** All bytes that were printed (up to the end). */
  bytes: number;
  /** SHA-256 over them. */
  digest: string;
  /** The first and the last bytes, at most 64 KiB each. */
  head: Buffer;
  tail: Buffer;
}

export interface SandboxResult {
  end: SandboxEnd;
  exit: number | null;
  milliseconds: number;
  output: SandboxOutput;
  /** What ran in it, by the host's kernel; left out where nobody was asked to look. */
  processes?: ProcessAccount;
}

/** The controls that were read back from the engine and the kernel, by name. */
export type Controls = Record<string, string | number | boolean | string[]>;

export interface Sandbox {
  readonly id: string;
  /** Host pid of the sandbox's init. */
  readonly pid: number;
  readonly controls: Controls;
  /** Milliseconds of processor time it has used, where the kernel tells. */
  cpuTime?(): Promise<number | undefined>;
  /** Settles when the last process is gone and the sandbox is removed. Never rejects. */
  readonly done: Promise<SandboxResult>;
  /** Ends it now; `done` follows. Later calls change nothing. */
  end(reason: SandboxEnd): void;
}

export interface SandboxEngine {
  readonly name: string;
  /**
   * Creates, checks and starts a sandbox. The controls are read back from what the engine made before the command
   * starts, and from the kernel after; a control that is not in force ends it with `control-missing`.
   */
  start(spec: SandboxSpec): Promise<Sandbox>;
  /** Removes every sandbox of a host instance (all instances of a state directory share it). Returns their ids. */
  sweep(host: string): Promise<string[]>;
}
