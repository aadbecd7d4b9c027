/** Draining: nothing new is admitted, what runs may end, what waits stays in the ledger for the next start. */
import { SallyportError } from "../domain/error.ts";
import type { Lanes } from "./lanes.ts";
import type { Log } from "./log.ts";

export interface Drain {
  /** Whether it has begun; it is not taken back. */
  readonly begun: boolean;
  /** Begins it; resolves with what still runs when nothing does, or after so many milliseconds. */
  begin(milliseconds: number): Promise<string[]>;
  /** Begins it, and ends the daemon after it. Returns at once. */
  thenEnd(milliseconds: number): void;
  /** Throws `host-draining` once it has begun. */
  refuse(): void;
}

/** How often it is looked whether something still runs. */
const lookMilliseconds = 100;

/** `end` ends the daemon; `busy` names what runs beside the lanes, such as landings. */
export function openDrain(options: {
  lanes: Pick<Lanes, "pause" | "status">;
  busy: () => readonly string[];
  end: (reason: string) => void;
  log: Log;
}): Drain {
  const { lanes, busy, end, log } = options;
  let begun = false;
  const running = () => [...lanes.status().running, ...busy()];
  const begin = async (milliseconds: number): Promise<string[]> => {
    if (!begun) log.info({ running: running(), waiting: lanes.status().waiting.length }, "draining");
    begun = true;
    lanes.pause();
    const until = performance.now() + milliseconds;
    while (running().length > 0 && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, lookMilliseconds));
    const left = running();
    if (left.length > 0) log.warn({ left }, "still running at the end of the drain: they go on at the next start");
    return left;
  };
  return {
    get begun() {
      return begun;
    },
    begin,
    thenEnd(milliseconds) {
      void begin(milliseconds).then((left) => end(left.length === 0 ? "drained" : "drained in part"));
    },
    refuse() {
      if (begun)
        throw new SallyportError("host-draining", "the daemon is ending: it takes nothing new", {
          next: "Send it again when the daemon is up again; what runs and what waits is not lost.",
        });
    },
  };
}
