import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { demand } = await import(`${process.env.CORPUS}/properties.mjs`);
const { demandTeeth } = await import(`${process.env.CORPUS}/teeth.mjs`);
demand({ allowed: ["src/", "test/", "docs/"] });

const load = (directory) => import(pathToFileURL(`${directory}/src/index.ts`).href);
const { Router, parseQuery, headerMap } = await load(process.cwd());
const base = await load(process.env.BASE);
const build = (R) =>
  new R()
    .add("POST", "/a", () => "post a")
    .add("GET", "/a", () => "get a")
    .add("GET", "/b", () => "get b")
    .add("HEAD", "/b", () => "head b")
    .add("DELETE", "/b", () => "delete b")
    .add("GET", "/u/:id", () => "get :id")
    .add("PUT", "/u/me", () => "put me")
    .add("PATCH", "/u/:name", () => "patch :name")
    .add("HEAD", "/u/:any", () => "head :any")
    .add("GET", "/u/me", () => "get me")
    .add("PROPFIND", "/f/*path", () => "propfind")
    .add("GET", "/f/x", () => "x")
    .add("GET", "/z", () => "get z")
    .add("POST", "/z", () => "post z")
    .add("PUT", "/z", () => "put z")
    .add("DELETE", "/only", () => "delete only");
const r = build(Router);
const told = (method, path) => {
  const { status, match, allow } = r.resolve(method, path);
  return status === 200 ? [200, match.handler(match.params), match.params, match.pattern] : allow === undefined ? [status] : [status, allow];
};
const want = [
  ["GET", "/a", 200, "get a", {}, "/a"],
  ["get", "/a/", 200, "get a", {}, "/a"],
  ["HEAD", "/a", 200, "get a", {}, "/a"],
  ["head", "/b", 200, "head b", {}, "/b"],
  ["HEAD", "/u/7", 200, "head :any", { any: "7" }, "/u/:any"],
  ["HEAD", "/u/me", 200, "head :any", { any: "me" }, "/u/:any"],
  ["HEAD", "/f/x", 200, "x", {}, "/f/x"],
  ["GET", "/u/a%2Fb", 200, "get :id", { id: "a/b" }, "/u/:id"],
  ["PUT", "/a", 405, ["GET", "HEAD", "POST"]],
  ["put", "/b", 405, ["DELETE", "GET", "HEAD"]],
  ["POST", "/u/me", 405, ["GET", "HEAD", "PATCH", "PUT"]],
  ["PUT", "/u/7", 405, ["GET", "HEAD", "PATCH"]],
  ["GET", "/f/y/z", 405, ["PROPFIND"]],
  ["HEAD", "/f/y", 405, ["PROPFIND"]],
  ["POST", "/f/x", 405, ["GET", "HEAD", "PROPFIND"]],
  ["HEAD", "/only", 405, ["DELETE"]],
  ["OPTIONS", "/only", 405, ["DELETE"]],
  ["DELETE", "/z", 405, ["GET", "HEAD", "POST", "PUT"]],
  ["head", "/f/x", 200, "x", {}, "/f/x"],
  ["GET", "/nope", 404],
  ["HEAD", "/nope", 404],
  ["GET", "/%zz", 404],
  ["PUT", "/%zz", 404],
  ["GET", "/", 404],
  ["PUT", "/a/b", 404],
];
for (const [method, path, ...answer] of want) assert.deepEqual(told(method, path), answer, `${method} ${path}`);
assert.deepEqual(told("PUT", "/a"), [405, ["GET", "HEAD", "POST"]], "asked twice");
assert.deepEqual(new Router().resolve("GET", "/").status, 404);

// `match` and all else stay as they were.
const old = build(base.Router);
const seen = (router, method, path) => {
  const m = router.match(method, path);
  return m && [m.handler(m.params), m.params, m.pattern];
};
for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "get"])
  for (const path of ["/a", "/b", "/u/me", "/u/7", "/f/x", "/f/y/z", "/%zz", "/", "/a/b", "/a/"]) assert.deepEqual(seen(r, method, path), seen(old, method, path), `match ${method} ${path}`);
assert.deepEqual(r.list(), old.list());
for (const text of ["?a=1&a=2", "x=%zz&y=a+b", "a&&b=", "k=1=2", "=5"]) assert.deepEqual([...parseQuery(text)], [...base.parseQuery(text)]);
const h = [["A", "1"], ["a", "2"], ["B", "3"]];
assert.deepEqual([headerMap(h).get("a"), headerMap(h).names()], [base.headerMap(h).get("a"), base.headerMap(h).names()]);
assert.throws(() => r.add("GET", "/a", () => {}), /already/);
assert.match(readFileSync("src/index.ts", "utf8"), /\btype Resolution\b/);
assert.match(readFileSync("docs/routes.md", "utf8"), /405/);

demandTeeth({
  "every path is there": { "src/router.ts": `${readFileSync(`${process.env.BASE}/src/router.ts`, "utf8").replace("  /** Every route as", '  resolve(method: string, path: string) { const match = this.match(method, path) ?? this.match("GET", path); return match ? { status: 200, match } : { status: 404 }; }\n\n  /** Every route as')}\nexport type Resolution = unknown;\n` },
});
