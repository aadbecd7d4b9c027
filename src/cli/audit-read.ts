/** `audit show` and `audit tail`: the ledger's entries, verified as they are read. */
import { once } from "node:events";
import { exitCode } from "../domain/error.ts";
import type { Entry } from "../domain/event.ts";
import { visible, visibleJson } from "../domain/visible.ts";
import { entryFilter } from "../host/audit/filter.ts";
import { cursorBefore, readOn } from "../ledger/follow.ts";
import {
  brokenLedger,
  durableHead,
  type FilterFlags,
  filterOf,
  liveHead,
  numberOf,
  readVerified,
} from "./audit-ledger.ts";
import { done, explain, type Globals } from "./context.ts";
import { entryLine } from "./entry-line.ts";

/** How often a follower looks for more, in milliseconds. */
const interval = 300;

/** Writes, and waits where the reader is slower: nothing piles up in memory. */
export async function emit(text: string | Uint8Array): Promise<void> {
  if (text.length > 0 && !process.stdout.write(text)) await once(process.stdout, "drain");
}

/** An entry on a line of its own (or more, for people), as it is printed. */
const shown = (entry: Entry, json: boolean) => `${json ? visibleJson(JSON.stringify(entry)) : entryLine(entry)}\n`;

/** To standard error, so that what is piped on is entries alone. */
const remark = (line: string) => process.stderr.write(`${visible(line)}\n`);

export async function show({ state, json }: Globals, flags: FilterFlags): Promise<number> {
  const { limit, ...wanted } = filterOf(flags);
  const passes = entryFilter(wanted);
  let count = 0;
  let seq = 0;
  let hash = "";
  const result = await readVerified(state, async (lines) => {
    let text = "";
    for (const { entry } of lines) {
      ({ seq, hash } = entry);
      if (!passes(entry)) continue;
      text += shown(entry, json);
      count += 1;
      if (count >= limit) break;
    }
    await emit(text);
    return count >= limit;
  });
  const upTo = seq === 0 ? "the ledger is empty" : `verified up to ${seq}:${hash}`;
  if (result === undefined) remark(`${count} shown, the limit; ${upTo}`);
  else if (result.ok) remark(`${count} of ${result.lines} entries shown; ${upTo}, the ledger's head`);
  else {
    const error = brokenLedger(result);
    if (json) await emit(`${visibleJson(JSON.stringify({ error }))}\n`);
    else explain(error, false);
    remark(`${count} shown; ${seq === 0 ? "no line holds" : upTo}, and nothing after it can be believed`);
    return exitCode.rejected;
  }
  return done;
}

export async function tail(
  { state, json }: Globals,
  flags: FilterFlags & { lines: string; follow?: boolean },
): Promise<number> {
  const { limit, ...wanted } = filterOf(flags);
  const passes = entryFilter(wanted);
  const last = numberOf("--lines", flags.lines);
  const head = await durableHead(state);
  const from = Math.max(1, head.seq + 1 - last);
  const cursor = await cursorBefore(state.ledger, from);
  const stopped = stopSignal();
  let count = 0;
  const read = async (upTo: number | undefined) => {
    for await (const entry of readOn(state.ledger, cursor, upTo)) {
      if (stopped.aborted || count >= limit) return;
      // Those before were read for the filter to know their parts.
      if (!passes(entry) || entry.seq < from) continue;
      await emit(shown(entry, json));
      count += 1;
    }
  };
  await read(head.seq);
  while (flags.follow && !stopped.aborted && count < limit) {
    await pause(stopped);
    // What a daemon has written and not yet made durable is not shown. Without one, every finished line counts.
    if (!stopped.aborted) await read((await liveHead(state))?.seq);
  }
  return done;
}

/** Aborted by the first Ctrl-C, SIGTERM or hang-up: what was begun is finished, and the exit code is that of success. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => controller.abort());
  return controller.signal;
}

async function pause(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, interval);
  const end = () => resolve();
  signal.addEventListener("abort", end, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", end);
}
