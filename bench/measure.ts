/** Repeated measurements of two things side by side, as medians and a ratio. */

export interface Figure {
  name: string;
  unit: string;
  ours: number;
  p95: number;
  peer: string;
  theirs: number;
  ratio: number;
  runs: number;
  /** Whether a larger ratio is the better one. */
  more: boolean;
}

const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
export const median = (values: readonly number[]) => sorted(values)[Math.floor(values.length / 2)] ?? Number.NaN;
export const percentile = (values: readonly number[], p: number) =>
  sorted(values)[Math.min(values.length - 1, Math.floor(values.length * p))] ?? Number.NaN;

/** Milliseconds that something takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** Measures ours and the peer's in turn, `runs` times after one warm-up each, so that both meet the same machine. */
export async function sideBySide(
  about: { name: string; unit: string; peer: string; runs: number; more?: boolean },
  ours: () => Promise<number>,
  theirs: () => Promise<number>,
): Promise<Figure> {
  await ours();
  await theirs();
  const own: number[] = [];
  const other: number[] = [];
  for (let run = 0; run < about.runs; run++) {
    own.push(await ours());
    other.push(await theirs());
  }
  return {
    more: false,
    ...about,
    ours: median(own),
    p95: percentile(own, 0.95),
    theirs: median(other),
    ratio: median(own) / median(other),
  };
}

export function printFigures(figures: readonly Figure[]): void {
  const number = (value: number) =>
    value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(3);
  const rows = figures.map((f) => [
    f.name,
    `${number(f.ours)} ${f.unit}`,
    number(f.p95),
    `${number(f.theirs)} ${f.unit}`,
    f.peer,
    `${f.ratio.toFixed(2)} ×`,
    f.more ? "more is better" : "less is better",
    String(f.runs),
  ]);
  const all = [["figure", "median", "p95", "peer's median", "peer", "ratio", "", "runs"], ...rows];
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  for (const row of all)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
}
