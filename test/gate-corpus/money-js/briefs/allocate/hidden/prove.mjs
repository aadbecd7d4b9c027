import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

const { demand } = await import(`${process.env.CORPUS}/properties.mjs`);
const { demandTeeth } = await import(`${process.env.CORPUS}/teeth.mjs`);
demand({ allowed: ["src/", "test/", "README.md"] });

const load = (directory, path) => import(pathToFileURL(`${directory}/${path}`).href);
const { allocate, ...rest } = await load(process.cwd(), "src/index.mjs");
const before = await load(process.env.BASE, "src/index.mjs");

function expected(cents, weights) {
  if (cents < 0) return expected(-cents, weights).map((n) => 0 - n);
  const total = weights.reduce((a, b) => a + BigInt(b), 0n);
  const parts = weights.map((w, i) => ({ i, share: (BigInt(cents) * BigInt(w)) / total, rest: (BigInt(cents) * BigInt(w)) % total }));
  let left = BigInt(cents) - parts.reduce((a, p) => a + p.share, 0n);
  for (const p of [...parts].sort((a, b) => (a.rest === b.rest ? a.i - b.i : a.rest > b.rest ? -1 : 1))) if (left-- > 0n) p.share += 1n;
  return parts.map((p) => Number(p.share));
}
const plain = (list) => list.map((n) => n + 0);
const weights = [[1], [1, 1], [1, 1, 1], [3, 2], [1, 5], [0, 1], [1, 0, 1], [0, 0, 7], [1, 2, 3, 4], [5, 5, 5, 5, 5, 5, 5], [99, 1], [7, 11, 13, 17], [1, 1000000], [2, 1, 2, 1, 2], [12, 5, 12, 5], [10, 9, 10, 2]];
for (const w of weights)
  for (const cents of [0, 1, 2, 3, 5, 7, 10, 99, 100, 101, 1000, 12345, -1, -2, -3, -7, -100, -101, -999]) {
    const copy = [...w];
    const got = allocate(cents, w);
    assert.deepEqual(plain(got), plain(expected(cents, w)), `${cents} ${w}`);
    assert.deepEqual(w, copy, "the weights were changed");
  }
const many = Array.from({ length: 25 }, (_, i) => 1 + (i % 2));
assert.deepEqual(plain(allocate(1001, many)), expected(1001, many));
assert.deepEqual(plain(allocate(900719925474099, [3, 5, 7])), expected(900719925474099, [3, 5, 7]));
for (const cents of [900719925474093, 9007199254740991, 4503599627370497, 9007199254740880])
  for (const w of [[1, 1, 1], [3, 5, 7], [7, 11, 13], [1, 999, 3]]) assert.deepEqual(plain(allocate(cents, w)), expected(cents, w), `${cents} ${w}`);
assert.deepEqual(plain(allocate(100, Object.freeze([1, 2]))), [33, 67]);
for (const bad of [[], [0], [0, 0], [1, -1], [-1]]) assert.throws(() => allocate(10, bad), RangeError, JSON.stringify(bad));
for (const bad of [1.5, "10", Number.NaN]) assert.throws(() => allocate(bad, [1]), TypeError);

// What was there stays as it was.
assert.deepEqual(Object.keys(rest).sort(), Object.keys(before).sort());
for (const [a, b] of [[10, 3], [5, 2], [-7, 2], [1, 8]]) assert.equal(rest.divide(a, b) + 0, before.divide(a, b) + 0);
for (const n of [0, 5, -100, 123456]) assert.equal(rest.format(n, "GBP"), before.format(n, "GBP"));
assert.throws(() => rest.parse("1.2.3"), SyntaxError);
const of = (lib) => new lib.Invoice({ customer: "A" }).add({ text: "x", quantity: 3, price: 333 }).discount(777);
assert.equal(of(rest).total(1900), of(before).total(1900));
assert.deepEqual(rest.statement([of(rest)], { fee: 150 }), before.statement([of(before)], { fee: 150 }));

const wrong = (body) => ({ "src/allocate.mjs": `export function allocate(cents, weights) {\n${body}\n}\n` });
const floors = "const total = weights.reduce((a, b) => a + b, 0); const shares = weights.map((w) => Math.floor((cents * w) / total));";
const refuse = 'if (weights.length === 0 || weights.some((w) => w < 0) || weights.every((w) => w === 0)) throw new RangeError("no");';
demandTeeth({
  "cents are lost": wrong(`${refuse} ${floors} return shares;`),
  "cents that are left go to the first": wrong(`${refuse} ${floors} shares[0] += cents - shares.reduce((a, b) => a + b, 0); return shares;`),
  "nothing is refused": wrong(`${floors} let left = cents - shares.reduce((a, b) => a + b, 0); const by = weights.map((w, i) => [(cents * w) % total, i]).sort((a, b) => b[0] - a[0]); for (const [, i] of by) if (left-- > 0) shares[i] += 1; return shares;`),
});
