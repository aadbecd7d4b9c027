/** Lanes: a fixed number of delegations run at once, the others wait in order. */

import type { StopReason } from "../delegation/tools.ts";
import { SallyportError } from "../domain/error.ts";

export interface Lanes {
  /** Takes a delegation up when a lane is free. Throws `queue-full`. */
  enqueue(id: string): void;
  /** Whether another one would be taken. */
  hasRoom(): boolean;
  /** Ends a running delegation, or takes a waiting one out; resolves when it rests. False when it is neither. */
  stop(id: string, reason: StopReason): Promise<boolean>;
  /** Resolves when no lane runs it. */
  rested(id: string): Promise<void>;
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

  const next = () => {
    if (draining || free.length === 0 || waiting.length === 0) return;
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
    async drain() {
      draining = true;
      waiting.length = 0;
      for (const { abort } of running.values()) abort.abort("shutdown" satisfies StopReason);
      await Promise.all([...running.values()].map((entry) => entry.done));
    },
    status: () => ({ lanes: options.lanes, running: [...running.keys()], waiting: [...waiting] }),
  };
}
