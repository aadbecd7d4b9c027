/** Texts of a page: printable, and cut. Pure. */
import { pageCaps } from "../../domain/page-parts.ts";
import { cut, printable } from "../../gate/printable.ts";

/** A text that somebody else wrote, as a page holds it. */
export function shown(text: string, most: number = pageCaps.text): string {
  // Cut before as well: what is left out is not worked on.
  const whole = printable(cut(text, most * 2));
  return whole.length > most ? `${cut(whole, most - 1)}…` : whole;
}

/** The same in one line. */
export function line(text: string, most = 300): string {
  return shown(text, most).replace(/\s+/g, " ").trim();
}

/** A list that is cut. */
export function cappedTo<T>(items: readonly T[], most: number, total = items.length): { total: number; items: T[] } {
  return { total, items: items.slice(0, most) };
}
