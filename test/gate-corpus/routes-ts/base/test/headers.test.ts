import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { headerMap } from "../src/index.ts";

describe("headers", () => {
  const headers = headerMap([["Accept", "a/b"], ["X-One", "1"], ["accept", "c/d"]]);

  it("are found whatever their case", () => {
    assert.equal(headers.get("x-ONE"), "1");
    assert.equal(headers.has("accept"), true);
    assert.equal(headers.get("none"), undefined);
  });

  it("of one name are joined", () => assert.equal(headers.get("Accept"), "a/b, c/d"));

  it("have names in order", () => assert.deepEqual(headers.names(), ["accept", "x-one"]));
});
