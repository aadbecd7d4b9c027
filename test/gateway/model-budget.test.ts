import { afterAll, beforeAll, expect, test } from "vitest";
import { call, chat, chatJson, cheap, type ModelRig, modelRig, provider, routeTo } from "./model-rig.ts";
import { until } from "./rig.ts";

let rig: ModelRig;
beforeAll(async () => {
  rig = await modelRig({ grace: 300 });
}, 30_000);
afterAll(() => rig?.[Symbol.asyncDispose]());
const path = "/model/m/v1/chat/completions";

test("a request is reserved before it goes out, and settled with what it used", async () => {
  await using server = await provider(() => ({ json: chatJson(1000, 50, 400) }));
  const lane = await rig.lane(
    { m: routeTo(server, { table: cheap, prices: "cheap" }) },
    { tokens: 100_000, usd: 1_000_000 },
  );
  const said = await call(lane, path, chat());
  expect([said.status, JSON.parse(said.text).usage.prompt_tokens]).toEqual([200, 1000]);
  await until(() => rig.of("budget.settled").some((one) => one.sandbox === lane.sandbox));
  const mine = rig.events.filter((event) => (event.data as { sandbox?: string }).sandbox === lane.sandbox);
  expect(mine.map(({ type }) => type)).toEqual(
    ["budget.reserved", "request", "budget.settled"].sort(
      (a, b) => mine.findIndex((e) => e.type === a) - mine.findIndex((e) => e.type === b),
    ),
  );
  expect(mine[0]).toMatchObject({
    type: "budget.reserved",
    data: { route: "m", model: "m1", accounts: [`delegation:${lane.sandbox}`] },
  });
  expect(rig.of("budget.settled").at(-1)).toMatchObject({
    model: "m1-2026",
    usage: { input: 600, cached: 400, cacheWrite: 0, output: 50 },
    tokens: 1050,
    // 600 × $1 + 400 × $0.10 + 50 × $10, each for a million.
    microusd: 600 + 40 + 500,
    exact: true,
  });
});

test("fifty requests at once never pass the cap, and nothing of a refused one goes out", {
  timeout: 60_000,
}, async () => {
  await using server = await provider(() => ({ json: chatJson(2000, 100), pause: 5 }));
  // Each takes up to about 2,300 tokens and uses 2,100: nine fit.
  const cap = 20_000;
  const lane = await rig.lane({ m: routeTo(server) }, { tokens: cap });
  const answers = await Promise.all(Array.from({ length: 50 }, () => call(lane, path, chat())));
  const passed = answers.filter(({ status }) => status === 200).length;
  expect(passed).toBe(server.seen.length);
  expect(passed).toBeGreaterThan(5);
  await until(() => rig.of("budget.settled").filter(({ sandbox }) => sandbox === lane.sandbox).length === passed);
  const spent = rig
    .of("budget.settled")
    .filter(({ sandbox }) => sandbox === lane.sandbox)
    .reduce((sum, { tokens }) => sum + tokens, 0);
  expect(spent).toBe(passed * 2100);
  expect(spent).toBeLessThanOrEqual(cap);
  const refused = answers.find(({ status }) => status === 402);
  expect(JSON.parse(refused?.text ?? "{}").error).toMatchObject({ code: "tokens-used-up", rule: "budget.tokens" });
  await until(() => rig.ended.some(({ sandbox }) => sandbox === lane.sandbox));
  expect(rig.budgets.close(lane.sandbox)).toMatch(/^tokens: of the 20000 tokens of this delegation/);
});
