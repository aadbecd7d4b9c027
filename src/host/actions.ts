/** Actions at work: each with its own secrets held, one at a time for a delegation, and none beside its landing. */
import { type Acted, type ActTools, act, actionOf, closeActions } from "../delegation/act.ts";
import type { StopReason } from "../delegation/tools.ts";
import { SallyportError } from "../domain/error.ts";
import type { HouseSecrets } from "./house-secrets.ts";
import type { Store } from "./store.ts";

export interface Actions {
  /** Does an action of the delegation's policy. Errors: those of `act`, `secret-unavailable`. */
  act(id: string, name: string, again: boolean): Promise<Acted>;
  /** Resolves when no action of a delegation runs. */
  rested(id: string): Promise<void>;
  /** After a start: what a crash cut has an end that nobody saw. */
  resume(): Promise<void>;
  /** Ends what runs and takes no more. */
  close(): Promise<void>;
}

/** Opens it; nothing runs yet. */
export function openActions(parts: {
  store: Store;
  tools: ActTools;
  secrets: Pick<HouseSecrets, "hold" | "release">;
  /** Whether a delegation is being landed or verified. */
  isLanding(id: string): boolean;
}): Actions {
  const { store, tools, secrets } = parts;
  const running = new Map<string, Promise<unknown>>();
  const ending = new AbortController();

  async function run(id: string, name: string, again: boolean): Promise<Acted> {
    const record = store.record(id);
    const { network = [], secrets: own = {} } = actionOf(record, name);
    // Its own and no others; the executor, the tester and the verifier never had them.
    await secrets.hold(id, { ...record.policy, network, models: {}, secrets: own });
    try {
      return await act(id, name, again, tools, ending.signal);
    } finally {
      secrets.release(id);
    }
  }

  return {
    async act(id, name, again) {
      const refused = (found: string, next: string) =>
        new SallyportError("action-refused", `${name}: ${found}`, { next });
      if (ending.signal.aborted) throw refused("the daemon is ending", "Ask again after its next start.");
      if (running.has(id)) throw refused(`${id} has an action under way`, "Wait for its end.");
      if (parts.isLanding(id)) throw refused(`${id} is being landed or verified`, "Wait until that is over.");
      const work = run(id, name, again).finally(() => running.delete(id));
      running.set(id, work);
      return work;
    },
    rested: async (id) => void (await running.get(id)?.catch(() => {})),
    async resume() {
      for (const record of store.list()) await closeActions(record, tools);
    },
    async close() {
      ending.abort("shutdown" satisfies StopReason);
      await Promise.allSettled(running.values());
    },
  };
}
