import assert from "node:assert/strict";
import test from "node:test";
import { Cache } from "../src/cache.mjs";

test("a value is made once", () => {
  let made = 0;
  const cache = new Cache(2);
  const loader = () => ++made;
  assert.equal(cache.get("a", loader), 1);
  assert.equal(cache.get("a", loader), 1);
});
