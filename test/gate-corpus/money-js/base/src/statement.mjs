import { format } from "./format.mjs";
import { percent, sum } from "./money.mjs";

/** What each customer owes, largest first; customers who owe the same stand in the order of their names. */
export function statement(invoices, { rate = 0, fee = 0 } = {}) {
  const byCustomer = Map.groupBy(invoices, (invoice) => invoice.customer);
  return [...byCustomer]
    .map(([customer, own]) => {
      const owed = sum(own.map((invoice) => invoice.total(rate)));
      return { customer, invoices: own.length, owed: owed + lateFee(owed, fee) };
    })
    .sort((a, b) => b.owed - a.owed || (a.customer < b.customer ? -1 : 1));
}

/** The fee on what is overdue, in basis points of it. */
export function lateFee(owed, basisPoints) {
  return owed > 0 ? percent(owed, basisPoints) : 0;
}

/** A statement as lines of text. */
export function printStatement(rows, currency = "EUR") {
  return rows.map(({ customer, owed }) => `${customer.padEnd(24)}${format(owed, currency).padStart(16)}`);
}
