import assert from "node:assert/strict";
import { head, pick, read, sortBy, totals } from "../src/table.mjs";

const table = read("name,city,amount\nCy,Rome,3\nAl,Oslo,1\nBo,Rome,2\n");
const names = ({ rows }) => rows.map(([name]) => name).join(" ");

test("takes the first rows", () => assert.equal(names(head(table, 2)), "Cy Al"));

test("picks columns in the order asked for", () => {
  assert.deepEqual(pick(table, ["city", "name"]).rows[0], ["Rome", "Cy"]);
});

test("sorts by a column, and keeps the order of equal rows", () => {
  assert.equal(names(sortBy(table, "name")), "Al Bo Cy");
  assert.equal(names(sortBy(table, "city")), "Al Cy Bo");
  assert.equal(names(table), "Cy Al Bo");
});

test("sums a column by another", () => {
  assert.deepEqual([...totals(table, "city", "amount")], [["Rome", 5], ["Oslo", 1]]);
});

test("refuses a column that is not there", () => {
  assert.throws(() => pick(table, ["age"]), RangeError);
});
