/** Track records as the API gives them: computed from the ledger's record when asked, and kept until the ledger goes on. */
import { everyKind, recordOf, sharesOf, type TrackRecord, trackRecords } from "../delegation/track-record.ts";
import type { Store } from "./store.ts";

export interface TrackRecordView {
  /** Delegations that were accepted at or after this time; absent: all. */
  since?: string;
  /** By executor, model and kind of work. */
  records: TrackRecord[];
  /** By executor, every model and kind together. */
  totals: TrackRecord[];
}

/** Answers for one host. The last answer is kept for as long as nothing is appended. */
export function openTrackRecords(store: Pick<Store, "list" | "ledger">): (since?: Date) => TrackRecordView {
  let kept: { head: number; since: number | undefined; view: TrackRecordView } | undefined;
  return (since) => {
    const { seq: head } = store.ledger.head();
    if (kept?.head === head && kept.since === since?.getTime()) return kept.view;
    const chosen = store.list().filter(({ accepted }) => !since || Date.parse(accepted) >= since.getTime());
    const shares = Map.groupBy(chosen.flatMap(sharesOf), ({ executor }) => executor);
    const totals = [...shares].sort(([a], [b]) => (a < b ? -1 : 1));
    const view: TrackRecordView = {
      ...(since ? { since: since.toISOString() } : {}),
      records: trackRecords(chosen),
      totals: totals.map(([executor, own]) => recordOf(own, { executor, model: everyKind, kind: everyKind })),
    };
    kept = { head, since: since?.getTime(), view };
    return view;
  };
}
