import assert from "node:assert/strict";
import test from "node:test";
import { slugify, unique } from "../src/slug.mjs";

test("slugify joins words", () => {
  assert.equal(slugify("  Hello, World! "), "hello-world");
});

test("unique counts up", () => {
  assert.equal(unique("Hello", new Set(["hello", "hello-2"])), "hello-3");
});
