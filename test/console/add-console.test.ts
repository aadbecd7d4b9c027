/** The pages on a server of the daemon's own. */
import fastify from "fastify";
import { expect, it } from "vitest";
import { addConsole } from "../../src/console/add-console.ts";
import { readBundle } from "../../src/console/bundle.ts";

it("serves the page and its files below its prefix, for operator and auditor, and nothing else", async () => {
  const app = fastify();
  const declared: unknown[] = [];
  app.addHook("onRoute", ({ config }) => {
    declared.push((config as { roles?: unknown } | undefined)?.roles);
  });
  const bundle = await readBundle();
  addConsole(app, bundle);
  expect(new Set(declared.map((roles) => JSON.stringify(roles)))).toEqual(new Set(['["operator","auditor"]']));
  const page = await app.inject("/console/");
  expect([page.statusCode, page.headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
  expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
  // The API is not below the page here.
  expect(page.body).toContain('content="/v1/"');
  for (const name of [...bundle.keys()].filter(Boolean)) {
    const file = await app.inject(`/console/${name}`);
    expect([name, file.statusCode, file.rawPayload.equals(bundle.get(name)?.bytes ?? Buffer.alloc(0))]).toEqual([
      name,
      200,
      true,
    ]);
  }
  for (const path of ["/console/report.js", "/console/..%2fpackage.json", "/console/assets/"])
    expect((await app.inject(path)).statusCode).toBe(404);
  expect((await app.inject({ method: "POST", url: "/console/" })).statusCode).toBe(404);
  await app.close();
});
