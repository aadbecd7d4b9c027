/**
 * The queue of landings: for each target one at a time, in the order in which they were asked for. Asking is in the
 * ledger, so that a restart goes on with what waits; other targets are not held up by a long test.
 */
import {
  approvedOnly,
  type Landed,
  landDelegation,
  refusePart,
  settleLanding,
  verifyAgain,
} from "../delegation/decide.ts";
import { LedgerGone } from "../delegation/loop.ts";
import type { LandTools } from "../delegation/prepare-landing.ts";
import type { StopReason } from "../delegation/tools.ts";
import { asSallyportError, SallyportError } from "../domain/error.ts";
import type { HouseSecrets } from "./house-secrets.ts";
import type { Log } from "./log.ts";
import type { Store } from "./store.ts";

export interface Landings {
  /** Lands an approved delegation when its turn comes. Asked again while it waits, the answer is the same. */
  land(id: string, ref: string): Promise<Landed>;
  /** Has an approved delegation verified anew, in the same order. */
  verify(id: string, ref: string): Promise<Verified>;
  /** Takes a landing out of the queue, or ends it before its branch moves; resolves when nothing of it runs. False: there is none. */
  cancel(id: string): Promise<boolean>;
  /** After a start: settles what a crash cut, and takes up what waits. */
  resume(): Promise<void>;
  /** What is under way and what waits, by target. */
  status(): { id: string; ref: string; waiting: boolean }[];
  /** Ends what runs and takes no more; what is in the ledger goes on after the next start. */
  close(): Promise<void>;
}

type Verified = Awaited<ReturnType<typeof verifyAgain>>;

interface Turn {
  id: string;
  ref: string;
  kind: "land" | "verify";
  abort: AbortController;
  done: PromiseWithResolvers<Landed | Verified>;
  running: boolean;
}

interface Parts {
  store: Store;
  tools: LandTools;
  secrets: Pick<HouseSecrets, "hold" | "release">;
  /** Resolves when the lane that ran a delegation has let go of it. */
  rested(id: string): Promise<void>;
  log: Log;
  /** How many sandboxes all landings may have at once. */
  sandboxes: number;
}

