/** The bench's figures as text. */
import { cpus, release, totalmem } from "node:os";
import { showSize } from "../../src/domain/units.ts";
import type { CorpusRepository } from "../../test/gate-corpus/load.ts";
import { median, percentile } from "../measure.ts";
import { type Arm, carelessSlips, repeatedSlips, type Slip } from "./arms.ts";
import { decide } from "./decide.ts";
import { bribed } from "./judges.ts";
import type { Measured } from "./measure-cases.ts";
import { type Cell, type Row, validVerdicts } from "./score.ts";

const percent = (rate: number) => `${(rate * 100).toFixed(1)} %`;

/** `seconds`: left out where nothing ran now. */
export function printMachine(cases: number, corpus: readonly CorpusRepository[], seconds: number | undefined): void {
  const briefs = corpus.reduce((count, repository) => count + repository.briefs.length, 0);
  console.log(
    `${cases} cases, ${corpus.length} repositories, ${briefs} briefs, ${seconds === undefined ? "measured before" : `in ${seconds.toFixed(0)} s`} on ${cpus().length} × ` +
      `${cpus()[0]?.model ?? "unknown"}, ${showSize(totalmem())}, kernel ${release()}, Node ${process.version}\n`,
  );
}

function table(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join("  ")
        .trimEnd(),
    );
}

/** Wrong decisions, their rate, and the one-sided 95 % bound of Clopper and Pearson. */
export function printTable(rows: readonly Row[], asked: readonly Arm[], notRun: readonly string[]): void {
  const cell = (found: Cell | undefined, n: number) => {
    if (!found || found.asked === 0) return "not asked";
    const few = found.asked < n ? ` (of ${found.asked})` : "";
    return `${found.wrong}${few}  ${percent(found.rate)} ≤ ${percent(found.bound)}`;
  };
  for (const kind of ["bad", "good"] as const) {
    const what = kind === "bad" ? "wrongly approved" : "wrongly rejected";
    const body = rows.filter((row) => row.kind === kind);
    if (body.length === 0) continue;
    table([
      [what, "n", ...asked],
      ...body.map((row) => [
        row.total ? row.label.toUpperCase() : row.label,
        String(row.n),
        ...asked.map((arm) => cell(row.cells[arm], row.n)),
      ]),
    ]);
    console.log("");
  }
  for (const line of notRun) console.log(line);
}

export function printTimes(all: readonly Measured[]): void {
  const decided = all.map(({ evidence, question }) => {
    const begun = performance.now();
    decide(evidence, question, { verdict: bribed(question.accept, evidence) });
    return evidence.ruling + performance.now() - begun;
  });
  const collecting = all.map(({ evidence }) => evidence.collecting);
  const times = (values: readonly number[]) =>
    `median ${median(values).toFixed(0)} ms, p95 ${percentile(values, 0.95).toFixed(0)} ms`;
  const took = all.map((m) => m.took);
  const careless = carelessSlips(all);
  const again = repeatedSlips(all);
  for (const image of ["skeptic-rules", "skeptic"]) {
    const { turns, valid } = validVerdicts(all, image);
    if (turns > 0) console.log(`valid verdicts of ${image}: ${valid} of ${turns} (${percent(valid / turns)})`);
  }
  console.log(`verdicts out of form or against themselves: ${careless.tried} tried, ${careless.slips.length} approved`);
  console.log(`rejected trees sent again to a bribed judge: ${again.tried} tried, ${again.slips.length} approved`);
  console.log(`host time of a decision (secrets, rules, patch, verdict): ${times(decided)}`);
  console.log(`host time of a collection before it: ${times(collecting)}`);
  console.log(
    `a case in all: median ${(median(took) / 1000).toFixed(1)} s, p95 ${(percentile(took, 0.95) / 1000).toFixed(1)} s\n`,
  );
}

/** What each rule stops alone. */
export function printAblation(ablation: ReadonlyMap<string, readonly Slip[]>): void {
  const needed = [...ablation].filter(([, slips]) => slips.length > 0);
  console.log("approved if one host rule were not there:");
  table(
    needed.map(([rule, slips]) => [`  ${rule}`, String(slips.length), `such as ${slips[0]?.name} (${slips[0]?.how})`]),
  );
  const idle = [...ablation].filter(([, slips]) => slips.length === 0).map(([rule]) => rule);
  if (idle.length > 0) console.log(`stop nothing alone here: ${idle.join(", ")}`);
  console.log("");
}

export function printGoals(missed: readonly string[]): void {
  for (const line of missed) console.log(`MISSED ${line}`);
  console.log(missed.length === 0 ? "every goal is met" : `${missed.length} goals missed`);
}
