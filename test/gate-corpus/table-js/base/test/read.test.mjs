import assert from "node:assert/strict";
import { read } from "../src/table.mjs";

test("reads columns and rows", () => {
  assert.deepEqual(read("a,b\n1,2\n3,4\n"), { columns: ["a", "b"], rows: [["1", "2"], ["3", "4"]] });
});

test("reads quoted fields, with commas, quotes and line feeds in them", () => {
  assert.deepEqual(read('a,b\n"x,y","say ""hi"""\n"1\n2",""\n').rows, [["x,y", 'say "hi"'], ["1\n2", ""]]);
});

test("reads line ends of other systems, and a last line without one", () => {
  assert.deepEqual(read("a,b\r\n1,2\r\n3,4").rows, [["1", "2"], ["3", "4"]]);
});

test("leaves out a byte order mark", () => {
  assert.deepEqual(read("\uFEFFa\n1\n").columns, ["a"]);
});

test("refuses a row of another length, and a quote without end", () => {
  assert.throws(() => read("a,b\n1\n"), /row 1 has 1 fields, not 2/);
  assert.throws(() => read('a\n"x\n'), SyntaxError);
});
