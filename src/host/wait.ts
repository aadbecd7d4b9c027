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

/** Lines of the ledger as JSON text: those there are, then those that come, until `ends` holds with none left. */
export async function* followLog(
  ledger: Ledger,
  which: { from: number; delegation?: string; matches: (entry: Entry) => boolean },
  ends: () => boolean,
): AsyncGenerator<string> {
  const queue: Entry[] = [];
  let wake: (() => void) | undefined;
  const unsubscribe = ledger.subscribe((entry) => {
    if (!which.matches(entry)) return;
    queue.push(entry);
    wake?.();
  });
  try {
    let last = which.from - 1;
    const { from, delegation } = which;
    for await (const entry of ledger.read({ from, ...(delegation ? { delegation } : {}) })) {
      if (!which.matches(entry)) continue;
      last = entry.seq;
      yield `${JSON.stringify(entry)}\n`;
    }
    for (;;) {
      for (let entry = queue.shift(); entry; entry = queue.shift()) {
        if (entry.seq > last) yield `${JSON.stringify(entry)}\n`;
      }
      if (ends()) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    unsubscribe();
  }
}
