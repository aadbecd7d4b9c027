/** Amounts as people read them. No library: what runs in a browser shows them too. Pure. */

const sizes = [
  ["GiB", 1024 ** 3],
  ["MiB", 1024 ** 2],
  ["KiB", 1024],
] as const;

/** Bytes for people: the largest binary unit that keeps the number readable. */
export function showSize(bytes: number): string {
  for (const [name, factor] of sizes) {
    if (bytes >= factor) return `${Number((bytes / factor).toFixed(1))} ${name}`;
  }
  return `${bytes} B`;
}

/** Milliseconds for people: `850 ms`, `3.2 s`, `4 m 10 s`. */
export function showDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(1))} s`;
  return `${Math.floor(ms / 60_000)} m ${Math.round((ms % 60_000) / 1000)} s`;
}

/** Micro-dollars for people: `$2.00`, `$0.0042`. */
export function showMoney(microusd: number): string {
  const digits = String(microusd % 1_000_000).padStart(6, "0");
  return `$${Math.floor(microusd / 1_000_000)}.${digits.replace(/0{0,4}$/, "")}`;
}
