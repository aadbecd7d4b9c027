/** Amounts are integers of cents. */

/** The amount itself. Throws where it is not a safe integer. */
export function assertCents(value) {
  if (!Number.isSafeInteger(value)) throw new TypeError(`not an amount in cents: ${String(value)}`);
  return value;
}

/** `numerator / denominator` as a whole number, rounded to the nearest; halves go up. */
export function divide(numerator, denominator) {
  assertCents(numerator);
  assertCents(denominator);
  if (denominator === 0) throw new RangeError("division by zero");
  return Math.round(numerator / denominator);
}

/** So many basis points (1/100 of a per cent) of an amount. */
export function percent(cents, basisPoints) {
  return divide(assertCents(cents) * assertCents(basisPoints), 10_000);
}

/** The sum of amounts. */
export function sum(amounts) {
  let total = 0;
  for (const cents of amounts) total += assertCents(cents);
  return assertCents(total);
}
