/**
 * One role's turn in a sandbox, as the gate and the loop ask for it. The host composes it out of the engine, the
 * gateway and the ledger, and injects it: neither of the three knows the others.
 */
import type { BudgetAccount } from "../domain/budget.ts";
import type { VerbDenial } from "../domain/denial.ts";
import type { ErrorCode } from "../domain/error.ts";
import type { Role } from "../domain/identity.ts";
import type { ModelRoute, NetworkRule, SecretBinding } from "../domain/policy.ts";
import type { Sandbox, SandboxMount, SandboxResult } from "./engine.ts";

/** What a verb answers to the harness. */
export interface VerbAnswer {
  status: number;
  body:
    | { ok: true; plan?: string; warnings?: readonly string[] }
    /** A plan is refused with the code of the error that it met. */
    | { code: VerbDenial | ErrorCode; next: string; problem?: string; problems?: readonly object[] };
}

/** The sandbox's one way out. Without it a sandbox has no socket at all. */
export interface RoleLane {
  network: readonly NetworkRule[];
  models: Readonly<Record<string, ModelRoute>>;
  requests: number;
  /** What its requests to models count on, beside the accounts of its delegation. */
  accounts?: readonly BudgetAccount[];
  verbs: Readonly<Record<string, (body: unknown) => Promise<VerbAnswer>>>;
  /** The policy's; a lane gets those that its rules and routes name. Never a value. */
  secrets: Readonly<Record<string, SecretBinding>>;
}

/** Whoever watches a turn while it runs. */
export interface RoleWatch {
  /** The sandbox runs. */
  started(sandbox: Pick<Sandbox, "id" | "cpuTime">): void;
  /** It printed something. */
  printed(): void;
  /** Bytes come back of a request to a model. */
  upstream(reservation: string): void;
}

export interface RoleRun {
  delegation: string;
  attempt: number;
  role: Role;
  /** What this turn is for, as the ledger shows it: `execute`, `tests: as proposed`, `check A1.1`, `verify`. */
  purpose: string;
  image: string;
  command: readonly string[];
  environment: Readonly<Record<string, string>>;
  directory: string;
  mounts: readonly SandboxMount[];
  limits: { runtime: string; cpus: number; memory: number; pids: number; disk: number };
  /** Milliseconds. */
  wall: number;
  /** Bytes it may print. */
  output: number;
  lane?: RoleLane;
  watch?: RoleWatch;
  /** Aborting ends the sandbox as `stopped`. */
  signal: AbortSignal;
}

export interface RoleResult extends SandboxResult {
  sandbox: string;
  /** The cap of tokens or money that a request of its could not be within, where one was refused for that. */
  over?: string;
}

export type RunRole = (run: RoleRun) => Promise<RoleResult>;
