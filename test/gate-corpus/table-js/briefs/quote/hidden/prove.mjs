import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { demand } = await import(`${process.env.CORPUS}/properties.mjs`);
const { demandTeeth } = await import(`${process.env.CORPUS}/teeth.mjs`);
demand({ allowed: ["src/", "test/"] });

const load = (directory) => import(pathToFileURL(`${directory}/src/table.mjs`).href);
const { read, write, ...others } = await load(process.cwd());
const base = await load(process.env.BASE);
const back = (rows, options) => read(write({ columns: rows[0].map((_, i) => `c${i}`), rows }, options), options).rows;
const hard = [["a,b", "c;d"], ['q"q', "x\ny"], ["x\r", "\ry"], ["x\r\ny", "\t"], [" lead", "trail "], ["", " "], ["plain", "1.5"], ["tab\there", "pipe|"], ["\u00A0nb", "é"], ["'a'", '"'], ["\n", "\r\n"]];
for (const options of [undefined, {}, { separator: "," }, { separator: ";" }, { separator: "\t" }, { separator: "|" }, { separator: "." }, { separator: "^" }, { separator: "\\" }, { separator: "]" }, { separator: "$" }, { separator: "-" }]) {
  assert.deepEqual(back(hard, options), hard, JSON.stringify(options));
  assert.deepEqual(back([["", ""], ["", "x"]], options), [["", ""], ["", "x"]]);
}
const line = (value, options) => write({ columns: ["c"], rows: [[value]] }, options).split("c\n")[1];
for (const [value, want, options] of [
  ["x,y", '"x,y"\n'], ["x,y", "x,y\n", { separator: ";" }], ["x,y", "x,y\n", { separator: "\t" }], ["x;y", "x;y\n"], ["x;y", '"x;y"\n', { separator: ";" }],
  ["a b", "a b\n"], [" a", '" a"\n'], ["a ", '"a "\n'], ["\ta", '"\ta"\n'], ["a\tb", "a\tb\n"], ["a\tb", '"a\tb"\n', { separator: "\t" }],
  ["a\rb", '"a\rb"\n'], ["a\nb", '"a\nb"\n'], ['a"b', '"a""b"\n'], [null, "\n"], [undefined, "\n"], ["", "\n"], [0, "0\n"], [false, "false\n"], [Number.NaN, "NaN\n"],
  ["a.b", "a.b\n"], ["a.b", '"a.b"\n', { separator: "." }], ["ab", "ab\n", { separator: "." }], ["-1", "-1\n"], ["\u00A0a", '"\u00A0a"\n'], ["null", "null\n"],
]) assert.equal(line(value, options), want, JSON.stringify([value, options]));
for (const separator of ["", "ab", '"', "\n", "\r", ";;"]) {
  assert.throws(() => read("a\n", { separator }), RangeError, JSON.stringify(separator));
  assert.throws(() => write({ columns: ["a"], rows: [] }, { separator }), RangeError, JSON.stringify(separator));
}
assert.deepEqual(read('a;b\n"x;""y";z\n', { separator: ";" }), { columns: ["a", "b"], rows: [['x;"y', "z"]] });
assert.deepEqual(read("a;b\r\n1;2", { separator: ";" }).rows, [["1", "2"]]);
assert.throws(() => read("a;b\n1\n", { separator: ";" }), /row 1 has 1 fields, not 2/);
assert.deepEqual(read("\uFEFFa;b\n", { separator: ";" }).columns, ["a", "b"]);
// Names of columns are fields like others.
assert.equal(write({ columns: [" a", null], rows: [] }), '" a",\n');
const table = Object.freeze({ columns: Object.freeze(["a"]), rows: Object.freeze([Object.freeze(["x"])]) });
assert.equal(write(table), "a\nx\n");

// What was there stays as it was.
assert.deepEqual(Object.keys(others).sort(), Object.keys(base).filter((k) => k !== "read" && k !== "write").sort());
const t = base.read("n,c,v\nCy,R,3\nAl,O,1\nBo,R,2\nAl,R,10\n");
for (const name of ["n", "c", "v"]) assert.deepEqual(others.sortBy(t, name), base.sortBy(t, name));
assert.deepEqual([...others.totals(t, "c", "v")], [...base.totals(t, "c", "v")]);
assert.deepEqual(others.head(t, 1), base.head(t, 1));
assert.deepEqual(others.pick(t, ["v", "n"]), base.pick(t, ["v", "n"]));
assert.throws(() => others.sortBy(t, "zz"), RangeError);
for (const text of ["a,b\n1,2\n", 'a\n"x""y"\n', "a\r\n1", "a\n\n", "a,b\n,\n"]) assert.deepEqual(read(text), base.read(text));

const file = (path) => readFileSync(`${process.env.BASE}/${path}`, "utf8");
demandTeeth({ "nothing was done": { "src/table.mjs": file("src/table.mjs"), "src/read.mjs": file("src/read.mjs"), "src/write.mjs": file("src/write.mjs") } }, ["node", "test/run.mjs"]);
