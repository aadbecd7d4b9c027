import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ModelProtocol } from "../../src/domain/model.ts";
import {
  call,
  chat,
  chatJson,
  cheap,
  type ModelLane,
  type ModelRig,
  modelRig,
  provider,
  routeTo,
} from "./model-rig.ts";
import { raw, statusOf, until } from "./rig.ts";

let rig: ModelRig;
beforeAll(async () => {
  rig = await modelRig({ grace: 400, patience: 2000 });
}, 30_000);
afterAll(() => rig?.[Symbol.asyncDispose]());

const path = "/model/m/v1/chat/completions";
const settledOf = async (lane: ModelLane, count = 1) => {
  const mine = () => rig.of("budget.settled").filter(({ sandbox }) => sandbox === lane.sandbox);
  await until(() => mine().length >= count);
  return mine();
};
const reservedOf = (lane: ModelLane) => rig.of("budget.reserved").filter(({ sandbox }) => sandbox === lane.sandbox);
const error = (text: string) => JSON.parse(text).error as Record<string, unknown>;

describe("what does not go out", () => {
  test("an endpoint, a body or a model that is not the route's is refused in the provider's shape, and costs nothing", async () => {
    await using server = await provider(() => ({ json: chatJson(1, 1) }));
    const lane = await rig.lane({ m: routeTo(server, { models: ["m*"] }) }, { tokens: 1_000_000 });
    for (const [at, body, status, code] of [
      ["/model/m/v1/files", chat(), 403, "model-endpoint"],
      ["/model/m/v1/responses", chat(), 403, "model-endpoint"],
      ["/model/m/v1/chat/completions?x=1", chat(), 403, "model-endpoint"],
      [path, chat({ web_search_options: {} }), 403, "model-server-tools"],
      [path, chat({ store: true }), 403, "model-stored"],
      [path, '{"model":"m1","messages":[],"model":"other"}', 400, "model-body"],
      [path, chat({ model: "other" }), 403, "model-refused"],
      ["/model/other/v1/chat/completions", chat(), 404, "model-unknown"],
    ] as const) {
      const said = await call(lane, at, body);
      expect([at, said.status, JSON.parse(said.text).code]).toEqual([at, status, code]);
      if (code !== "model-unknown") {
        expect(error(said.text)).toMatchObject({
          code,
          why: expect.any(String),
          next: expect.any(String),
          message: expect.any(String),
        });
        expect(said.headers["x-should-retry"]).toBe("false");
      }
    }
    const coded = await call(lane, path, gzipSync(JSON.stringify(chat())), { headers: { "content-encoding": "gzip" } });
    expect(error(coded.text)["code"]).toBe("content-encoding");
    expect(server.seen).toHaveLength(0);
    expect(reservedOf(lane)).toHaveLength(0);
    expect((await call(lane, path, chat())).status).toBe(200);
    expect((await call(lane, "/model/m/v1/models", undefined, { method: "GET" })).status).toBe(200);
    expect(reservedOf(lane)).toHaveLength(1);
  });

  test.each<[ModelProtocol, string, object, object]>([
    [
      "anthropic-messages",
      "v1/messages",
      { model: "m1", messages: [], max_tokens: 5 },
      { type: "error", error: { type: "billing_error", code: "tokens-used-up" } },
    ],
    [
      "openai-responses",
      "v1/responses",
      { model: "m1", input: "x" },
      { error: { type: "tokens-used-up", code: "tokens-used-up", param: null } },
    ],
    [
      "openai-chat",
      "v1/chat/completions",
      chat(),
      { error: { type: "tokens-used-up", code: "tokens-used-up", param: null } },
    ],
    [
      "gemini",
      "v1beta/models/m1:generateContent",
      { contents: [] },
      { error: { code: 402, reason: "tokens-used-up", status: "FAILED_PRECONDITION" } },
    ],
  ])(
    "a budget of nothing refuses all of %s, says so in its shape, and ends the sandbox",
    async (protocol, rest, body, shape) => {
      await using server = await provider(() => ({ json: {} }));
      const lane = await rig.lane({ m: routeTo(server, { protocol }) }, { tokens: 0 });
      const said = await call(lane, `/model/m/${rest}`, body);
      expect(said.status).toBe(402);
      expect(JSON.parse(said.text)).toMatchObject({ ...shape, code: "tokens-used-up", rule: "budget.tokens" });
      expect(server.seen).toHaveLength(0);
      await until(() => rig.ended.some(({ sandbox }) => sandbox === lane.sandbox));
      expect(rig.of("budget.refused").filter(({ sandbox }) => sandbox === lane.sandbox)).toMatchObject([
        { code: "tokens-used-up", model: "m1" },
      ]);
    },
  );

  test("a model without a price is refused where the budget is money, and taken where it is tokens", async () => {
    await using server = await provider(() => ({ json: chatJson(1, 1) }));
    const models = { m: routeTo(server, { table: cheap, prices: "cheap" }) };
    const money = await rig.lane(models, { usd: 1_000_000 });
    const refused = await call(money, path, chat({ model: "x1" }));
    expect([refused.status, error(refused.text)["code"], error(refused.text)["rule"]]).toEqual([
      403,
      "model-unpriced",
      "models.m.prices",
    ]);
    expect((await call(money, path, chat())).status).toBe(200);
    const tokens = await rig.lane(models, { tokens: 1_000_000 });
    expect((await call(tokens, path, chat({ model: "x1" }))).status).toBe(200);
    expect(server.seen).toHaveLength(2);
  });
});

