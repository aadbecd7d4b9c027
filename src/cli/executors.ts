/** `executors`: how each executor has done, with the bounds that so few tries allow. */
import type { Command } from "commander";
import type { TrackRecord } from "../delegation/track-record.ts";
import type { Rate } from "../delegation/wilson.ts";
import { SallyportError } from "../domain/error.ts";
import { showDuration, showMoney } from "../domain/units.ts";
import type { TrackRecordView } from "../host/track-records.ts";
import { call } from "./client.ts";
import { action, command, done, type Globals, print, say } from "./context.ts";
import { type Column, fitTable } from "./table.ts";

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** A time ago such as `30d`, `12h`, `2w`, or a date. Throws `usage`. */
export function parseSince(text: string, now: Date): Date {
  const ago = /^(\d{1,6})([mhdw])$/.exec(text);
  const date = ago
    ? new Date(now.getTime() - Number(ago[1]) * (units[ago[2] ?? ""] ?? 0))
    : /^\d{4}-\d{2}-\d{2}(?:T[\d:.]+Z)?$/.test(text)
      ? new Date(text)
      : undefined;
  if (date && !Number.isNaN(date.getTime())) return date;
  throw new SallyportError("usage", `--since: ${JSON.stringify(text)} is neither a time ago nor a date`, {
    next: "Write 30d, 12h, 2w, or a date such as 2026-01-31.",
  });
}

const percent = (part: number) => `${Math.round(part * 100)}`;

/** `7/10 70 % (40–89)`: how often, and between which bounds the truth lies with 95 %. */
export function showRate({ count, of, rate, low, high }: Rate): string {
  if (rate === undefined) return "-";
  return `${count}/${of} ${percent(rate)} % (${percent(low)}–${percent(high)})`;
}

const right = "right" as const;
const columns: readonly Column[] = [
  { title: "EXECUTOR" },
  { title: "MODEL", gives: 2, least: 12 },
  { title: "KIND", gives: 3 },
  { title: "DONE", align: right },
  { title: "FIRST TRY", gives: 1 },
  { title: "APPROVED" },
  { title: "STUCK", gives: 4 },
  { title: "OVER", gives: 6, align: right },
  { title: "REJECTED H/T/V", gives: 9 },
  { title: "DENIED", gives: 7, align: right },
  { title: "PROTECTED", gives: 10, align: right },
  { title: "TOKENS", gives: 8, align: right },
  { title: "PAID/APPROVED", gives: 5, align: right },
  { title: "LIST/APPROVED", gives: 11, align: right },
  { title: "MEDIAN", gives: 2, align: right },
];

function row(record: TrackRecord): string[] {
  const { rejections } = record;
  const money = (amount: number | undefined) => (amount === undefined ? "-" : showMoney(amount));
  return [
    record.executor,
    record.model || "-",
    record.kind,
    String(record.delegations),
    showRate(record.firstTry),
    showRate(record.approved),
    showRate(record.stuck),
    String(record.overBudget.count),
    `${rejections.host}/${rejections.tests}/${rejections.verifier}`,
    String(record.denials),
    String(record.protectedPaths),
    String(record.tokens),
    money(record.costPerApproved),
    money(record.listPerApproved),
    record.medianMilliseconds === undefined ? "-" : showDuration(record.medianMilliseconds),
  ];
}

async function executors({ state, json }: Globals, options: { since?: string }): Promise<number> {
  const since = options.since === undefined ? undefined : parseSince(options.since, new Date());
  const query = since ? `?since=${encodeURIComponent(since.toISOString())}` : "";
  const view = await call<TrackRecordView>(state, "GET", `/v1/executors${query}`);
  if (json) print(view);
  else if (view.records.length === 0)
    say("nothing is known of any executor yet; next: sallyport delegate BRIEF --repo DIR");
  else {
    for (const line of fitTable(columns, [...view.records, ...view.totals].map(row))) say(line);
    say(
      "Rates with the bounds between which the truth lies with 95 % (Wilson). What each figure means: docs/executors.md",
    );
  }
  return done;
}

export function executorsCommand(): Command {
  return command("executors", "Track records: how often each executor's work was approved, and what it cost.", [
    "sallyport executors",
    "sallyport executors --since 30d --json",
  ])
    .option("--since <when>", "only delegations accepted since: 30d, 12h, 2w, or a date")
    .action(action(executors));
}
