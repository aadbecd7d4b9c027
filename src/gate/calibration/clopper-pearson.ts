/** Exact one-sided bounds of a rate. Pure. */

/**
 * The upper 95 % bound of a rate after `count` in `of` independent tries: the rate at which so few would come about in 5 %
 * of all series. Clopper and Pearson 1934, "The use of confidence or fiducial limits illustrated in the case of the binomial",
 * Biometrika 26, 404–413; exact, so it holds for few tries and for none (1: nothing is known). With no event it is
 * 1 − 0.05^(1/n), about 3/n.
 */
export function upperBound(count: number, of: number, confidence = 0.95): number {
  check(count, of);
  if (of === 0 || count === of) return 1;
  if (count === 0) return 1 - (1 - confidence) ** (1 / of);
  // The chance of at most `count` falls as the rate grows.
  return solve((rate) => atMost(count, of, rate) - (1 - confidence));
}

/** The lower 95 % bound, likewise: 0 where nothing was counted. */
export function lowerBound(count: number, of: number, confidence = 0.95): number {
  check(count, of);
  return of === 0 ? 0 : 1 - upperBound(of - count, of, confidence);
}

function check(count: number, of: number): void {
  if (!Number.isInteger(count) || !Number.isInteger(of) || count < 0 || of < count)
    throw new RangeError(`no rate: ${count} of ${of}`);
}

/** The zero of a function that falls from 0 to 1. */
function solve(falling: (rate: number) => number): number {
  let low = 0;
  let high = 1;
  for (let step = 0; step < 100 && low < high; step++) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (falling(middle) > 0) low = middle;
    else high = middle;
  }
  return high;
}

/** The chance of at most `count` events in `of` tries: terms from the largest down, in logarithms, so that none is lost. */
function atMost(count: number, of: number, rate: number): number {
  if (rate <= 0) return 1;
  if (rate >= 1) return count >= of ? 1 : 0;
  let logChoose = 0;
  const logs: number[] = [];
  for (let k = 0; k <= count; k++) {
    if (k > 0) logChoose += Math.log((of - k + 1) / k);
    logs.push(logChoose + k * Math.log(rate) + (of - k) * Math.log1p(-rate));
  }
  const most = Math.max(...logs);
  return Math.exp(most) * logs.reduce((sum, log) => sum + Math.exp(log - most), 0);
}
