/**
 * Entries as CSV (RFC 4180): one row an entry, the same columns for all. A cell that a spreadsheet would take for a
 * formula begins with an apostrophe (OWASP, CSV injection), and no cell holds a character that a terminal obeys.
 */
import { stringify } from "csv-stringify/sync";
import type { Entry } from "../../domain/event.ts";
import { visibleJson, visibleLine } from "../../domain/visible.ts";
import { hostOf } from "./filter.ts";
import { tell } from "./tell.ts";

/** The columns, in their order. New ones are added at the end. */
export const csvColumns = [
  "seq",
  "time",
  "delegation",
  "type",
  "what",
  "attempt",
  "sandbox",
  "decision",
  "code",
  "rule",
  "method",
  "host",
  "url",
  "status",
  "sent",
  "received",
  "milliseconds",
  "secret",
  "data",
  "hash",
] as const;

type Cell = string | number | undefined;

const form = { escape_formulas: true, record_delimiter: "\r\n" } as const;

/** The first line. */
export function csvHeader(): string {
  return stringify([[...csvColumns]], form);
}

/** Entries as rows, each with its line break. */
export function csvRows(entries: readonly Entry[]): string {
  return entries.length === 0 ? "" : stringify(entries.map(cells), form);
}

function cells(entry: Entry): Cell[] {
  const data = (entry.data ?? {}) as Record<string, unknown>;
  const text = (name: string): Cell => {
    const value = data[name];
    return typeof value === "string" ? visibleLine(value) : typeof value === "number" ? value : undefined;
  };
  return [
    entry.seq,
    entry.time,
    entry.delegation,
    entry.type,
    visibleLine(tell(entry)),
    text("attempt"),
    text("sandbox"),
    text("decision"),
    text("code"),
    text("rule"),
    text("method"),
    entry.type === "request" ? hostOf(data.url) : undefined,
    text("url"),
    text("status"),
    text("sent"),
    text("received"),
    text("milliseconds"),
    text("secret"),
    visibleJson(JSON.stringify(entry.data)),
    entry.hash,
  ];
}
