/** Lanes: a fixed number of delegations run at once, the others wait in order. */

import type { StopReason } from "../delegation/tools.ts";
import { SallyportError } from "../domain/error.ts";

export interface Lanes {
  /** Takes a delegation up when a lane is free. Throws `queue-full`. */
  enqueue(id: string): void;
  /** Whether another one would be taken. */
  hasRoom(): boolean;
  /**
   * Lends the lane of a running delegation that waits for the gate to the canaries in the queue, so that those can run while
   * every lane is held. Returns the way to take it back, which resolves when no canary is on it.
   */
  lend(id: string): () => Promise<void>;
  /** Ends a running delegation, or takes a waiting one out; resolves when it rests. False when it is neither. */
  stop(id: string, reason: StopReason): Promise<boolean>;
  /** Resolves when no lane runs it. */
  rested(id: string): Promise<void>;
  /** Begins nothing more; what runs goes on, and what comes waits. */
  pause(): void;
  /** Ends all and takes no more. */
  drain(): Promise<void>;
  status(): { lanes: number; running: string[]; waiting: string[] };
}

export function openLanes(options: {
  lanes: number;
  queue: number;
  run: (id: string, lane: number, signal: AbortSignal) => Promise<void>;
  onError: (id: string, error: unknown) => void;
}): Lanes {
  const waiting: string[] = [];
  const running = new Map<string, { lane: number; abort: AbortController; done: Promise<void> }>();
  const free = Array.from({ length: options.lanes }, (_, lane) => lane);
  let draining = false;
  let paused = false;
  /** By the delegation that lends: whether a canary is on its lane now. */
  const lent = new Map<string, Promise<void> | undefined>();

  const nextOnLent = () => {
    for (const [lender, busy] of lent) {
      const at = waiting.findIndex((id) => id.startsWith("c-"));
      if (at < 0) return;
      if (busy) continue;
      const [id = ""] = waiting.splice(at, 1);
      const abort = new AbortController();
      const lane = running.get(lender)?.lane ?? 0;
      const done = options
        .run(id, lane, abort.signal)
        .catch((error: unknown) => options.onError(id, error))
        .finally(() => {
          running.delete(id);
          if (lent.has(lender)) lent.set(lender, undefined);
          next();
        });
      lent.set(lender, done);
      running.set(id, { lane, abort, done });
    }
  };

  const next = () => {
    if (draining || paused || waiting.length === 0) return;
    if (free.length === 0) return nextOnLent();
    const lane = free.shift() ?? 0;
    const id = waiting.shift() ?? "";
    const abort = new AbortController();
    const done = options
      .run(id, lane, abort.signal)
      .catch((error: unknown) => options.onError(id, error))
      .finally(() => {
        running.delete(id);
        free.push(lane);
        next();
      });
    running.set(id, { lane, abort, done });
    next();
  };

  const hasRoom = () => !draining && waiting.length < options.queue + free.length;
  return {
    hasRoom,
    enqueue(id) {
      if (!hasRoom()) {
        throw new SallyportError("queue-full", `${waiting.length} delegations wait already`, {
          next: "Try again later, or raise `queue` in config.yaml.",
        });
      }
      waiting.push(id);
      queueMicrotask(next);
    },
    lend(id) {
      lent.set(id, undefined);
      next();
      return async () => {
        const busy = lent.get(id);
        lent.delete(id);
        await busy;
      };
    },
    async stop(id, reason) {
      const at = waiting.indexOf(id);
      if (at >= 0) {
        waiting.splice(at, 1);
        return true;
      }
      const entry = running.get(id);
      entry?.abort.abort(reason);
      await entry?.done;
      return entry !== undefined;
    },
    rested: async (id) => running.get(id)?.done,
    pause() {
      paused = true;
    },
    async drain() {
      draining = true;
      waiting.length = 0;
      for (const { abort } of running.values()) abort.abort("shutdown" satisfies StopReason);
      await Promise.all([...running.values()].map((entry) => entry.done));
    },
    status: () => ({ lanes: options.lanes, running: [...running.keys()], waiting: [...waiting] }),
  };
}
