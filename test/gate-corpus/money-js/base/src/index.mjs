export { Invoice } from "./invoice.mjs";
export { format, parse } from "./format.mjs";
export { assertCents, divide, percent, sum } from "./money.mjs";
export { statement } from "./statement.mjs";
