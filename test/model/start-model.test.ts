import { afterEach, describe, expect, it } from "vitest";
import { type Model, type ModelOptions, type Protocol, startModel, type Turn } from "./start-model.ts";

const open: Model[] = [];
afterEach(async () => {
  for (const model of open.splice(0)) await model.close();
});

async function start(options: ModelOptions): Promise<Model> {
  const model = await startModel(options);
  open.push(model);
  return model;
}

async function post(model: Model, path: string, body: unknown): Promise<Response> {
  return fetch(`${model.url}${path}`, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(5_000),
  });
}

/** A client of each protocol: how it asks, and what it reads out of both kinds of answer. */
interface Client {
  ask(text: string, stream: boolean, answers?: number): [string, object];
  whole(body: never): { text: string; calls: [string, unknown][]; usage: unknown };
  streamed(events: { event: string | undefined; data: never }[]): {
    text: string;
    calls: [string, unknown][];
    usage: unknown;
  };
}

const schema = {
  type: "object",
  properties: { file_path: { type: "string" }, content: { type: "string" }, description: { type: "string" } },
  required: ["file_path", "content", "description"],
};
const repeat = <T>(count: number, one: T): T[] => Array<T>(count).fill(one);

// biome-ignore lint/suspicious/noExplicitAny: the answers are checked by what is read out of them
type Any = any;

const clients: Record<Protocol, Client> = {
  "openai-chat": {
    ask: (text, stream, answers = 0) => [
      "/v1/chat/completions",
      {
        model: "m",
        stream,
        ...(stream ? { stream_options: { include_usage: true } } : {}),
        messages: [{ role: "user", content: text }, ...repeat(answers, { role: "assistant", content: "x" })],
        tools: [{ type: "function", function: { name: "write_file", parameters: schema } }],
      },
    ],
    whole: (body: Any) => ({
      text: body.choices[0].message.content ?? "",
      calls: (body.choices[0].message.tool_calls ?? []).map((c: Any) => [
        c.function.name,
        JSON.parse(c.function.arguments),
      ]),
      usage: body.usage && [body.usage.prompt_tokens, body.usage.completion_tokens, body.usage.total_tokens],
    }),
    streamed: (events: Any[]) => {
      const chunks = events.filter((e) => e.data !== "[DONE]").map((e) => e.data);
      const deltas = chunks.flatMap((c) => c.choices[0]?.delta ?? []);
      const calls = deltas.flatMap((d) => d.tool_calls ?? []);
      const last = chunks.at(-1).usage;
      return {
        text: deltas.map((d) => d.content ?? "").join(""),
        calls: calls
          .filter((c) => c.id)
          .map((c) => [
            c.function.name,
            JSON.parse(
              calls
                .filter((o) => o.index === c.index)
                .map((o) => o.function.arguments)
                .join(""),
            ),
          ]),
        usage: last && [last.prompt_tokens, last.completion_tokens, last.total_tokens],
      };
    },
  },
  "openai-responses": {
    ask: (text, stream, answers = 0) => [
      "/v1/responses",
      {
        model: "m",
        stream,
        instructions: "be good",
        input: [
          { role: "user", content: [{ type: "input_text", text }] },
          ...repeat(answers, 0).flatMap((_, i) => [
            { type: "function_call", call_id: `call_${i}_9_0`, name: "a", arguments: "{}" },
            { type: "function_call_output", call_id: `call_${i}_9_0`, output: "ok" },
            { type: "function_call", call_id: `call_${i}_9_1`, name: "a", arguments: "{}" },
            { type: "function_call_output", call_id: `call_${i}_9_1`, output: "ok" },
          ]),
        ],
        tools: [{ type: "function", name: "write_file", parameters: schema }],
      },
    ],
    whole: (body: Any) => ({
      text: body.output
        .flatMap((i: Any) => (i.type === "message" ? i.content : []))
        .reduce((t: string, p: Any) => t + p.text, ""),
      calls: body.output
        .filter((i: Any) => i.type === "function_call")
        .map((i: Any) => [i.name, JSON.parse(i.arguments)]),
      usage: body.usage && [body.usage.input_tokens, body.usage.output_tokens, body.usage.total_tokens],
    }),
    streamed: (events: Any[]) => {
      expect(events.map((e) => e.data.sequence_number)).toEqual(events.map((_, index) => index));
      expect(events.every((e) => e.event === e.data.type)).toBe(true);
      const { usage, output } = events.at(-1).data.response;
      const deltas = (type: string) => events.filter((e) => e.event === type).map((e) => e.data.delta);
      return {
        text: deltas("response.output_text.delta").join(""),
        calls: output
          .filter((i: Any) => i.type === "function_call")
          .map((i: Any) => [i.name, JSON.parse(deltas("response.function_call_arguments.delta").join(""))]),
        usage: usage && [usage.input_tokens, usage.output_tokens, usage.total_tokens],
      };
    },
  },
  "anthropic-messages": {
    ask: (text, stream, answers = 0) => [
      "/v1/messages",
      {
        model: "m",
        stream,
        max_tokens: 100,
        system: [{ type: "text", text: "be good" }],
        messages: [
          { role: "user", content: [{ type: "text", text }] },
          ...repeat(answers, { role: "assistant", content: "x" }),
        ],
        tools: [{ name: "write_file", input_schema: schema }],
      },
    ],
    whole: (body: Any) => ({
      text: body.content.map((b: Any) => b.text ?? "").join(""),
      calls: body.content.filter((b: Any) => b.type === "tool_use").map((b: Any) => [b.name, b.input]),
      usage: body.usage && [body.usage.input_tokens, body.usage.output_tokens],
    }),
    streamed: (events: Any[]) => {
      expect(events.every((e) => e.event === e.data.type)).toBe(true);
      const deltas = events.filter((e) => e.event === "content_block_delta").map((e) => e.data.delta);
      const blocks = events.filter((e) => e.event === "content_block_start").map((e) => e.data.content_block);
      const start = events[0].data.message.usage;
      const end = events.at(-2).data.usage;
      return {
        text: deltas.map((d) => d.text ?? "").join(""),
        calls: blocks
          .filter((b) => b.type === "tool_use")
          .map((b) => [b.name, JSON.parse(deltas.map((d) => d.partial_json ?? "").join(""))]),
        usage: start && end && [start.input_tokens, end.output_tokens],
      };
    },
  },
  gemini: {
    ask: (text, stream, answers = 0) => [
      `/v1beta/models/m:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`,
      {
        systemInstruction: { parts: [{ text: "be good" }] },
        contents: [
          { role: "user", parts: [{ text }] },
          ...repeat(answers, 0).flatMap(() => [
            { role: "model", parts: [{ text: "x" }] },
            { role: "user", parts: [{ text: "y" }] },
          ]),
        ],
        tools: [{ functionDeclarations: [{ name: "write_file", parametersJsonSchema: schema }] }],
      },
    ],
    whole: (body: Any) => ({
      text: body.candidates[0].content.parts.map((p: Any) => p.text ?? "").join(""),
      calls: body.candidates[0].content.parts.flatMap((p: Any) =>
        p.functionCall ? [[p.functionCall.name, p.functionCall.args]] : [],
      ),
      usage: body.usageMetadata && [
        body.usageMetadata.promptTokenCount,
        body.usageMetadata.candidatesTokenCount,
        body.usageMetadata.totalTokenCount,
      ],
    }),
    streamed: (events: Any[]) => {
      const parts = events.flatMap((e) => e.data.candidates[0].content.parts);
      const usage = events.at(-1).data.usageMetadata;
      expect(events.at(-1).data.candidates[0].finishReason).toBe("STOP");
      return {
        text: parts.map((p) => p.text ?? "").join(""),
        calls: parts.flatMap((p) => (p.functionCall ? [[p.functionCall.name, p.functionCall.args]] : [])),
        usage: usage && [usage.promptTokenCount, usage.candidatesTokenCount, usage.totalTokenCount],
      };
    },
  },
};
const protocols = Object.keys(clients) as Protocol[];

