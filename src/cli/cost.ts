/** A cost report for people: a line for each tier, the total, and what rejected attempts and subscriptions did to it. */
import type { Amounts, CostReport } from "../delegation/cost.ts";
import { showDuration, showMoney } from "../domain/units.ts";
import type { StateDirectory } from "../host/state-directory.ts";
import { call } from "./client.ts";
import { fitTable } from "./table.ts";
import type { Line } from "./terminal.ts";

const cells = (name: string, amounts: Amounts) => [
  name,
  String(amounts.requests),
  String(amounts.modelRequests),
  String(amounts.tokens),
  `${amounts.inexact > 0 ? "≤ " : ""}${showMoney(amounts.microusd)}`,
  showDuration(amounts.milliseconds),
];

/** The report of a delegation, plan or mission. */
export const costOf = (state: StateDirectory, id: string) =>
  call<CostReport>(state, "GET", `/v1/cost/${encodeURIComponent(id)}`);

/** The report as lines; tiers that neither ran nor asked for anything are left out. */
export function describeCost({ tiers, total }: CostReport): Line[] {
  const used = tiers.filter((tier) => tier.milliseconds + tier.requests + tier.modelRequests > 0);
  if (used.length === 0) return [];
  const columns = ["COST", "REQUESTS", "TO MODELS", "TOKENS", "PAID", "TIME"].map((title, index) =>
    index === 0 ? { title } : { title, align: "right" as const },
  );
  const rows = [...used.map((tier) => cells(tier.tier, tier)), cells("total", total)];
  const { rejected } = total;
  const notes = [
    ...(rejected.milliseconds + rejected.modelRequests > 0
      ? [
          `of it in attempts that were rejected: ${rejected.tokens} tokens, ${showMoney(rejected.microusd)}, ${showDuration(rejected.milliseconds)}`,
        ]
      : []),
    ...(total.saved > 0
      ? [`subscriptions saved ${showMoney(total.saved)}: the list price is ${showMoney(total.list)}`]
      : []),
    ...(total.inexact > 0
      ? [`of ${total.inexact} requests to models nobody knows what they used: their worst case is counted`]
      : []),
  ];
  return [...fitTable(columns, rows, "  "), ...notes.map((line) => `  ${line}`)];
}
