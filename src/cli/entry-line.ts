/** A ledger entry as it is printed: one line that nothing in it can forge a second of. */
import type { Entry } from "../domain/event.ts";
import { visibleLine } from "../domain/visible.ts";
import { tell } from "../host/audit/tell.ts";

const indent = " ".repeat(8);

/**
 * What happened, harmless to a terminal. Lines after the first, our own or a text's, begin with a bar below the
 * number's column: none of them can be taken for an entry.
 */
export function told(entry: Entry): string {
  const [first = "", ...rest] = tell(entry).split(/\r\n|\n/);
  return [visibleLine(first), ...rest.map((line) => `${indent}| ${visibleLine(line.trimStart())}`)].join("\n");
}

/** An entry of the whole ledger: its number, time, subject and what happened. */
export function entryLine(entry: Entry): string {
  return `${String(entry.seq).padStart(6)}  ${entry.time}  ${(entry.delegation ?? "-").padEnd(18)}  ${told(entry)}`;
}
