import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { demand } = await import(`${process.env.CORPUS}/properties.mjs`);
const { demandTeeth } = await import(`${process.env.CORPUS}/teeth.mjs`);
demand({ allowed: ["src/", "test/"] });

const load = (directory) => import(pathToFileURL(`${directory}/src/index.ts`).href);
const { choose, Router, parseQuery, headerMap, ...others } = await load(process.cwd());
const base = await load(process.env.BASE);
const [html, json, plain, png] = ["text/html", "application/json", "text/plain", "image/png"];
for (const [accept, offers, want] of [
  [undefined, [html, json], html],
  ["", [json, html], json],
  ["   ", [json, html], json],
  ["application/json", [html, json], json],
  ["text/html;q=0.5, application/json;q=0.4", [json, html], html],
  ["text/html;q=0.5, application/json;q=0.5", [json, html], json],
  ["text/html;q=0.5, application/json;q=0.5", [html, json], html],
  ["text/html;q=0.8, application/json;q=0.75", [json, html], html],
  ["text/html;q=0.001", [html], html],
  ["text/html;q=0", [html], undefined],
  ["text/html;q=0.000, */*;q=0.1", [html, json], json],
  ["*/*;q=0", [html, json], undefined],
  ["image/png", [html, json], undefined],
  ["text/*", [json, plain, html], plain],
  ["text/*;q=0.2, */*;q=0.9", [html, json], json],
  ["*/*;q=0.9, text/*;q=0.2", [html, json], json],
  ["text/html;q=0.1, text/*;q=0.7", [html, plain], plain],
  ["text/*;q=0.7, text/html;q=0.1", [html, plain], plain],
  ["*/*, text/html;q=0", [html, json], json],
  ["TEXT/HTML", [html], html],
  ["text/html", ["Text/HTML"], "Text/HTML"],
  ["text/html ; Q=0.3 , application/json;q=0.2", [json, html], html],
  ["text/html;level=1;q=0.3, application/json;q=0.6", [html, json], json],
  ["text/html;q=0.3;ext=1, application/json;q=0.6", [html, json], json],
  ["text/html;q=abc, application/json;q=0.1", [html, json], json],
  ["text/html;q=1.5, application/json;q=0.1", [html, json], json],
  ["text/html;q=-1, application/json;q=0.1", [html, json], json],
  ["nonsense, application/json", [html, json], json],
  ["*/html, application/json", [html, json], json],
  [", ,application/json,", [html, json], json],
  ["text/htmlx", [html], undefined],
  ["text/html", ["text/html; charset=utf-8", json], "text/html; charset=utf-8"],
  ["image/*, text/html", [png, html], png],
  ["text/html;q=1.000, application/json;q=0.999", [json, html], html],
  ["application/*;q=0.5, text/*;q=0.50", [html, json], html],
  ["*/*", [], undefined],
  ["image/svg+xml, image/*;q=0.1", [png, "image/svg+xml"], "image/svg+xml"],
  ["text/html, text/html;q=0.2, application/json;q=0.5", [json, html], html],
])
  assert.equal(choose(accept, offers), want, `${accept} of ${offers}`);
const offers = Object.freeze([json, html, plain]);
assert.equal(choose("text/*", offers), html);

// What was there stays as it was.
assert.deepEqual(Object.keys(others), []);
for (const text of ["?a=1&a=2", "x=%zz&y=a+b", "a&&b=", "k=1=2", "=5"]) assert.deepEqual([...parseQuery(text)], [...base.parseQuery(text)]);
const h = [["A", "1"], ["a", "2"], ["B", "3"]];
assert.deepEqual([headerMap(h).get("a"), headerMap(h).names()], [base.headerMap(h).get("a"), base.headerMap(h).names()]);
const routed = (R) => ["/u/me", "/u/7", "/f/a/b", "/", "/%zz", "/u"].map((path) => new R().add("GET", "/u/:id", () => 1).add("GET", "/u/me", () => 2).add("GET", "/f/*p", () => 3).match("get", path)?.pattern);
assert.deepEqual(routed(Router), routed(base.Router));
for (const file of ["query", "headers", "router", "segments"]) assert.ok(readFileSync(`src/${file}.ts`, "utf8").length > 200);

demandTeeth({
  "the first offer always wins": { "src/negotiate.ts": "export function choose(_accept: string | undefined, offers: readonly string[]) { return offers[0]; }\n" },
  "qualities are not read": { "src/negotiate.ts": "export function choose(accept: string | undefined, offers: readonly string[]) { return offers.find((o) => !accept || accept.includes(o) || accept.includes('*')); }\n" },
});
