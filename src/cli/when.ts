/** Times for people: how long ago on a terminal, ISO 8601 elsewhere. */

const steps: readonly [limit: number, unit: number, name: string][] = [
  [60_000, 1000, "s"],
  [3_600_000, 60_000, "min"],
  [86_400_000, 3_600_000, "h"],
  [14 * 86_400_000, 86_400_000, "d"],
];

/** `3 min ago`; after two weeks the day. A time to come, by a clock that is off, is `now`. */
export function ago(time: string, now: number): string {
  const passed = now - Date.parse(time);
  if (Number.isNaN(passed)) return time;
  if (passed < 1000) return "now";
  const step = steps.find(([limit]) => passed < limit);
  return step ? `${Math.floor(passed / step[1])} ${step[2]} ago` : time.slice(0, 10);
}

/** A time as standard output shows it. */
export function showTime(time: string, now = Date.now()): string {
  return process.stdout.isTTY ? ago(time, now) : `${time.slice(0, 19)}Z`;
}

/** Time that goes by, in whole seconds so that it is not redrawn for nothing: `4 s`, `2 m 4 s`, `1 h 3 m`. */
export function clock(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} m ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
}
