/** What the loop needs of the world: all effects, injected by the host. */
import type { Delegation } from "../domain/delegation.ts";
import type { Entry, Event } from "../domain/event.ts";
import type { HarnessFile } from "../domain/harness.ts";
import type { HostKey } from "../gate/keys.ts";
import type { BaselineCache } from "../gate/tester.ts";
import type { RunRole } from "../sandbox/role-run.ts";
import type { HostRepository } from "../worktree/host-repository.ts";
import type { Quarantine } from "../worktree/quarantine.ts";
import type { Escalate } from "./dossier.ts";
import type { GateWatch } from "./hold.ts";

export interface LoopTools {
  /** The record as the ledger tells it now. */
  record(id: string): Delegation;
  /** Checked against the state, then durable, then folded in (write-ahead). */
  append(event: Event): Promise<Entry>;
  /** Not waited for. */
  note(event: Event): void;
  /** Every durable entry from now on, in order; gives the way to stop it. */
  subscribe(listener: (entry: Entry) => void): () => void;
  /** Every delegation, as the ledger tells it now. */
  delegations(): readonly Delegation[];
  /** Hands the dossier of a stuck delegation to its planner harness. Left out: there is none. */
  escalate?: Escalate;
  /** Whether verdicts are asked for and signed now. Left out: always. */
  gate?: GateWatch;
  runRole: RunRole;
  loadHarness(name: string): Promise<HarnessFile>;
  openRepository(path: string): Promise<HostRepository>;
  openQuarantine(repository: HostRepository): Promise<Quarantine>;
  directories: { trees: string; lanes: string };
  baselines: BaselineCache;
  key: HostKey;
  now(): Date;
  /** What the gateway knows of the secrets' values: whether there are any, a text without them, and which bytes hold. */
  secrets: { known(): boolean; mask(text: string): Promise<string>; contains(bytes: Buffer): Promise<string[]> };
}

/** Why a loop is told to end from outside. */
export type StopReason = "discarded" | "shutdown";
