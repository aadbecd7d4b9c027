/** After a crash: what another instance left is taken away, and what the ledger says is unfinished goes on. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { resumeLanding } from "../delegation/decide.ts";
import { isHeld, isUnfinished } from "../delegation/reduce.ts";
import type { LoopTools } from "../delegation/tools.ts";
import type { SandboxEngine } from "../sandbox/engine.ts";
import { sweepBaseTrees } from "../worktree/base-tree.ts";
import { sweepMounts } from "../worktree/layer.ts";
import type { Log } from "./log.ts";
import type { StateDirectory } from "./state-directory.ts";
import type { Store } from "./store.ts";

/** Ends sandboxes and mounts of instances that are gone. The state lock is held, so no other instance lives. */
export async function sweepInstances(state: StateDirectory, engine: SandboxEngine, store: Store): Promise<void> {
  for (const instance of await readdir(state.lanes)) {
    const directory = join(state.lanes, instance);
    const sandboxes = await engine.sweep(instance);
    const mounts = await sweepMounts(directory);
    await rm(directory, { recursive: true, force: true });
    if (sandboxes.length + mounts.length > 0) {
      store.note({
        type: "recovered",
        data: { what: `instance ${instance}: ended ${sandboxes.length} sandboxes, ${mounts.length} mounts` },
      });
    }
  }
  for (const instance of await readdir(state.gateway))
    await rm(join(state.gateway, instance), { recursive: true, force: true });
  await sweepBaseTrees(state.trees);
}

/**
 * Brings every unfinished delegation to a state from which it can go on: an attempt that was cut ends as failed, what
 * it spent stands; a landing that was begun is looked up at its ref. Returns the ids that are to run.
 */
export async function recoverDelegations(store: Store, tools: LoopTools, log: Log): Promise<string[]> {
  const goOn: string[] = [];
  for (const record of store.list()) {
    // One that was asked for goes on in the queue.
    if (record.intent && record.state === "approved" && !record.asked) {
      await resumeLanding(record, tools).catch((error: unknown) =>
        log.error({ delegation: record.id, err: error }, "landing not resumed"),
      );
    }
    if (!isUnfinished(record)) continue;
    const running = record.attempts.at(-1);
    // One that was held for a closed gate goes on at its verifier: nothing of it was cut.
    if (running && !isHeld(record) && record.state !== "preparing" && record.state !== "accepted") {
      const data = { attempt: running.number, code: "internal", message: "cut by a crash of the host" };
      await store.append({ type: "attempt.failed", delegation: record.id, data });
    }
    goOn.push(record.id);
  }
  return goOn;
}
