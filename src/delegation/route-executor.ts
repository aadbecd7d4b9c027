/**
 * Which of a brief's executors has the next attempt. Counts decide and nothing is drawn by lot, so that the same ledger
 * gives the same choice. Pure. docs/executors.md states the rule.
 */
import type { Attempt } from "../domain/delegation.ts";
import { everyKind, recordOf, type Share, type TrackRecord } from "./track-record.ts";
import type { WorkKind } from "./work-kind.ts";

/** First tries below which an executor is tried to get to know it, and retries below which nothing is said of them. */
export const enoughTries = 5;

export interface Choice {
  executor: string;
  /** Why, the decisive reason first; for the ledger and for people. */
  reasons: string[];
}

const percent = (part: number) => `${Math.round(part * 100)} %`;

/** The records that the choice goes by: of this kind of work where every candidate is known at it, else of every kind. */
function recordsFor(candidates: readonly string[], kind: WorkKind, shares: readonly Share[]): TrackRecord[] {
  const at = (wanted: WorkKind) =>
    candidates.map((executor) =>
      recordOf(
        shares.filter((s) => s.executor === executor && (wanted === everyKind || s.kind === wanted)),
        { executor, model: "", kind: wanted },
      ),
    );
  const own = at(kind);
  return own.every(({ firstTry }) => firstTry.of >= enoughTries) ? own : at(everyKind);
}

/** The lower bound of first-try approval for a dollar at list price; the bound alone where any of them costs nothing. */
function worthOf(record: TrackRecord, all: readonly TrackRecord[]): number {
  const priced = all.every(({ listPerDelegation }) => listPerDelegation > 0);
  return priced ? record.firstTry.low / (record.listPerDelegation / 1e6) : record.firstTry.low;
}

function tell(record: TrackRecord): string {
  const { executor, kind, firstTry, listPerDelegation } = record;
  const cost = listPerDelegation > 0 ? `, $${(listPerDelegation / 1e6).toFixed(4)} a delegation at list price` : "";
  const range = `${percent(firstTry.low)} to ${percent(firstTry.high)}`;
  return `${executor}: ${firstTry.count} of ${firstTry.of} first tries approved (${range}, ${kind})${cost}`;
}

/** The first attempt's executor: the least known while one is not known well enough, then the best value. */
export function chooseFirst(candidates: readonly string[], kind: WorkKind, shares: readonly Share[]): Choice {
  const records = recordsFor(candidates, kind, shares);
  const told = records.map(tell);
  const unknown = records.filter(({ firstTry }) => firstTry.of < enoughTries);
  if (unknown.length > 0) {
    const least = unknown.reduce((a, b) => (b.firstTry.of < a.firstTry.of ? b : a));
    const why = `${least.executor} has ${least.firstTry.of} first tries, the fewest of the candidates: below ${enoughTries} it is tried to get to know it`;
    return { executor: least.executor, reasons: [why, ...told] };
  }
  const best = records.reduce((a, b) => (worthOf(b, records) > worthOf(a, records) ? b : a));
  const priced = records.every(({ listPerDelegation }) => listPerDelegation > 0);
  const by = priced
    ? "the highest lower bound of first-try approval for a dollar"
    : "the highest lower bound of first-try approval";
  return { executor: best.executor, reasons: [`${best.executor} has ${by}`, ...told] };
}

/**
 * The next attempt's executor after a rejection. It stays with the one that was rejected, unless the record says that its
 * retries are approved less often than the lower bound of another's first tries, one that this brief has not yet had.
 */
export function chooseNext(
  candidates: readonly string[],
  kind: WorkKind,
  shares: readonly Share[],
  attempts: readonly Attempt[],
): Choice {
  const last = attempts.at(-1);
  if (!last) return chooseFirst(candidates, kind, shares);
  if (!last.rejection) {
    return { executor: last.executor, reasons: [`${last.executor} had no outcome in attempt ${last.number}`] };
  }
  const records = recordsFor(candidates, kind, shares);
  const current = records.find(({ executor }) => executor === last.executor);
  const { retry } = current ?? recordOf([], { executor: last.executor, model: "", kind });
  const had = new Set(attempts.map(({ executor }) => executor));
  const others = records.filter(({ executor, firstTry }) => !had.has(executor) && firstTry.of >= enoughTries);
  const better = others.filter(({ firstTry }) => firstTry.low > (retry.rate ?? 1));
  const said = `${retry.count} of ${retry.of} retries of ${last.executor} were approved`;
  if (retry.of < enoughTries || better.length === 0) {
    const why = retry.of < enoughTries ? `too few to leave it` : `no other executor's first tries are surely better`;
    return { executor: last.executor, reasons: [`${last.executor} goes on: ${said}, ${why}`, ...records.map(tell)] };
  }
  const best = better.reduce((a, b) => (b.firstTry.low > a.firstTry.low ? b : a));
  const why = `${best.executor} takes over: ${said}, below the ${percent(best.firstTry.low)} that its own first tries are surely above`;
  return { executor: best.executor, reasons: [why, ...records.map(tell)] };
}