describe("what goes out", () => {
  test("is the body that was checked, with its output capped, as JSON, asking for no coding", async () => {
    await using server = await provider(() => ({ json: chatJson(1, 1) }));
    const lane = await rig.lane({ m: routeTo(server, { output: 60 }) }, { tokens: 100_000 });
    const text =
      ' {"stream":false, "max_tokens" :100,"model":"m1","messages":[{"role":"user","content":"h\\u00e9"}],"unknown":{"a":[1]}} ';
    const headers = {
      "content-type": "multipart/form-data",
      "accept-encoding": "gzip",
      authorization: "Bearer placeholder",
    };
    expect((await call(lane, path, text, { headers })).status).toBe(200);
    const [seen] = server.seen;
    expect(Buffer.from(seen?.body ?? "", "latin1").toString("utf8")).toBe(
      '{"stream":false,"max_tokens":60,"model":"m1","messages":[{"role":"user","content":"hé"}],"unknown":{"a":[1]}}',
    );
    const header = (name: string) =>
      (seen?.rawHeaders ?? []).flatMap((value, at, all) =>
        at % 2 === 1 && all[at - 1]?.toLowerCase() === name ? [value] : [],
      );
    expect([header("content-type"), header("accept-encoding"), header("authorization")]).toEqual([
      ["application/json"],
      ["identity"],
      ["Bearer placeholder"],
    ]);
    expect(header("content-length")).toEqual([String(Buffer.byteLength(seen?.body ?? "", "latin1"))]);
  });

  test.each<[ModelProtocol, string, object, string, object]>([
    [
      "anthropic-messages",
      "v1/messages?beta=true",
      { model: "m1", messages: [], max_tokens: 50, stream: true },
      `event: message_start\ndata: {"type":"message_start","message":{"model":"m1","usage":{"input_tokens":7,"output_tokens":1}}}\n\nevent: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":5}}\n\n`,
      { input: 7, cached: 0, cacheWrite: 0, output: 5 },
    ],
    [
      "openai-responses",
      "v1/responses",
      { model: "m1", input: "x", stream: true },
      `event: response.completed\ndata: {"type":"response.completed","response":{"model":"m1","usage":{"input_tokens":7,"output_tokens":5}}}\n\n`,
      { input: 7, cached: 0, cacheWrite: 0, output: 5 },
    ],
    [
      "gemini",
      "v1beta/models/m1:streamGenerateContent?alt=sse",
      { contents: [{ role: "user", parts: [{ text: "x" }] }] },
      `data: {"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2,"thoughtsTokenCount":3}}\n\n`,
      { input: 7, cached: 0, cacheWrite: 0, output: 5 },
    ],
  ])("of %s, and is counted", async (protocol, rest, body, stream, usage) => {
    await using server = await provider(() => ({ parts: [stream] }));
    const lane = await rig.lane({ m: routeTo(server, { protocol }) }, { tokens: 100_000 });
    const said = await call(lane, `/model/m/${rest}`, body);
    expect([said.status, said.text]).toEqual([200, stream]);
    expect(server.seen[0]?.url).toBe(`/${rest}`);
    expect(await settledOf(lane)).toMatchObject([{ usage, tokens: 12, exact: true }]);
  });

  test("comes back byte for byte, the first byte at once", { timeout: 20_000 }, async () => {
    const parts = [
      'data: {"model":"m1","choices":[{"delta":{"content":"one"}}]}\n\n',
      'data: {"choices":[{"delta":{"content":"two"}}]}\n\n',
      'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}\n\n',
      "data: [DONE]\n\n",
    ];
    await using server = await provider(() => ({ parts, pause: 400 }));
    const lane = await rig.lane({ m: routeTo(server) }, { tokens: 100_000 });
    const said = await call(lane, path, chat({ stream: true }));
    expect(said.text).toBe(parts.join(""));
    expect(said.headers["content-type"]).toBe("text/event-stream");
    // The answer takes four pauses; its first byte waits for none.
    expect(said.first).toBeLessThan(1200);
    expect(JSON.parse(server.seen[0]?.body ?? "")).toMatchObject({ stream_options: { include_usage: true } });
    expect(await settledOf(lane)).toMatchObject([{ tokens: 11, exact: true }]);
  });

  test("a provider that codes its answer all the same is read", async () => {
    await using server = await provider(() => ({
      headers: { "content-encoding": "gzip", "content-type": "application/json" },
      parts: [gzipSync(JSON.stringify(chatJson(5, 6)))],
    }));
    const lane = await rig.lane({ m: routeTo(server) }, { tokens: 100_000 });
    const said = await call(lane, path, chat());
    expect(JSON.parse(said.text).usage).toMatchObject({ prompt_tokens: 5 });
    expect(await settledOf(lane)).toMatchObject([{ tokens: 11, exact: true }]);
  });

  test("clients that send even loopback through the proxy find the route", async () => {
    await using server = await provider(() => ({ json: chatJson(3, 4) }));
    const lane = await rig.lane({ m: routeTo(server) }, { tokens: 100_000 });
    const body = JSON.stringify(chat());
    for (const own of ["127.0.0.1:3128", "localhost:3128", "[::1]:3128", "sallyport"]) {
      const head = `Host: ${own}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
      const absolute = await raw(lane.socket, `POST http://${own}${path} HTTP/1.1\r\n${head}${body}`);
      expect([own, statusOf(absolute)]).toEqual([own, 200]);
      if (own === "sallyport") continue;
      const tunnel = await raw(
        lane.socket,
        `CONNECT ${own} HTTP/1.1\r\nHost: ${own}\r\n\r\nPOST ${path} HTTP/1.1\r\n${head}${body}`,
      );
      expect([own, tunnel.includes('"completion_tokens":4')]).toEqual([own, true]);
    }
    const other = await raw(
      lane.socket,
      `POST http://127.0.0.1:${server.port}${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Length: 2\r\n\r\n{}`,
    );
    expect(statusOf(other)).toBe(403);
    expect((await settledOf(lane, 7)).length).toBe(7);
  });
});

