/**
 * Hands signed heads of the ledger out to where its anchors are kept: after so many lines or so long, when a segment is
 * closed, at the start and at the end. Beside all decisions: a place that fails is told, and holds nobody up.
 */
import { type AnchorPlace, type AnchorStatus, anchorName } from "../domain/anchor.ts";
import { asSallyportError } from "../domain/error.ts";
import type { Entry, Event } from "../domain/event.ts";
import { formAnchor } from "../ledger/anchor.ts";
import type { Sign } from "../ledger/append.ts";
import type { Ledger } from "../ledger/open.ts";
import { anchorPatience, handOut } from "./anchor-places.ts";
import type { Log } from "./log.ts";

/** A place that failed is tried again after this many milliseconds, not sooner. */
const again = 30_000;

export interface Anchors {
  status(): AnchorStatus[];
  /** Hands the last head out once more and ends. Call it when the ledger is closed. */
  close(): Promise<void>;
}

interface AnchorTools {
  places: readonly AnchorPlace[];
  ledger: Pick<Ledger, "head" | "read" | "subscribe">;
  sign: Sign;
  note(event: Event): void;
  log: Log;
  /** Left out: the real ones. */
  handOut?: typeof handOut;
  again?: number;
}

/** Begins. The ledger has a first line by now. */
export async function openAnchors(tools: AnchorTools): Promise<Anchors> {
  let ledgerId = "";
  for await (const entry of tools.ledger.read()) {
    ledgerId = entry.hash;
    break;
  }
  const keepers = tools.places.map((place) => keepAt(place, ledgerId, tools));
  const stop = tools.ledger.subscribe((entry) => {
    for (const keeper of keepers) keeper.saw(entry);
  });
  for (const keeper of keepers) keeper.now();
  return {
    status: () => keepers.map((keeper) => keeper.status()),
    async close() {
      stop();
      await Promise.all(keepers.map((keeper) => keeper.close()));
    },
  };
}

function keepAt(place: AnchorPlace, ledgerId: string, tools: AnchorTools) {
  const { ledger, log, note } = tools;
  const name = anchorName(place);
  const status: AnchorStatus = { place: name };
  let running: Promise<void> | undefined;
  let askedMeanwhile = false;
  let lines = 0;
  let notBefore = 0;
  const isBehind = () => ledger.head().seq > (status.last?.seq ?? 0);

  const once = async () => {
    const head = ledger.head();
    const time = new Date();
    lines = 0;
    try {
      await inTime((tools.handOut ?? handOut)(place, formAnchor(ledgerId, head, time, tools.sign)));
      status.last = { ...head, time: time.toISOString() };
      if (status.failing !== undefined) note({ type: "anchor.resumed", data: { anchor: name } });
      delete status.failing;
      notBefore = 0;
    } catch (error) {
      const message = asSallyportError(error).message.slice(0, 2000).toWellFormed();
      log.warn({ anchor: name, err: error }, "a head of the ledger did not reach its anchor");
      notBefore = Date.now() + (tools.again ?? again);
      // Once, not at each try: a place that is gone for a week is not a million lines.
      if (status.failing === undefined) note({ type: "anchor.failed", data: { anchor: name, message } });
      status.failing = message;
    }
  };
  const now = () => {
    if (running) {
      askedMeanwhile = true;
      return;
    }
    if (!isBehind() || Date.now() < notBefore) return;
    running = once().finally(() => {
      running = undefined;
      if (!askedMeanwhile) return;
      askedMeanwhile = false;
      now();
    });
  };
  const { lines: everyLines, time: everyTime } = place.every;
  const timers = [setInterval(() => status.failing !== undefined && now(), tools.again ?? again)];
  // A timer of Node's ends at 2^31 ms.
  if (everyTime) timers.push(setInterval(now, Math.min(Math.max(everyTime, 100), 2 ** 31 - 1)));
  for (const timer of timers) timer.unref();

  return {
    now,
    status: (): AnchorStatus => ({ ...status }),
    saw(entry: Entry) {
      lines += 1;
      if (entry.type === "segment.closed" || (everyLines && lines >= everyLines)) now();
    },
    async close() {
      for (const timer of timers) clearInterval(timer);
      await running;
      if (isBehind()) await once();
    },
  };
}

/** A file system that hangs does not let a promise end: it is not waited for. */
async function inTime(work: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => late.reject(new Error(`no answer within ${anchorPatience / 1000} s`)),
    anchorPatience + 1000,
  );
  work.catch(() => {});
  await Promise.race([work, late.promise]).finally(() => clearTimeout(timer));
}
