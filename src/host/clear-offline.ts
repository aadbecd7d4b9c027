/** Clearing away without a daemon: under the state's lock, with the ledger opened as the daemon opens it. */

import type { ClearAnswer } from "../domain/operations.ts";
import { loadHostKey } from "../gate/keys.ts";
import { openLedger } from "../ledger/open.ts";
import { connectEngine } from "../sandbox/connect.ts";
import { clearAway } from "./clear.ts";
import { olderThan } from "./clearing.ts";
import { loadConfig } from "./config.ts";
import { makeStateDirectory, type StateDirectory } from "./state-directory.ts";
import { checkStateFormat } from "./state-format.ts";
import { lockState } from "./state-lock.ts";
import { openStore } from "./store.ts";

/** Throws `host-busy` where a daemon has the state. */
export async function clearOffline(
  state: StateDirectory,
  dryRun: boolean,
  older: number | undefined,
): Promise<ClearAnswer> {
  await makeStateDirectory(state);
  const config = await loadConfig(state);
  const release = await lockState(state);
  try {
    await checkStateFormat(state);
    const docker = await connectEngine();
    const key = await loadHostKey(state.keys);
    const ledger = await openLedger({
      directory: state.ledger,
      now: () => new Date(),
      sign: (bytes) => ({ keyid: key.keyid, signature: key.sign(bytes).toString("base64") }),
    });
    try {
      const fault = (error: unknown) => {
        throw error;
      };
      const store = await openStore(ledger, fault, fault);
      const append = (event: Parameters<typeof store.append>[0]) => store.append(event);
      const parts = { state, store, append, docker, running: () => [], now: () => new Date() };
      return await clearAway(parts, olderThan(config.retention, older), dryRun);
    } finally {
      await ledger.close();
    }
  } finally {
    await release();
  }
}
