import { assertCents, percent, sum } from "./money.mjs";

/** An invoice: lines, one discount over all of them, and tax on what is left. */
export class Invoice {
  #lines = [];
  #discount = 0;

  constructor({ currency = "EUR", customer = "" } = {}) {
    this.currency = currency;
    this.customer = customer;
  }

  /** Adds a line. The quantity may be a fraction with up to three decimals, such as hours. */
  add({ text, quantity = 1, price }) {
    if (!(quantity > 0)) throw new RangeError(`a quantity above zero is needed: ${quantity}`);
    this.#lines.push({ text, quantity, price: assertCents(price) });
    return this;
  }

  /** Sets the discount, in basis points. */
  discount(basisPoints) {
    if (basisPoints < 0 || basisPoints > 10_000) throw new RangeError(`a discount of 0 to 100 % is needed`);
    this.#discount = basisPoints;
    return this;
  }

  /** The lines with their amounts, in the order they were added. */
  lines() {
    return this.#lines.map((line) => ({ ...line, amount: lineAmount(line) }));
  }

  /** What the lines come to, less the discount. */
  net() {
    const gross = sum(this.lines().map((line) => line.amount));
    return gross - percent(gross, this.#discount);
  }

  /** The tax on the net amount, at a rate in basis points. */
  tax(rate) {
    return percent(this.net(), rate);
  }

  /** Net amount and tax. */
  total(rate = 0) {
    return this.net() + this.tax(rate);
  }
}

function lineAmount({ quantity, price }) {
  const thousandths = Math.round(quantity * 1000);
  return Math.round((thousandths * price) / 1000);
}