/** Opens an empty queue. */
export function openLandings(parts: Parts): Landings {
  const { store, secrets, log } = parts;
  const tools: LandTools = { ...parts.tools, runRole: atMost(parts.sandboxes, parts.tools.runRole) };
  const turns = new Map<string, Turn>();
  const queues = new Map<string, Turn[]>();
  const running = new Set<Promise<void>>();
  const targets = new Map<string, Promise<string>>();
  let entering: Promise<unknown> = Promise.resolve();
  let last = 0;
  let closed = false;

  /** One repository, whichever of its worktrees was named. */
  function repositoryOf(path: string): Promise<string> {
    const known = targets.get(path);
    if (known) return known;
    const found = tools.openRepository(path).then(({ gitDir }) => gitDir);
    targets.set(path, found);
    found.catch(() => targets.delete(path));
    return found;
  }

  /** Who comes first is decided here, one after the other. */
  function enter<T extends Landed | Verified>(id: string, ref: string, kind: Turn["kind"], again = false): Promise<T> {
    const there = turns.get(id);
    if (there?.ref === ref && there.kind === kind) return there.done.promise as Promise<T>;
    if (there) throw refused(id, `waits to be ${there.kind === "land" ? "landed on" : "verified for"} ${there.ref}`);
    if (closed) throw shuttingDown(id);
    refusePart(store.record(id));
    approvedOnly(store.record(id));
    const turn: Turn = {
      id,
      ref,
      kind,
      abort: new AbortController(),
      done: Promise.withResolvers(),
      running: false,
    };
    turn.done.promise.catch(() => {});
    turns.set(id, turn);
    entering = entering
      .then(async () => {
        const key = `${await repositoryOf(store.record(id).repository)}\0${ref}`;
        const queue = queues.get(key) ?? [];
        last = Math.max(last, store.record(id).asked?.turn ?? 0);
        if (kind === "land" && !again) {
          last += 1;
          const after = queue.map((one) => one.id);
          await tools.append({ type: "landing.asked", delegation: id, data: { ref, turn: last, after } });
        }
        if (turn.abort.signal.aborted) throw turn.abort.signal.reason;
        queue.push(turn);
        queues.set(key, queue);
        if (queue.length === 1) follow(key, queue);
      })
      .catch((error: unknown) => finish(turn, error));
    return turn.done.promise as Promise<T>;
  }

  function follow(key: string, queue: Turn[]): void {
    const work = (async () => {
      for (let turn = queue[0]; turn; turn = queue[0]) {
        if (closed) return;
        turn.running = true;
        await take(turn);
        queue.shift();
      }
      queues.delete(key);
    })();
    running.add(work);
    void work.finally(() => running.delete(work));
  }

  async function take(turn: Turn): Promise<void> {
    const { id, ref, kind, abort } = turn;
    try {
      abort.signal.throwIfAborted();
      await parts.rested(id);
      await secrets.hold(id, store.record(id).policy);
      try {
        const work = kind === "land" ? landDelegation : verifyAgain;
        turn.done.resolve(await work(id, ref, tools, abort.signal));
        turns.delete(id);
      } finally {
        secrets.release(id);
      }
    } catch (error) {
      await finish(turn, error);
    }
  }

  /** A landing that came to nothing. It is written down, unless the host ends: then it waits for the next start. */
  async function finish(turn: Turn, thrown: unknown): Promise<void> {
    const { id, abort } = turn;
    const why = abort.signal.aborted ? (abort.signal.reason as StopReason) : undefined;
    const error =
      why === "shutdown"
        ? shuttingDown(id)
        : why
          ? refused(id, "was taken out of the queue")
          : asSallyportError(thrown);
    try {
      if (why === undefined && !(thrown instanceof LedgerGone) && store.record(id).asked) {
        const message = error.message.slice(0, 8000).toWellFormed();
        await tools.append({ type: "landing.refused", delegation: id, data: { code: error.code, message } });
      }
    } catch (failure) {
      if (!(failure instanceof LedgerGone)) log.error({ delegation: id, err: failure }, "a refusal was not recorded");
    }
    turns.delete(id);
    turn.done.reject(error);
  }

  return {
    land: async (id, ref) => enter<Landed>(id, ref, "land"),
    verify: async (id, ref) => enter<Verified>(id, ref, "verify"),
    async cancel(id) {
      const turn = turns.get(id);
      if (!turn) return false;
      turn.abort.abort("discarded" satisfies StopReason);
      if (!turn.running) {
        for (const queue of queues.values()) {
          const at = queue.indexOf(turn);
          if (at > 0) queue.splice(at, 1);
        }
        await entering;
        await finish(turn, undefined);
      }
      await turn.done.promise.catch(() => {});
      return true;
    },
    async resume() {
      const waiting = store.list().filter((record) => record.state === "approved" && record.asked);
      waiting.sort((a, b) => (a.asked?.turn ?? 0) - (b.asked?.turn ?? 0));
      for (const { id, asked, intent } of waiting) {
        try {
          // What the branch shows is recorded before anybody is answered.
          if (intent) await settleLanding(store.record(id), tools);
          if (asked && store.record(id).state === "approved") {
            enter(id, asked.ref, "land", true).catch((error: unknown) =>
              log.warn({ delegation: id, err: error }, "a landing that waited came to nothing"),
            );
          }
        } catch (error) {
          log.error({ delegation: id, err: error }, "a landing is not resumed");
        }
      }
    },
    status: () => [...turns.values()].map((turn) => ({ id: turn.id, ref: turn.ref, waiting: !turn.running })),
    async close() {
      closed = true;
      const all = [...turns.values()];
      for (const { abort } of all) abort.abort("shutdown" satisfies StopReason);
      await Promise.allSettled([entering, ...running]);
      for (const turn of all) turn.done.reject(shuttingDown(turn.id));
    },
  };
}

const refused = (id: string, found: string) =>
  new SallyportError("state-refused", `${id} ${found}`, { next: `See \`sallyport show ${id}\`.` });

const shuttingDown = (id: string) =>
  new SallyportError("host-unreachable", `the daemon is ending; what was asked to land goes on after its next start`, {
    next: `Start the daemon, then look: \`sallyport show ${id}\`.`,
  });

/** The same work, so many at once; the others wait in order. */
function atMost<A extends unknown[], R>(most: number, work: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
  let free = most;
  const waiting: (() => void)[] = [];
  return async (...args) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work(...args);
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
