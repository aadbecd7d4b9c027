/** What models cost, on a real daemon with a real harness: counted by role, capped, and still counted after a crash. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { EventData } from "../../src/domain/event.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { leftovers, until } from "./leftovers.ts";

/** A provider of OpenAI Chat that calls the tool `read` for ever, or says what `next` says. */
let server: Server;
let host: TestHost;
let asked = 0;
const used = { prompt_tokens: 4000, completion_tokens: 100 };
let next: () => "read" | "done" | "hang" = () => "done";

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume().on("end", () => {
      asked += 1;
      const what = next();
      response.writeHead(200, { "content-type": "text/event-stream" });
      const say = (value: object) => response.write(`data: ${JSON.stringify({ model: "gpt-5.1", ...value })}\n\n`);
      if (what === "hang") return void say({ choices: [{ index: 0, delta: { role: "assistant", content: "hm" } }] });
      const call = {
        index: 0,
        id: `c${asked}`,
        type: "function",
        function: { name: "read", arguments: '{"path":"src/money.js"}' },
      };
      const delta = what === "read" ? { tool_calls: [call] } : { content: "done" };
      say({ choices: [{ index: 0, delta: { role: "assistant", ...delta }, finish_reason: null }] });
      say({ choices: [{ index: 0, delta: {}, finish_reason: what === "read" ? "tool_calls" : "stop" }] });
      say({ choices: [], usage: used });
      response.end("data: [DONE]\n\n");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const route = {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    addresses: ["127.0.0.1"],
    protocol: "openai-chat",
    prices: "openai",
    output: "4k",
  };
  const policy = (budget: object) => ({
    version: 1,
    extends: "quick",
    sandbox: { cpus: 2, memory: "1GiB" },
    models: { openai: route },
    budget: { requests: 200, attempts: 2, ...budget },
  });
  const lead = (budget: object) => ({ ...policy({ wall: "60s", ...budget }), extends: "planner" });
  host = await openHost({
    images: ["pi"],
    missions: { harnesses: ["pi"], executors: ["scripted"], policies: ["wide"] },
    policies: {
      lead: lead({ tokens: "60k", attempts: 3 }),
      "lead-wide": lead({ tokens: "2M", attempts: 1 }),
      tokens: policy({ tokens: "60k" }),
      money: policy({ usd: 0.1 }),
      wide: policy({ usd: 5 }),
    },
  });
}, 600_000);
afterAll(async () => {
  await host?.close();
  server?.closeAllConnections();
  server?.close();
});

const brief = { executor: "pi", instructions: "Read src/money.js." };
const settled = (id: string) =>
  host
    .entries(id)
    .filter(({ type }) => type === "budget.settled")
    .map(({ data }) => data as EventData<"budget.settled">);

it.each([
  ["tokens", /^tokens: of the 60000 tokens of this delegation/, 60_000, 0],
  ["money", /^money: of the \$0\.10 of this delegation/, 0, 100_000],
] as const)(
  "a harness that never ends is over its budget of %s, which is not passed",
  async (policy, reason, tokens, usd) => {
    next = () => "read";
    asked = 0;
    const d = await host.turn(host.repository(), { ...brief, policy });
    expect([d.state, d.reason]).toEqual(["over-budget", expect.stringMatching(reason)]);
    const cost = d.spend.executor;
    expect(cost).toMatchObject({ requests: asked, tokens: asked * 4100, inexact: 0 });
    expect(asked).toBeGreaterThan(3);
    if (tokens > 0) expect(cost?.tokens).toBeLessThanOrEqual(tokens);
    if (usd > 0) expect(cost?.microusd).toBeLessThanOrEqual(usd);
    // 4,000 × $1.25 and 100 × $10, each for a million.
    expect(cost?.microusd).toBe(asked * 6000);
    const types = host.entries(d.id).map(({ type }) => type);
    expect(types.indexOf("budget.refused")).toBeGreaterThan(types.indexOf("budget.noted"));
    const refused = host.entries(d.id).find(({ type }) => type === "budget.refused");
    const ended = host.entries(d.id).find(({ type }) => type === "sandbox.ended");
    expect(Date.parse(ended?.time ?? "") - Date.parse(refused?.time ?? "")).toBeLessThan(15_000);
    const said = await host.cli("show", d.id);
    expect(said.code).toBe(4);
  },
  120_000,
);

it("a planner that never ends is over its budget, which is not passed; within it, it is stuck without a plan", async () => {
  const mission = (policy: string) =>
    host.cli("run", "Round to the nearest cent.", "--repo", host.repository().path, "--onto", "x", "--policy", policy);
  next = () => "read";
  asked = 0;
  const over = await mission("lead");
  expect([over.code, over.json<{ state: string }>().state]).toEqual([4, "over-budget"]);
  const { id } = over.json<{ id: string }>();
  expect(asked).toBeGreaterThan(3);
  expect(asked * 4100).toBeLessThanOrEqual(60_000);
  expect(settled(id).reduce((sum, { tokens }) => sum + tokens, 0)).toBe(asked * 4100);
  next = () => "done";
  const idle = await mission("lead-wide");
  expect([idle.code, idle.json<{ state: string }>().state]).toEqual([3, "stuck"]);
}, 120_000);

it("what a delegation cost is shown by role", async () => {
  let turn = 0;
  next = () => (++turn < 3 ? "read" : "done");
  const d = await host.turn(host.repository(), { ...brief, policy: "wide", budget: { attempts: 1 } });
  expect(d.spend).toMatchObject({ executor: { requests: 3, tokens: 12_300, microusd: 18_000, list: 18_000 } });
  expect(d.spend.executor?.attempts[1]?.requests).toBe(3);
  expect(d.reservations).toEqual({});
  expect(settled(d.id).every(({ exact }) => exact)).toBe(true);
}, 120_000);

it("what was under way when the daemon was killed stands as spent, and the next attempt has the rest", async () => {
  next = () => "hang";
  const id = await host.send(host.repository(), { ...brief, policy: "wide", budget: { tokens: 30_000 } });
  await host.seen(id, "budget.reserved");
  await host.kill();
  await until("everything of the killed daemon gone", () => leftovers(host.directory).length === 0, 8);
  next = () => "read";
  await host.up();
  const d = await host.rest(id);
  expect(d.state, d.reason).toBe("over-budget");
  const [open] = Object.values(d.reservations);
  expect(open?.tokens).toBeGreaterThan(4000);
  expect((open?.tokens ?? 0) + (d.spend.executor?.tokens ?? 0)).toBeLessThanOrEqual(30_000);
}, 150_000);
