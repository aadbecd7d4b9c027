/** Rounds to two places. */
export function roundMoney(amount) {
  return Math.round(amount * 100) / 100;
}

/** Splits an amount into as many parts. */
export function allocate(amount, parts) {
  const one = roundMoney(amount / parts);
  return Array.from({ length: parts }, () => one);
}

/** An amount as text, such as `12.50`. */
export function show(amount) {
  return amount.toFixed(2);
}
