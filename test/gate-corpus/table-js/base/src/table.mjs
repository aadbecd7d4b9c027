import { readRows } from "./read.mjs";
import { writeRows } from "./write.mjs";

/** A table: the names of its columns, and rows of as many texts. */
export function read(text) {
  const [columns = [], ...rows] = readRows(text.replace(/^\uFEFF/, ""));
  const wrong = rows.findIndex((row) => row.length !== columns.length);
  if (wrong !== -1) throw new SyntaxError(`row ${wrong + 1} has ${rows[wrong].length} fields, not ${columns.length}`);
  return { columns, rows };
}

/** The table as text. */
export function write({ columns, rows }) {
  return writeRows([columns, ...rows]);
}

/** The first rows. */
export function head({ columns, rows }, count) {
  return { columns, rows: rows.slice(0, count) };
}

/** Some columns, in the order asked for. */
export function pick(table, names) {
  const places = names.map((name) => placeOf(table, name));
  return { columns: [...names], rows: table.rows.map((row) => places.map((place) => row[place])) };
}

/** The rows in the order of a column, compared as text. Rows that are equal there stay in their order. */
export function sortBy(table, name) {
  const place = placeOf(table, name);
  return { columns: table.columns, rows: [...table.rows].sort((a, b) => compareText(a[place], b[place])) };
}

/** The sums of a column by the values of another, in the order in which these come first. */
export function totals(table, by, of) {
  const [key, value] = [placeOf(table, by), placeOf(table, of)];
  const sums = new Map();
  for (const row of table.rows) sums.set(row[key], (sums.get(row[key]) ?? 0) + Number(row[value]));
  return sums;
}

function placeOf({ columns }, name) {
  const place = columns.indexOf(name);
  if (place === -1) throw new RangeError(`there is no column ${JSON.stringify(name)}`);
  return place;
}

function compareText(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
