import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { format, parse } from "../src/index.mjs";

describe("format", () => {
  it("groups thousands and keeps two decimals", () => {
    assert.equal(format(123_450), "1,234.50 €");
    assert.equal(format(5, "USD"), "0.05 $");
    assert.equal(format(-100, "CHF"), "-1.00 CHF");
  });

  it("reads what it writes", () => {
    assert.equal(parse("1,234.50"), 123_450);
    assert.equal(parse("-7"), -700);
    assert.equal(parse(" 0.5 "), 50);
  });

  it("refuses two decimal separators", () => {
    assert.throws(() => parse("1.2.3"), SyntaxError);
  });
});
