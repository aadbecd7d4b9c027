/** What ran in one sandbox, out of the kernel's records as they come: bounded, however many there are. Pure. */
import { createHash } from "node:crypto";
import { namesOfOneEvent, type ProcessName, type ProcessRow, rowsOfOneEvent } from "../domain/processes.ts";
import { readRecord, recordBytes } from "./acct-record.ts";

/** Rows that are kept: what began it, and what ended it, so that a flood between hides neither. */
const keptLast = 150;
const keptFirst = rowsOfOneEvent - keptLast;
/** Names that are told apart while it runs; a flood of names is counted as one. */
const mostNames = 10_000;
const otherNames = "(other names)";

export interface ProcessTable {
  total: number;
  /** Of them, those without a row. */
  dropped: number;
  /** SHA-256 over all records. */
  digest: string;
  names: ProcessName[];
  rows: ProcessRow[];
  /** Records that could not be read. */
  unread: number;
}

/** A collector of records: `add` bytes as they were written, then `table` once. */
export function collectRecords() {
  const hash = createHash("sha256");
  const names = new Map<string, ProcessName>();
  const first: ProcessRow[] = [];
  const last: ProcessRow[] = [];
  let rest = Buffer.alloc(0);
  let total = 0;
  let unread = 0;
  let initEnded = false;

  const take = (record: Buffer) => {
    const row = readRecord(record);
    if (!row) {
      unread += 1;
      return;
    }
    // The host's own: it enters the namespace to turn accounting on. Nothing in a sandbox can have uid 0.
    if (row.uid === 0 && (row.name === "accton" || row.name === "nsenter")) return;
    // When the namespace ends, the kernel writes its init once more as it closes the file.
    if (row.pid === 1 && initEnded) return;
    if (row.pid === 1) initEnded = true;
    hash.update(record);
    if (total < keptFirst) first.push(row);
    else last[(total - keptFirst) % keptLast] = row;
    total += 1;
    const name = names.has(row.name) || names.size < mostNames ? row.name : otherNames;
    const counted = names.get(name) ?? { name, count: 0, failed: 0 };
    counted.count += 1;
    if (row.exit !== 0) counted.failed += 1;
    names.set(name, counted);
  };

  return {
    add(bytes: Buffer): void {
      const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      const whole = all.length - (all.length % recordBytes);
      for (let at = 0; at < whole; at += recordBytes) take(all.subarray(at, at + recordBytes));
      rest = Buffer.from(all.subarray(whole));
    },
    table(): ProcessTable {
      const turn = total > keptFirst ? (total - keptFirst) % keptLast : 0;
      const tail = total - keptFirst > keptLast ? [...last.slice(turn), ...last.slice(0, turn)] : last;
      const rows = [...first, ...tail];
      const byCount = [...names.values()].sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
      return {
        total,
        dropped: total - rows.length,
        digest: hash.digest("hex"),
        names: byCount.slice(0, namesOfOneEvent),
        rows,
        unread: unread + (rest.length > 0 ? 1 : 0),
      };
    },
  };
}
