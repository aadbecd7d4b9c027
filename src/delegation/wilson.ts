/** How far a rate can be trusted after so many tries. Pure. */

/** The 97.5 % point of the normal distribution: what lies between it and its negative is 95 %. */
const z = 1.959963984540054;

/** A rate with its bounds, from 0 to 1. */
export interface Rate {
  count: number;
  of: number;
  /** Undefined where nothing was tried. */
  rate: number | undefined;
  low: number;
  high: number;
}

/**
 * The Wilson score interval (95 %, without continuity correction) of `count` in `of` tries: Wilson 1927, "Probable
 * inference, the law of succession, and statistical inference", J. Amer. Statist. Assoc. 22, 209–212. With no tries it is
 * from 0 to 1: nothing is known.
 */
export function wilson(count: number, of: number): Rate {
  if (!(of > 0)) return { count: 0, of: 0, rate: undefined, low: 0, high: 1 };
  const rate = count / of;
  const spread = z * Math.sqrt((rate * (1 - rate)) / of + (z * z) / (4 * of * of));
  const middle = rate + (z * z) / (2 * of);
  const scale = 1 + (z * z) / of;
  // At the ends the formula gives 0 and 1 but for what a float loses.
  const low = count === 0 ? 0 : Math.max(0, (middle - spread) / scale);
  const high = count === of ? 1 : Math.min(1, (middle + spread) / scale);
  return { count, of, rate, low, high };
}
