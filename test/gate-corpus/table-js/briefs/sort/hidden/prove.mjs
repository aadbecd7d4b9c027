import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { demand } = await import(`${process.env.CORPUS}/properties.mjs`);
const { demandTeeth } = await import(`${process.env.CORPUS}/teeth.mjs`);
// Words of the command line are the brief's own business.
demand({ allowed: ["src/", "test/", "bin/"] });

const load = (directory) => import(pathToFileURL(`${directory}/src/table.mjs`).href);
const { sortBy, ...others } = await load(process.cwd());
const base = await load(process.env.BASE);
const table = (values) => ({ columns: ["v", "at"], rows: values.map((value, at) => [value, String(at)]) });
const order = (values, options) => sortBy(table(values), "v", options).rows.map((row) => row[1]).join(" ");
for (const [values, options, want] of [
  [["10", "9", "1"], { numeric: true }, "2 1 0"],
  [["10", "9", "1"], {}, "2 0 1"],
  [["10", "9", "1"], undefined, "2 0 1"],
  [["10", "9", "1"], { numeric: true, descending: true }, "0 1 2"],
  [["a", "c", "b"], { descending: true }, "1 2 0"],
  [["1", "", "x", "-2", "0"], { numeric: true }, "3 4 0 1 2"],
  [["1", "", "x", "-2", "0"], { numeric: true, descending: true }, "0 4 3 1 2"],
  [["x", "", "y"], { numeric: true, descending: true }, "0 1 2"],
  [["2", "2.0", "1", "2"], { numeric: true }, "2 0 1 3"],
  [["2", "2.0", "1", "2"], { numeric: true, descending: true }, "0 1 3 2"],
  [["b", "a", "b", "a"], { descending: true }, "0 2 1 3"],
  [["b", "a", "b", "a"], {}, "1 3 0 2"],
  [["1e3", "999", "0x10", "1000"], { numeric: true }, "2 1 0 3"],
  [["-1", "-10", "-2"], { numeric: true }, "1 2 0"],
  [["  ", "3", " 4 "], { numeric: true }, "1 2 0"],
  [["NaN", "Infinity", "5"], { numeric: true }, "2 1 0"],
  [["0.1", "0.09", "-0", "0"], { numeric: true }, "2 3 1 0"],
  [["9007199254740993", "1", "x", "2"], { numeric: true, descending: true }, "0 3 1 2"],
  [[], { numeric: true }, ""],
  [["5"], { numeric: true, descending: true }, "0"],
  [["", "b", "a"], {}, "0 2 1"],
  [["", "b", "a"], { descending: true }, "1 2 0"],
  [["0 apples", "2", "1"], { numeric: true }, "2 1 0"],
  [["3", "1", "2"], { numeric: false, descending: false }, "1 2 0"],
])
  assert.equal(order(values, options), want, `${JSON.stringify(values)} ${JSON.stringify(options)}`);
const many = Array.from({ length: 300 }, (_, at) => String((at * 7) % 5));
const stable = [...many.keys()].sort((a, b) => Number(many[b]) - Number(many[a]) || a - b).join(" ");
assert.equal(order(many, { numeric: true, descending: true }), stable);
const before = table(["3", "1", "2"]);
const frozen = JSON.stringify(before);
sortBy(before, "v", { numeric: true, descending: true });
assert.equal(JSON.stringify(before), frozen);
assert.throws(() => sortBy(before, "zz", { numeric: true }), RangeError);

const cli = (directory, ...words) => spawnSync(process.execPath, [`${directory}/bin/table.mjs`, ...words], { input: "v,n\n10,a\n9,b\n,c\n10,d\n", encoding: "utf8", timeout: 10_000 });
const shown = (...words) => cli(process.cwd(), ...words).stdout.split("\n").slice(1, -1).map((line) => line.split(",")[1]).join("");
assert.equal(shown("sort", "v", "numeric"), "badc");
assert.equal(shown("sort", "v", "numeric", "descending"), "adbc");
assert.equal(shown("sort", "v", "descending", "numeric"), "adbc");
assert.equal(shown("sort", "v", "descending"), "badc");
assert.equal(shown("sort", "v"), "cadb");
for (const words of [["head", "2"], ["columns", "n"], ["sort", "v"], ["none"]]) {
  const [now, was] = [cli(process.cwd(), ...words), cli(process.env.BASE, ...words)];
  assert.deepEqual([now.stdout, now.status], [was.stdout, was.status], words.join(" "));
}
// What was there stays as it was.
assert.deepEqual(Object.keys(others).sort(), Object.keys(base).filter((k) => k !== "sortBy").sort());
for (const text of ["a,b\n1,2\n", 'a\n"x""y"\n', "a\r\n1", "\uFEFFa\n1\n"]) {
  assert.deepEqual(others.read(text), base.read(text));
  assert.equal(others.write(others.read(text)), base.write(base.read(text)));
}
const t = base.read("n,c,v\nCy,R,3\nAl,O,1\nBo,R,2\n");
assert.deepEqual([...others.totals(t, "c", "v")], [...base.totals(t, "c", "v")]);
assert.deepEqual([others.head(t, 1), others.pick(t, ["v"])], [base.head(t, 1), base.pick(t, ["v"])]);

const was = readFileSync(`${process.env.BASE}/src/table.mjs`, "utf8");
demandTeeth({ "nothing was done": { "src/table.mjs": was } }, ["node", "test/run.mjs"]);