describe("how a reservation is settled", () => {
  test.each([429, 503, 529, 401, 500])(
    "an answer of %d passes as it is, retry-after too, and costs nothing",
    async (status) => {
      await using server = await provider(() => ({
        status,
        headers: { "retry-after": "7", "x-ratelimit-remaining": "0" },
        json: { error: { message: "busy" } },
      }));
      const lane = await rig.lane({ m: routeTo(server) }, { tokens: 10_000 });
      const said = await call(lane, path, chat());
      expect([said.status, said.headers["retry-after"], said.headers["x-ratelimit-remaining"]]).toEqual([
        status,
        "7",
        "0",
      ]);
      expect(error(said.text)["message"]).toBe("busy");
      expect(await settledOf(lane)).toMatchObject([{ tokens: 0, microusd: 0, exact: true }]);
    },
  );

  test("a provider that is not there costs nothing", async () => {
    const server = await provider(() => ({ json: {} }));
    const lane = await rig.lane({ m: routeTo(server) }, { tokens: 10_000 });
    await server[Symbol.asyncDispose]();
    expect((await call(lane, path, chat())).status).toBe(502);
    expect(await settledOf(lane)).toMatchObject([
      { tokens: 0, exact: true, why: expect.stringContaining("did not go out") },
    ]);
  });

  test.each<[string, Parameters<typeof provider>[0]]>([
    ["says no usage", () => ({ json: { model: "m1", choices: [] } })],
    ["says an absurd one", () => ({ json: chatJson(900_000_000, 1) })],
    ["says a negative one", () => ({ json: chatJson(-1, 1) })],
    ["breaks off", () => ({ parts: ['data: {"model":"m1","choices":[]}\n\n'], pause: 20, cut: true })],
  ])("one that %s keeps its worst case", async (_, answer) => {
    await using server = await provider(answer);
    const lane = await rig.lane({ m: routeTo(server, { table: cheap }) }, { tokens: 100_000, usd: 1_000_000 });
    await call(lane, path, chat()).catch(() => undefined);
    const [settled] = await settledOf(lane);
    const [reserved] = reservedOf(lane);
    expect(settled).toMatchObject({
      exact: false,
      tokens: reserved?.tokens,
      microusd: reserved?.microusd,
      why: expect.any(String),
    });
  });

  test("a client that leaves in the middle pays the worst case; one that leaves after the last word pays what it used", async () => {
    const parts = [
      'data: {"model":"m1","choices":[]}\n\n',
      'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}\n\n',
      "data: [DONE]\n\n",
    ];
    for (const [held, exact] of [
      [1, false],
      [3, true],
    ] as const) {
      await using server = await provider(() => ({
        parts: [...parts.slice(0, held), ": keep\n\n".repeat(3), ": keep\n\n"],
        pause: 300,
      }));
      const lane = await rig.lane({ m: routeTo(server) }, { tokens: 100_000 });
      const leave = new AbortController();
      const gone = call(lane, path, chat({ stream: true }), { signal: leave.signal }).catch(() => undefined);
      await until(() => server.seen.length === 1);
      await new Promise((resolve) => setTimeout(resolve, 300 * held + 100));
      leave.abort();
      await gone;
      expect([held, (await settledOf(lane))[0]?.exact]).toEqual([held, exact]);
    }
  });

  test("a lane that is closed keeps what was under way, before its closing resolves", async () => {
    await using server = await provider(() => ({ parts: ["data: {}\n\n", "data: {}\n\n"], pause: 5000 }));
    const lane = await rig.lane({ m: routeTo(server) }, { tokens: 100_000 });
    const cut = call(lane, path, chat({ stream: true })).catch(() => "cut");
    await until(() => server.seen.length === 1);
    await rig.gateway.closeLane(lane.sandbox);
    const mine = rig.of("budget.settled").filter(({ sandbox }) => sandbox === lane.sandbox);
    expect(mine).toMatchObject([{ exact: false, tokens: reservedOf(lane)[0]?.tokens, why: "the sandbox ended" }]);
    expect(await cut).toBe("cut");
  });
});

