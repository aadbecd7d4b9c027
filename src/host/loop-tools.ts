/** The loop's tools as the daemon has them, and a delegation's run with its secrets held. */
import type { LoopTools } from "../delegation/tools.ts";
import { asSallyportError } from "../domain/error.ts";
import type { HostKey } from "../gate/keys.ts";
import { loadHarness } from "../sandbox/images/harness.ts";
import { openHostRepository } from "../worktree/host-repository.ts";
import { openQuarantine } from "../worktree/quarantine.ts";
import { isMission } from "./admission.ts";
import { shippedImages } from "./config.ts";
import type { HouseSecrets } from "./house-secrets.ts";
import type { StateDirectory } from "./state-directory.ts";
import type { Store } from "./store.ts";

/** What the loop works with, over a state directory and the store. `run` runs a role; `lanes` is where lanes lie. */
export function loopTools(
  state: StateDirectory,
  store: Store,
  key: HostKey,
  run: LoopTools["runRole"],
  lanes: string,
  secrets: HouseSecrets,
): LoopTools {
  return {
    record: store.record,
    append: async (event) => store.append(await secrets.maskEvent(event)),
    secrets,
    note: store.note,
    subscribe: (listener) => store.ledger.subscribe(listener),
    delegations: store.list,
    // The plan's harness is asked as soon as the ledger says so; a brief of nobody's is a person's to mend.
    escalate: async ({ delegation }) => {
      const part = store.record(delegation).plan;
      const plan = part && store.findPlan(part.id);
      return plan?.mission !== undefined && part?.brief !== undefined && !plan.answered.includes(part.brief);
    },
    runRole: run,
    loadHarness: (name) => loadHarness(name, shippedImages),
    openRepository: openHostRepository,
    openQuarantine: (repository) => openQuarantine({ directory: state.quarantine, repository }),
    directories: { trees: state.trees, lanes },
    baselines: new Map(),
    key,
    now: () => new Date(),
  };
}

/** Runs a delegation, or a planner's turn, with its secrets held. It does not start without every one of them. */
export async function withSecrets(
  id: string,
  store: Store,
  secrets: HouseSecrets,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await secrets.hold(id, (isMission(id) ? store.mission(id) : store.record(id)).policy);
  } catch (error) {
    const { code, message: whole } = asSallyportError(error);
    const message = whole.slice(0, 4000).toWellFormed();
    if (isMission(id))
      await store.append({ type: "mission.ended", delegation: id, data: { state: "failed", message } });
    else await store.append({ type: "delegation.failed", delegation: id, data: { code, message } });
    secrets.release(id);
    return;
  }
  try {
    await run();
  } finally {
    secrets.release(id);
  }
}
