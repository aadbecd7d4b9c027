/** `audit export`: one decision as a proof pack, or entries in a format that others read. */
import { SallyportError } from "../domain/error.ts";
import type { Entry } from "../domain/event.ts";
import { visibleJson } from "../domain/visible.ts";
import { csvHeader, csvRows } from "../host/audit/csv.ts";
import { entryFilter } from "../host/audit/filter.ts";
import { ocsfEvents } from "../host/audit/ocsf.ts";
import type { CheckedLine } from "../ledger/verify.ts";
import { brokenLedger, durableHead, type FilterFlags, filterOf, readVerified } from "./audit-ledger.ts";
import { emit } from "./audit-read.ts";
import { done, type Globals, print, say } from "./context.ts";
import { newFile } from "./new-file.ts";

interface Format {
  head?: () => string;
  /** Text of entries that were asked for; `exact` where it goes to a file or pipe and not to a terminal. */
  rows(lines: readonly CheckedLine[], exact: boolean): string;
}

const jsonLines = (values: readonly unknown[]) => values.map((one) => `${visibleJson(JSON.stringify(one))}\n`).join("");
const entriesOf = (lines: readonly CheckedLine[]): Entry[] => lines.map(({ entry }) => entry);

const formats: Readonly<Record<string, Format>> = {
  // The ledger's own lines, byte for byte: whoever has them can hash them.
  ndjson: {
    rows: (lines, exact) =>
      exact ? lines.map(({ bytes }) => `${bytes.toString("utf8")}\n`).join("") : jsonLines(entriesOf(lines)),
  },
  csv: { head: csvHeader, rows: (lines) => csvRows(entriesOf(lines)) },
  ocsf: { rows: (lines) => jsonLines(entriesOf(lines).flatMap(ocsfEvents)) },
};

export interface ExportFlags extends FilterFlags {
  format?: string;
  out?: string;
}

export async function exported(globals: Globals, id: string | undefined, flags: ExportFlags): Promise<number> {
  const { format = "proof", out, ...filters } = flags;
  if (format === "proof") {
    if (id === undefined)
      throw new SallyportError("usage", "a proof pack is of one delegation or plan", {
        next: "Name its id, or a --format: ndjson, csv or ocsf.",
      });
    const [filter] = Object.keys(filters).filter((name) => !["json", "state", "socket"].includes(name));
    if (filter !== undefined)
      throw new SallyportError("usage", `--${filter} is for --format ndjson, csv and ocsf`, {
        next: "A proof pack holds all that its decision rests on: leave the filter out.",
      });
    const { exportPack } = await import("./audit-proof.ts");
    return exportPack(globals, id, out, await durableHead(globals.state));
  }
  if (!Object.hasOwn(formats, format))
    throw new SallyportError("usage", `there is no format ${format}`, { next: "proof, ndjson, csv or ocsf." });
  return exportEntries(globals, formats[format] as Format, out, {
    ...filters,
    ...(id === undefined ? {} : { delegation: [...(filters.delegation ?? []), id] }),
  });
}

async function exportEntries(
  { state, json }: Globals,
  { head, rows }: Format,
  out: string | undefined,
  flags: FilterFlags,
): Promise<number> {
  const { limit, ...wanted } = filterOf(flags);
  const passes = entryFilter(wanted);
  const file = out === undefined ? undefined : await newFile(out);
  let count = 0;
  let last: Entry | undefined;
  try {
    const write = file?.write ?? emit;
    const exact = file !== undefined || !process.stdout.isTTY;
    if (head) await write(head());
    const result = await readVerified(state, async (lines) => {
      last = lines.at(-1)?.entry ?? last;
      const asked = lines.filter(({ entry }) => passes(entry)).slice(0, limit - count);
      count += asked.length;
      await write(rows(asked, exact));
      return count >= limit;
    });
    if (result && !result.ok) throw brokenLedger(result);
    await file?.keep();
  } catch (error) {
    // A file is there whole or not at all: one that ends in the middle could be taken for all there is.
    await file?.drop();
    throw error;
  }
  if (out === undefined) return done;
  const verified = { seq: last?.seq ?? 0, hash: last?.hash ?? "0".repeat(64) };
  if (json) print({ file: out, entries: count, verified });
  else say(`${out}: ${count} entries, of a ledger that is verified up to ${verified.seq}:${verified.hash}`);
  return done;
}
