import assert from "node:assert/strict";
import { read, write } from "../src/table.mjs";

test("writes what it read", () => {
  const text = 'a,b\n"x,y","say ""hi"""\nplain,2\n';
  assert.equal(write(read(text)), text);
});

test("writes numbers as they are", () => {
  assert.equal(write({ columns: ["n"], rows: [[1.5], [-2]] }), "n\n1.5\n-2\n");
});
