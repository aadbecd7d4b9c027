import { assertCents } from "./money.mjs";

const symbols = { EUR: "€", USD: "$", GBP: "£" };

/** An amount for people: `1,234.50 €`. An unknown currency is shown by its code. */
export function format(cents, currency = "EUR") {
  assertCents(cents);
  const digits = String(Math.abs(cents)).padStart(3, "0");
  const whole = digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${cents < 0 ? "-" : ""}${whole}.${digits.slice(-2)} ${symbols[currency] ?? currency}`;
}

/** The amount that a text gives, such as `1,234.50` or `-7`. Throws a SyntaxError where it gives none. */
export function parse(text) {
  const match = /^\s*(-?)(\d{1,3}(?:,\d{3})*|\d+)(?:\.(\d{1,2}))?\s*$/.exec(text);
  if (!match) throw new SyntaxError(`not an amount: ${JSON.stringify(text)}`);
  const [, sign, whole, part = ""] = match;
  const cents = Number(whole.replaceAll(",", "")) * 100 + Number(part.padEnd(2, "0"));
  return assertCents(sign === "-" ? -cents : cents);
}
