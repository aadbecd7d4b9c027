/** Sizes, durations and counts as people write them in YAML. All results are whole numbers of the base unit. */
import { z } from "zod";

export { showDuration, showMoney, showSize } from "./show-amount.ts";

const sizeUnits: Record<string, number> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
const timeUnits: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const countUnits: Record<string, number> = { "": 1, k: 1000, M: 1_000_000 };

function parse(text: string, units: Record<string, number>): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)\s*([A-Za-z]*)$/.exec(text.trim());
  const factor = match ? units[match[2] ?? ""] : undefined;
  if (!match || factor === undefined) return undefined;
  const value = Number(match[1]) * factor;
  return Number.isSafeInteger(Math.round(value)) ? Math.round(value) : undefined;
}

function unit(units: Record<string, number>, what: string, example: string) {
  return z.union([z.string(), z.literal(0)]).transform((value, context) => {
    const parsed = value === 0 ? 0 : parse(value, units);
    if (parsed === undefined) {
      context.addIssue({
        code: "custom",
        message: `expected ${what} such as ${example}, found ${JSON.stringify(value)}`,
      });
      return z.NEVER;
    }
    return parsed;
  });
}

/** Micro-dollars of an amount in dollars such as `2` or `0.50`, read digit by digit: a float never enters a sum. */
function parseMoney(text: string): number | undefined {
  const match = /^(\d{1,9})(?:\.(\d{1,6}))?$/.exec(text);
  return match ? Number(match[1]) * 1_000_000 + Number((match[2] ?? "").padEnd(6, "0")) : undefined;
}

/** Amounts as people write them: sizes in bytes (`4GiB`), durations in milliseconds (`20m`), counts (`400`, `2M`), dollars (`0.50`) in micro-dollars. */
export const written = {
  size: unit(sizeUnits, "a size", "4GiB or 512KiB"),
  duration: unit(timeUnits, "a duration", "20m or 90s"),
  count: z.union([
    z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
    unit(countUnits, "a count", "400 or 2M"),
  ]),
  money: z.union([z.number(), z.string()]).transform((value, context) => {
    const parsed = parseMoney(String(value));
    if (parsed === undefined) {
      context.addIssue({
        code: "custom",
        message: `expected an amount in dollars such as 2 or 0.50, found ${JSON.stringify(value)}`,
      });
      return z.NEVER;
    }
    return parsed;
  }),
};

const whole = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
/** The same amounts once they are read: whole numbers of bytes, milliseconds, things, micro-dollars. */
export const settled = { size: whole, duration: whole, count: whole, money: whole };

/** Either form: a schema over amounts is made for one of them. */
export type Units = typeof written | typeof settled;