function eventsOf(text: string): { event: string | undefined; data: never }[] {
  expect(text.endsWith("\n\n")).toBe(true);
  return text
    .split("\n\n")
    .filter(Boolean)
    .map((block) => {
      const data = /^data: (.*)$/m.exec(block)?.[1] ?? "";
      return { event: /^event: (.*)$/m.exec(block)?.[1], data: (data === "[DONE]" ? data : JSON.parse(data)) as never };
    });
}

/** One answer of the model, read by that protocol's client. */
async function said(model: Model, protocol: Protocol, text: string, stream: boolean, answers = 0) {
  const client = clients[protocol];
  const answer = await post(model, ...client.ask(text, stream, answers));
  expect(answer.status).toBe(200);
  if (!stream) return client.whole((await answer.json()) as never);
  expect(answer.headers.get("content-type")).toMatch(/^text\/event-stream/);
  return client.streamed(eventsOf(await answer.text()));
}

describe.each(protocols)("%s", (protocol) => {
  it.each([false, true])("says text, then does what the script wants, then is done; streamed: %s", async (stream) => {
    const text = "a text that is longer than one piece of it, with ünïcode";
    const usage = { input: 7, output: 3, cached: 0 };
    const content = "x".repeat(100);
    const model = await start({ script: [{ text, usage }, { do: [{ write: "src/a.ts", content }] }] });
    const first = await said(model, protocol, "hello", stream);
    const both = protocol === "anthropic-messages" ? [7, 3] : [7, 3, 10];
    expect(first).toEqual({ text, calls: [], usage: both });
    const second = await said(model, protocol, "hello", stream, 1);
    const wanted = { file_path: "/workspace/src/a.ts", content, description: "as asked" };
    expect(second.calls).toEqual([["write_file", wanted]]);
    expect((await said(model, protocol, "hello", stream, 2)).text).toBe("done");
    expect(model.requests.map((r) => [r.protocol, r.turn])).toEqual([0, 1, 2].map((turn) => [protocol, turn]));
    expect(model.requests[0]?.asked).toMatchObject({ model: "m", stream, text: expect.stringContaining("hello") });
  });

  it("keeps conversations apart by what is said in them", async () => {
    const model = await start({ conversations: { "key-one": [{ text: "1" }], "key-two": [{ text: "2" }] } });
    const both = await Promise.all(["key-two", "key-one", "none"].map((key) => said(model, protocol, key, true)));
    expect(both.map((one) => one.text)).toEqual(["2", "1", "done"]);
    expect(model.requestsOf("key-one")).toHaveLength(1);
  });

  it("answers errors as its provider does, as often as scripted, then the turn", async () => {
    const first = [{ status: 429, retryAfter: 3 }, { status: 503 }];
    const model = await start({ script: [{ text: "at last", first }] });
    const one = await post(model, ...clients[protocol].ask("hello", true));
    expect([one.status, one.headers.get("retry-after")]).toEqual([429, "3"]);
    expect(JSON.stringify(await one.json())).toMatch(/rate_limit|RESOURCE_EXHAUSTED/);
    expect((await post(model, ...clients[protocol].ask("hello", true))).status).toBe(503);
    expect((await said(model, protocol, "hello", true)).text).toBe("at last");
  });

  it("can leave usage out, or lie about it", async () => {
    const script: Turn[] = [{ usage: "missing" }, { usage: { input: -5, output: 1e18 } }, { usage: { raw: { a: 1 } } }];
    const model = await start({ script });
    expect((await said(model, protocol, "hello", false)).usage ?? undefined).toBeUndefined();
    expect((await said(model, protocol, "hello", true)).usage ?? undefined).toBeUndefined();
    expect((await said(model, protocol, "hello", true, 1)).usage).toEqual(expect.arrayContaining([-5, 1e18]));
    const raw = await post(model, ...clients[protocol].ask("hello", false, 2));
    expect(await raw.text()).toMatch(/"usage(?:Metadata)?":\{"a":1\}/);
  });

  it("can break off, break its events, be slow, and be huge", async () => {
    const text = "word ".repeat(20);
    const model = await start({
      script: [{ text, dropAfter: 2 }, { text, malformed: true }, { text, delay: 80, between: 5 }, { huge: 1_000_000 }],
    });
    const broken = await post(model, ...clients[protocol].ask("hello", true));
    await expect(broken.text()).rejects.toThrow();
    const wrong = await (await post(model, ...clients[protocol].ask("hello", true, 1))).text();
    expect(() => eventsOf(wrong)).toThrow();
    const from = performance.now();
    expect((await said(model, protocol, "hello", true, 2)).text).toBe(text);
    expect(performance.now() - from).toBeGreaterThan(80);
    expect((await said(model, protocol, "hello", true, 3)).text).toHaveLength(1_000_000);
  });

  it("refuses what is no request of it", async () => {
    const model = await start({ script: [{ text: "never" }] });
    const [path] = clients[protocol].ask("hello", false);
    expect((await post(model, path, "{")).status).toBe(400);
    expect((await post(model, path, {})).status).toBe(400);
    expect((await post(model, "/v1/files", {})).status).toBe(404);
    expect(model.requests.map((r) => r.turn)).toEqual([-1, -1, -1]);
  });
});