test("the harness is told at 80 and at 95 percent, once each, in its next request", { timeout: 20_000 }, async () => {
  await using server = await provider(() => ({ json: chatJson(3000, 100) }));
  const lane = await rig.lane({ m: routeTo(server) }, { tokens: 31_500 });
  for (let turn = 0; turn < 12; turn++) if ((await call(lane, path, chat({ max_tokens: 50 }))).status !== 200) break;
  const notes = server.seen.flatMap(({ body }) => (/(\d+) % of this work's model budget/.exec(body) ?? []).slice(1));
  expect(notes).toEqual(["80", "95"]);
  expect(
    rig
      .of("budget.noted")
      .filter(({ sandbox }) => sandbox === lane.sandbox)
      .map(({ share }) => share),
  ).toEqual([80, 95]);
});

test("a subscription's window is a refusal with a time, costs no money, and is counted at list price", async () => {
  await using server = await provider(() => ({ json: chatJson(1000, 100) }));
  const models = { m: routeTo(server, { table: cheap, quota: [{ requests: 2, window: 60_000 }] }) };
  const lane = await rig.lane(models, { usd: 0 });
  expect([(await call(lane, path, chat())).status, (await call(lane, path, chat())).status]).toEqual([200, 200]);
  const third = await call(lane, path, chat());
  expect([third.status, error(third.text)["code"]]).toEqual([429, "quota-used-up"]);
  expect(Number(third.headers["retry-after"])).toBeGreaterThan(50);
  expect(await settledOf(lane, 2)).toMatchObject([
    { microusd: 0, list: 2000 },
    { microusd: 0, list: 2000 },
  ]);
  expect(server.seen).toHaveLength(2);
  expect(rig.ended.some(({ sandbox }) => sandbox === lane.sandbox)).toBe(false);
});
