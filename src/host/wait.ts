/** Waiting on the ledger: until something is so, or line by line. */
import type { Entry } from "../domain/event.ts";
import type { Ledger } from "../ledger/open.ts";

/** Resolves when `holds` does, looked at after every line that `matches`, or when the seconds are over. */
export async function waitUntil(
  ledger: Ledger,
  matches: (entry: Entry) => boolean,
  holds: () => boolean,
  seconds: number,
): Promise<void> {
  if (holds()) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(finish, seconds * 1000);
    const unsubscribe = ledger.subscribe((entry) => {
      if (matches(entry) && holds()) finish();
    });
    function finish() {
      clearTimeout(timer);
      unsubscribe();
      resolve();
    }
  });
}

/** Lines that may wait for a reader; more are left to be read from disk. */
const mostQueued = 1000;

/**
 * Lines of the ledger as JSON text: those there are, then those that come, until `ends` holds with none left. A reader that
 * is slow costs no more than a bounded queue: what did not fit is read again from the ledger when it gets there.
 */
export async function* followLog(
  ledger: Ledger,
  which: { from: number; delegation?: string; matches: (entry: Entry) => boolean },
  ends: () => boolean,
): AsyncGenerator<string> {
  const { from, delegation, matches } = which;
  let queue: Entry[] = [];
  let behind = true;
  let wake: (() => void) | undefined;
  const unsubscribe = ledger.subscribe((entry) => {
    if (!matches(entry)) return;
    if (queue.length >= mostQueued) {
      queue = [];
      behind = true;
    }
    queue.push(entry);
    wake?.();
  });
  try {
    let last = from - 1;
    for (;;) {
      if (behind) {
        behind = false;
        for await (const entry of ledger.read({ from: last + 1, ...(delegation ? { delegation } : {}) })) {
          if (!matches(entry)) continue;
          last = entry.seq;
          yield `${JSON.stringify(entry)}\n`;
        }
      }
      for (let entry = queue.shift(); entry && !behind; entry = queue.shift()) {
        if (entry.seq <= last) continue;
        last = entry.seq;
        yield `${JSON.stringify(entry)}\n`;
      }
      if (behind || queue.length > 0) continue;
      if (ends()) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    unsubscribe();
  }
}
