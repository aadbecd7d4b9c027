import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseQuery } from "../src/index.ts";

describe("query", () => {
  it("keeps all values of a name in order", () => {
    assert.deepEqual([...parseQuery("?a=1&b=2&a=3")], [["a", ["1", "3"]], ["b", ["2"]]]);
  });

  it("decodes names and values, and plus as a space", () => {
    assert.deepEqual([...parseQuery("n%C3%A4me=a+b%21")], [["näme", ["a b!"]]]);
  });

  it("leaves what cannot be decoded", () => {
    assert.deepEqual(parseQuery("x=%zz").get("x"), ["%zz"]);
  });

  it("knows a name without a value", () => {
    assert.deepEqual([...parseQuery("a&&b=")], [["a", [""]], ["b", [""]]]);
  });
});
