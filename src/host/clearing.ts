/** When retention is looked at: as often as the configuration says, and when the operator asks; one at a time. */
import type { RetentionConfig } from "../domain/config.ts";
import type { ClearAnswer } from "../domain/operations.ts";
import { showSize } from "../domain/units.ts";
import { type ClearParts, clearAway } from "./clear.ts";
import type { Log } from "./log.ts";

export interface Clearing {
  /** Clears now; `older` (milliseconds) takes the place of each time of the configuration. */
  now(dryRun: boolean, older?: number): Promise<ClearAnswer>;
  /** Begins no more; resolves when the one that runs is done. */
  close(): Promise<void>;
}

/** The longest that a timer can wait. */
const longest = 2 ** 31 - 1;

/** With one time for each: what the configuration keeps for good (0) stays kept. */
export function olderThan(retention: RetentionConfig, older: number | undefined): RetentionConfig {
  const set = (time: number) => (time === 0 || older === undefined ? time : older);
  const { every, trees, proposals, images } = retention;
  return { every, trees: set(trees), proposals: set(proposals), images: set(images) };
}

export function openClearing(parts: ClearParts, retention: RetentionConfig, log: Log): Clearing {
  let last: Promise<unknown> = Promise.resolve();
  let closed = false;
  const now = (dryRun: boolean, older?: number): Promise<ClearAnswer> => {
    const turn = last.then(() => clearAway(parts, olderThan(retention, older), dryRun));
    last = turn.catch(() => {});
    return turn;
  };
  const timer =
    retention.every === 0
      ? undefined
      : setInterval(
          () => {
            if (closed) return;
            now(false).then(
              (done) => log.info({ ...done, bytes: undefined }, `cleared away ${showSize(done.bytes)}`),
              (error: unknown) => log.error({ err: error }, "nothing was cleared away"),
            );
          },
          Math.min(retention.every, longest),
        );
  timer?.unref();
  return {
    now,
    async close() {
      closed = true;
      clearInterval(timer);
      await last;
    },
  };
}
