/** What ran in a sandbox, as the ledger has it. Pure. */
import type { EventData } from "../domain/event.ts";
import type { ProcessAccount } from "./accounting.ts";

/** The event of one sandbox. */
export function processEvent(sandbox: string, account: ProcessAccount): EventData<"sandbox.processes"> {
  const { from, whole, gap, total = 0, dropped = 0, digest, names = [], rows = [] } = account;
  return {
    sandbox,
    by: "kernel",
    ...(from === undefined ? {} : { from }),
    whole,
    total,
    dropped,
    ...(digest === undefined ? {} : { digest }),
    names,
    processes: rows,
    ...(gap === undefined ? {} : { gap }),
  };
}