it("says what the script wants in the tools of the harness, and why where it has none", async () => {
  const model = await start({ script: [{ do: [{ run: "make" }] }] });
  const none = await post(model, ...clients["openai-chat"].ask("hello", false));
  expect([none.status, JSON.stringify(await none.json())]).toEqual([400, expect.stringContaining("no tool that runs")]);
  const bash = (parameters: object) => ({
    model: "m",
    messages: [{ role: "user", content: "hello" }],
    tools: [{ type: "function", function: { name: "shell", parameters } }],
  });
  const vector = { properties: { command: { type: "array" } }, required: ["command"] };
  const called = await post(model, "/v1/chat/completions", bash(vector));
  expect(clients["openai-chat"].whole((await called.json()) as never).calls).toEqual([
    ["shell", { command: ["sh", "-c", "make"] }],
  ]);
});

it("sends usage in a chat stream only when it is asked for, as the provider does", async () => {
  const model = await start({ script: [{ text: "hi" }] });
  const body = { model: "m", stream: true, messages: [{ role: "user", content: "hello" }] };
  expect(await (await post(model, "/v1/chat/completions", body)).text()).not.toContain("usage");
  const asked = { ...body, stream_options: { include_usage: true } };
  expect(await (await post(model, "/v1/chat/completions", asked)).text()).toContain('"total_tokens"');
});

it("counts tokens where a provider does", async () => {
  const model = await start({});
  const counted = await post(model, "/v1/messages/count_tokens", { model: "m", messages: [] });
  expect(await counted.json()).toEqual({ input_tokens: expect.any(Number) });
  const also = await post(model, "/v1beta/models/m:countTokens", { contents: [] });
  expect(await also.json()).toMatchObject({ totalTokens: expect.any(Number) });
});
