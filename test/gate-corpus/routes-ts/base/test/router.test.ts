import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Router } from "../src/index.ts";

const noop = () => {};
const router = () =>
  new Router()
    .add("GET", "/users", noop)
    .add("POST", "/users", noop)
    .add("get", "/users/:id", noop)
    .add("GET", "/users/me", noop)
    .add("GET", "/files/*path", noop);

describe("router", () => {
  it("finds a fixed route", () => {
    assert.equal(router().match("GET", "/users")?.pattern, "/users");
    assert.equal(router().match("post", "/users/")?.pattern, "/users");
  });

  it("gives the parameters, decoded", () => {
    assert.deepEqual(router().match("GET", "/users/a%20b")?.params, { id: "a b" });
    assert.deepEqual(router().match("GET", "/files/x/y.txt")?.params, { path: "x/y.txt" });
  });

  it("prefers the more specific route", () => {
    assert.equal(router().match("GET", "/users/me")?.pattern, "/users/me");
  });

  it("matches nothing where a part is missing, left over or broken", () => {
    for (const path of ["/", "/users/1/2", "/files", "/users/%zz"]) assert.equal(router().match("GET", path), undefined);
  });

  it("refuses a route that is there already, and a rest that is not last", () => {
    assert.throws(() => router().add("GET", "/users", noop), /already/);
    assert.throws(() => router().add("GET", "/*a/b", noop), TypeError);
    assert.throws(() => router().add("GET", "a", noop), TypeError);
  });

  it("lists its routes in order", () => {
    assert.deepEqual(router().list().slice(0, 3), ["GET /users", "POST /users", "GET /users/:id"]);
  });
});
