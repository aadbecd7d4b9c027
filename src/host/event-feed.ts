/**
 * The ledger as a feed for many readers: each is brought up to date from disk or from the last lines in memory, and is
 * then told of every line as it becomes durable. What a reader has not taken is bounded: nothing waits for a slow one.
 */
import type { ServerResponse } from "node:http";
import type { Entry } from "../domain/event.ts";
import type { Ledger } from "../ledger/open.ts";

export interface FeedOptions {
  /** Bytes that may wait for a reader before it is ended. */
  mostWaiting: number;
  /** Milliseconds between two signs of life. */
  heartbeat: number;
  /** Milliseconds after which a reader that takes nothing is ended. */
  patience: number;
  /** Lines that are kept in memory for readers that come back soon. */
  mostKept: number;
}

export const feedDefaults: FeedOptions = {
  mostWaiting: 1024 * 1024,
  heartbeat: 15_000,
  patience: 60_000,
  mostKept: 2000,
};

export interface EventFeed {
  readonly readers: number;
  /** Writes lines from `from` on that `matches`, until the reader goes or is ended. Resolves then. */
  serve(response: ServerResponse, from: number, matches: (entry: Entry) => boolean): Promise<void>;
  close(): void;
}

/** A line with its text as server-sent events have it, made once for all readers. */
interface Item {
  entry: Entry;
  frame: Buffer | undefined;
}

/** The WHATWG's form (HTML, 9.2.6): JSON has no line break, so one `data:` line holds it. */
function frameOf(item: Item): Buffer {
  item.frame ??= Buffer.from(`id: ${item.entry.seq}\ndata: ${JSON.stringify(item.entry)}\n\n`);
  return item.frame;
}

/** Lines whose text is longer are not kept in memory. */
const mostFrame = 64 * 1024;

export function openEventFeed(ledger: Ledger, options: FeedOptions = feedDefaults): EventFeed {
  const { mostWaiting, heartbeat, patience, mostKept } = options;
  const live = new Set<(item: Item) => void>();
  let readers = 0;
  // Without a gap: a line that is too long to be kept takes all before it along.
  let kept: Item[] = [];
  const unsubscribe = ledger.subscribe((entry) => {
    const item: Item = { entry, frame: undefined };
    for (const tell of live) tell(item);
    if (readers === 0 || frameOf(item).length > mostFrame) {
      kept = [];
      return;
    }
    if (kept.length >= mostKept) kept = kept.slice(mostKept >> 1);
    kept.push(item);
  });

  async function serve(response: ServerResponse, from: number, matches: (entry: Entry) => boolean): Promise<void> {
    let next = from;
    let over = false;
    let taken = Date.now();
    const gone = Promise.withResolvers<void>();
    const end = () => {
      over = true;
      gone.resolve();
    };
    response.once("close", end);
    response.on("drain", () => {
      taken = Date.now();
    });
    /** Told where to go on, and let go: it comes when the reader reads on, or never. */
    const dismiss = () => {
      if (over) return;
      response.end(`event: resume\ndata: ${JSON.stringify({ from: next })}\n\n`);
      end();
      setTimeout(() => response.destroy(), 10_000).unref();
    };
    const drained = () =>
      new Promise<void>((resolve) => {
        response.once("drain", resolve);
        void gone.promise.then(resolve);
      });
    const beat = setInterval(() => {
      if (response.writableNeedDrain && Date.now() - taken > patience) return dismiss();
      // The id alone moves the reader's place past lines that it does not want.
      if (!response.writableNeedDrain) response.write(`: alive\nid: ${next - 1}\n\n`);
    }, heartbeat);
    const tell = (item: Item) => {
      if (over || item.entry.seq < next) return;
      if (response.writableLength > mostWaiting) return dismiss();
      next = item.entry.seq + 1;
      if (matches(item.entry)) write(item);
    };
    const write = (item: Item) => {
      if (!response.writableNeedDrain) taken = Date.now();
      return response.write(frameOf(item));
    };
    readers += 1;
    try {
      // A reader that catches up is waited for: it costs no memory.
      while (!over && next <= ledger.head().seq) {
        const place = kept[0] ? next - kept[0].entry.seq : -1;
        const lines = place >= 0 ? kept.slice(place, place + 100) : ledger.read({ from: next });
        for await (const line of lines) {
          const item = "entry" in line ? line : { entry: line, frame: undefined };
          next = item.entry.seq + 1;
          if (matches(item.entry) && !write(item)) await drained();
          if (over) return;
        }
      }
      if (over) return;
      live.add(tell);
      await gone.promise;
    } finally {
      readers -= 1;
      live.delete(tell);
      clearInterval(beat);
    }
  }

  return {
    get readers() {
      return readers;
    },
    serve,
    close: unsubscribe,
  };
}
