import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { demand } = await import(`${process.env.CORPUS}/properties.mjs`);
const { demandTeeth } = await import(`${process.env.CORPUS}/teeth.mjs`);
demand({ allowed: ["src/", "test/"] });

const load = (path) => import(pathToFileURL(`${process.cwd()}/${path}`).href);
const { divide, percent, Invoice, sum, assertCents, format, statement } = await load("src/index.mjs");
const { lateFee } = await load("src/statement.mjs");

/** By BigInt, exactly. */
function exact(a, b) {
  if (b < 0) [a, b] = [-a, -b];
  const [n, d] = [BigInt(a), BigInt(b)];
  let floor = n / d;
  if (n % d < 0n) floor -= 1n;
  const twice = 2n * (n - floor * d);
  return Number(twice > d || (twice === d && floor % 2n !== 0n) ? floor + 1n : floor);
}
for (let a = -60; a <= 60; a++)
  for (const b of [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, -2, -3, -4]) assert.equal(divide(a, b) + 0, exact(a, b) + 0, `${a}/${b}`);
for (const [a, b] of [[9007199254740991, 2], [9007199254740989, 2], [-9007199254740991, 2], [9007199254740985, 10], [900719925474099, 1000], [4503599627370497, 2], [12345678901235, 10000], [9007199254740990, 4], [14999, 10000], [25001, 10000], [35001, 10000]])
  assert.equal(divide(a, b), exact(a, b), `${a}/${b}`);
assert.throws(() => divide(1, 0), RangeError);
assert.throws(() => divide(0, 0), RangeError);
assert.throws(() => divide(1.5, 1), TypeError);
assert.throws(() => divide(1, "2"), TypeError);
for (const cents of [50, 150, 250, -50, -150, 33, 34, 12345])
  for (const rate of [100, 300, 1900, 700, 5000]) assert.equal(percent(cents, rate) + 0, exact(cents * rate, 10_000) + 0);

const one = (quantity, price) => new Invoice({ customer: "A" }).add({ text: "x", quantity, price });
for (const [q, price] of [[0.5, 25], [0.5, 27], [0.5, -25], [0.5, -27], [1.5, 1], [2.5, 1], [0.125, 100], [0.375, 100], [1.005, 100], [1.005, 1000], [0.289, 1000], [3, 19], [0.1, 15], [0.001, 500], [0.001, 1500], [1, 7]])
  assert.equal(one(q, price).lines()[0].amount + 0, exact(Math.round(q * 1000) * price, 1000) + 0, `${q} x ${price}`);
assert.equal(one(1, 50).discount(100).net(), 50);
assert.equal(one(1, 150).discount(100).net(), 148);
assert.equal(one(1, 50).tax(100), 0);
assert.equal(one(1, 250).total(100), 252);
assert.equal(lateFee(50, 100), 0);
assert.equal(lateFee(150, 100), 2);
assert.equal(lateFee(-150, 100), 0);
assert.equal(statement([one(1, 250)], { fee: 100 })[0].owed, 252);
assert.equal(statement([one(1, 100), one(1, 150)], { fee: 100 })[0].owed, 252);
// What was there stays as it was.
assert.equal(sum([1, 2]), 3);
assert.throws(() => assertCents(0.5), TypeError);
assert.equal(format(-5, "GBP"), "-0.05 £");
assert.deepEqual(Object.keys(await load("src/index.mjs")).sort(), ["Invoice", "assertCents", "divide", "format", "parse", "percent", "statement", "sum"]);
assert.throws(() => new Invoice().add({ text: "x", quantity: -1, price: 1 }), RangeError);
for (const file of ["format", "statement"])
  assert.equal(readFileSync(`src/${file}.mjs`, "utf8").includes("export function"), true);
const lines = one(2, 3).lines();
assert.deepEqual(lines, [{ text: "x", quantity: 2, price: 3, amount: 6 }]);

const money = readFileSync(`${process.env.BASE}/src/money.mjs`, "utf8");
demandTeeth({ "halves go up again": { "src/money.mjs": money } });
