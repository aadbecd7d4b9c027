/** Ledger lines for a page, collected in bounded memory: the first and the last of them. Pure. */
import type { Entry } from "../../domain/event.ts";
import type { DelegationPage } from "../../domain/page.ts";
import { pageCaps } from "../../domain/page-parts.ts";
import { narrate } from "../narrate.ts";
import { shown } from "./text.ts";

/** Where a page's lines stand in the ledger, and the lines themselves. */
export type Lines = Pick<DelegationPage, "lines"> & { span: Omit<DelegationPage["ledger"], "whole"> };

/** A collector of lines: `add` each entry, then `page`. */
export function collectLines() {
  const half = pageCaps.lines / 2;
  const first: Entry[] = [];
  // A ring: the last ones, whatever came between.
  const last: Entry[] = [];
  let total = 0;
  let from = 0;
  let to = 0;

  return {
    add(entry: Entry): void {
      if (total === 0) from = entry.seq;
      to = entry.seq;
      if (total < half) first.push(entry);
      else last[(total - half) % half] = entry;
      total += 1;
    },
    page(): Lines {
      const tail = [...last].sort((a, b) => a.seq - b.seq);
      const items = [...first, ...tail].map((entry) => ({
        seq: entry.seq,
        time: entry.time,
        type: entry.type,
        text: shown(narrate(entry), 1000),
        hash: entry.hash,
      }));
      return { lines: { total, items }, span: { from, to, lines: total } };
    },
  };
}
