/** Price tables: what a model's tokens cost, in whole micro-dollars per million tokens. No floating point in any sum. */
import { z } from "zod";
import { type ModelUsage, modelGlob, modelMatches } from "./model.ts";
import { settled, type Units, written } from "./units.ts";

function pricesOf(units: Units) {
  return {
    input: units.money.describe("Dollars for a million tokens of input."),
    output: units.money.describe("Dollars for a million tokens of output, thoughts included."),
    cached: units.money.optional().describe("For input read from the provider's cache; left out: as input."),
    "cache-write": units.money.optional().describe("For input written to the cache; left out: as input."),
    "cache-write-hour": units.money
      .optional()
      .describe("For input written to the cache for an hour; left out: as cache-write."),
  };
}

function tableOf(units: Units) {
  const model = z.strictObject({
    model: modelGlob.describe("A model's name, with `*` for any characters. The first line that matches counts."),
    ...pricesOf(units),
    limit: units.count
      .optional()
      .describe("The most tokens that the model puts out; set where a request does not say less."),
    long: z
      .strictObject({ above: units.count, ...pricesOf(units) })
      .optional()
      .describe("The prices of a request with more input than `above` tokens."),
  });
  return z.strictObject({
    version: z.literal(1),
    date: z.iso.date().describe("When these prices were looked up."),
    note: z.string().max(2000).optional(),
    models: z.array(model).min(1).max(1000),
  });
}

/** A price table as it is written, in dollars. */
export const writtenPrices = tableOf(written);
/** A price table once it is read, in micro-dollars: what a settled policy holds. */
export const priceTable = tableOf(settled);
export type PriceTable = z.infer<typeof priceTable>;
export type ModelPrice = PriceTable["models"][number];
type Rates = Pick<ModelPrice, "input" | "output" | "cached" | "cache-write" | "cache-write-hour">;

/** The line of a table for a model; undefined where it has no price. */
export function priceOf(table: PriceTable | undefined, model: string): ModelPrice | undefined {
  return table?.models.find((line) => modelMatches(line.model, model));
}

/** Micro-dollars of an answer, rounded up to a whole one. */
export function costOf(price: ModelPrice, usage: ModelUsage): number {
  const rates = ratesFor(price, usage.input + usage.cached + usage.cacheWrite);
  const hour = usage.cacheHour ?? 0;
  const write = rates["cache-write"] ?? rates.input;
  return total([
    [usage.input, rates.input],
    [usage.cached, rates.cached ?? rates.input],
    [usage.cacheWrite - hour, write],
    [hour, rates["cache-write-hour"] ?? write],
    [usage.output, rates.output],
  ]);
}

/** The most micro-dollars that a request can come to with so much input and output. */
export function worstCost(price: ModelPrice, input: number, output: number): number {
  return Math.max(
    worstAt(price, input, output),
    // A request that may be long may be dearer or cheaper than a short one: whichever is more.
    price.long && input > price.long.above ? worstAt(price.long, input, output) : 0,
  );
}

/** The most output whose worst case is within `microusd`, or -1 where not even the input is. */
export function outputWithin(price: ModelPrice, input: number, microusd: number): number {
  let low = -1;
  let high = 2 ** 31;
  while (low < high - 1) {
    const middle = Math.floor((low + high) / 2);
    if (worstCost(price, input, middle) <= microusd) low = middle;
    else high = middle;
  }
  return low;
}

function worstAt(rates: Rates, input: number, output: number): number {
  const dearest = Math.max(rates.input, rates.cached ?? 0, rates["cache-write"] ?? 0, rates["cache-write-hour"] ?? 0);
  return total([
    [input, dearest],
    [output, rates.output],
  ]);
}

function ratesFor(price: ModelPrice, input: number): Rates {
  return price.long && input > price.long.above ? price.long : price;
}

const million = 1_000_000n;

function total(parts: readonly (readonly [count: number, rate: number])[]): number {
  const sum = parts.reduce((all, [count, rate]) => all + BigInt(count) * BigInt(rate), 0n);
  const whole = (sum + million - 1n) / million;
  // What no number can hold is more than any budget.
  return whole > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(whole);
}
