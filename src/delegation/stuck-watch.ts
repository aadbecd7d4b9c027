/**
 * Watches one executor's turn: what it prints, what the ledger says of its requests, and a look at its layer and its
 * processor time every so often. What a detector finds is in the ledger before the sandbox is ended.
 */
import type { Entry } from "../domain/event.ts";
import type { StuckThresholds } from "../domain/stuck.ts";
import type { RoleWatch } from "../sandbox/role-run.ts";
import { type Detection, detectStuck } from "./stuck-detect.ts";
import { noSights, type Sight, shortestWait, withSight } from "./stuck-sights.ts";

export interface StuckWatch {
  /** What the sandbox's runner tells. */
  watch: RoleWatch;
  /** Ends the watching; resolves with what was found, once that is durable. Throws what its recording threw. */
  end(): Promise<Detection | undefined>;
}

/** Milliseconds between two looks: a tenth of the shortest wait, within these. */
const oftenest = 100;
const seldomest = 5000;

/** What one entry of the ledger shows of the executor. */
export function sightOf(entry: Entry): Sight | undefined {
  switch (entry.type) {
    case "request": {
      const { decision, method, url, code, rule, status } = entry.data;
      return {
        is: "request",
        allowed: decision === "allow",
        request: `${method} ${url}`,
        code,
        model: rule.startsWith("models."),
        ...(status === undefined ? {} : { status }),
      };
    }
    case "budget.reserved":
      return { is: "asked", reservation: entry.data.reservation, body: entry.data.body };
    case "budget.settled": {
      const { reservation, usage } = entry.data;
      // What a cache gave is the same once more; what nobody knows is counted by the request.
      const tokens = usage ? usage.input + usage.cacheWrite + usage.output : 0;
      return { is: "answered", reservation, tokens };
    }
    case "verb":
      return { is: "verb" };
    default:
      return undefined;
  }
}

/** Begins to watch. `found` records the detection; when it is durable `endSandbox` is called. */
export function watchStuck(options: {
  thresholds: StuckThresholds;
  /** The layer's fingerprint. */
  look: () => Promise<string>;
  /** Calls back with every durable entry of this delegation; gives the way to stop it. */
  subscribe: (listener: (entry: Entry) => void) => () => void;
  found: (sandbox: string, detection: Detection) => Promise<void>;
  endSandbox: () => void;
  /** Milliseconds of a clock that only goes forward. */
  clock: () => number;
}): StuckWatch {
  const { thresholds, clock } = options;
  let sights = noSights(clock());
  let sandbox: Parameters<RoleWatch["started"]>[0] | undefined;
  let detection: Detection | undefined;
  let recorded: Promise<void> | undefined;
  let over = false;

  const look = async () => {
    const [layer, cpu] = await Promise.all([options.look(), sandbox?.cpuTime?.()]);
    if (!over && !detection) sights = withSight(sights, { is: "look", layer, cpu }, clock());
  };
  // The layer may have changed since it was looked at last: nobody is ended on an old look.
  let confirming = false;
  const judge = async () => {
    if (over || detection || confirming || !sandbox || !detectStuck(sights, thresholds, clock())) return;
    confirming = true;
    await look().catch(() => {});
    confirming = false;
    const found = over || detection ? undefined : detectStuck(sights, thresholds, clock());
    if (!found) return;
    detection = found;
    // Whether it could be recorded or not, the sandbox ends: the error is told by `end`.
    recorded = options.found(sandbox.id, found).finally(options.endSandbox);
    recorded.catch(() => {});
  };
  const see = (sight: Sight) => {
    if (over || detection) return;
    sights = withSight(sights, sight, clock());
    void judge();
  };
  const unsubscribe = options.subscribe((entry) => {
    const sight = sightOf(entry);
    if (sight) see(sight);
  });

  let timer: NodeJS.Timeout | undefined;
  const every = Math.min(seldomest, Math.max(oftenest, (shortestWait(thresholds) ?? Number.POSITIVE_INFINITY) / 10));
  const turn = async () => {
    // The layer may be on its way out: what was not seen counts for nothing.
    await look().catch(() => {});
    await judge();
    if (!over && !detection) timer = setTimeout(turn, every);
  };

  return {
    watch: {
      started(started) {
        sandbox = started;
        // The wait begins when there is somebody to wait for.
        sights = { ...sights, began: clock(), active: clock() };
        if (!over) void turn();
      },
      printed: () => see({ is: "output" }),
      upstream: (reservation) => see({ is: "upstream", reservation }),
    },
    async end() {
      over = true;
      clearTimeout(timer);
      unsubscribe();
      await recorded;
      return detection;
    },
  };
}
