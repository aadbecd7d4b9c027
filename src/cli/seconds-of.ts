import { SallyportError } from "../domain/error.ts";

const units: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds of a time such as `30m`, as an option gives it. Throws `usage`. */
export function secondsOf(text: string, option: string): number {
  const found = /^(\d{1,6})([smhd])$/.exec(text);
  if (!found)
    throw new SallyportError("usage", `${option} is a time such as 30m, found ${text}`, {
      next: "Write 90s, 30m, 2h or 7d.",
    });
  return Number(found[1]) * (units[found[2] ?? ""] ?? 1);
}
