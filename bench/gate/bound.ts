/**
 * The exact bound of Clopper and Pearson ("The use of confidence or fiducial limits illustrated in the case of the
 * binomial", Biometrika 26, 1934), one-sided: the rate at which so few events would still be seen with 5 % probability.
 */

/** The largest rate, from 0 to 1, at which `events` or fewer of `trials` have a probability of `1 - confidence`. */
export function upperBound(events: number, trials: number, confidence = 0.95): number {
  if (trials === 0 || events >= trials) return 1;
  let low = events / trials;
  let high = 1;
  for (let step = 0; step < 60; step++) {
    const rate = (low + high) / 2;
    if (atMost(events, trials, rate) > 1 - confidence) low = rate;
    else high = rate;
  }
  return high;
}

/** The probability of `events` or fewer in `trials` at a rate. */
function atMost(events: number, trials: number, rate: number): number {
  let total = 0;
  // Of log(n over k), which overflows for no corpus that a person writes.
  let choose = 0;
  for (let k = 0; k <= events; k++) {
    if (k > 0) choose += Math.log(trials - k + 1) - Math.log(k);
    total += Math.exp(choose + k * Math.log(rate) + (trials - k) * Math.log1p(-rate));
  }
  return Math.min(1, total);
}
