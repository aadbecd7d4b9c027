import { afterEach, describe, expect, it } from "vitest";
import { type Model, startModel } from "./start-model.ts";

const open: Model[] = [];
afterEach(async () => {
  for (const model of open.splice(0)) await model.close();
});

async function ask(model: Model, body: unknown, path = "/v1/chat/completions"): Promise<Response> {
  return fetch(`${model.url}${path}`, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(5_000),
  });
}

async function start(script: Parameters<typeof startModel>[0]["script"]): Promise<Model> {
  const model = await startModel({ script });
  open.push(model);
  return model;
}

interface Completion {
  choices: { finish_reason: string; message: { content: string; tool_calls: { function: { arguments: string } }[] } }[];
}

const user = { role: "user", content: "hello" };

describe("the model stand-in", () => {
  it("answers each turn of a conversation from its script, and says done after the last", async () => {
    const model = await start([{ calls: [{ name: "read", arguments: { path: "a" } }] }, { text: "read it" }]);
    const first = (await (await ask(model, { model: "m", messages: [user] })).json()) as Completion;
    expect(first.choices[0]?.finish_reason).toBe("tool_calls");
    expect(JSON.parse(first.choices[0]?.message.tool_calls[0]?.function.arguments ?? "")).toEqual({ path: "a" });
    const said = { role: "assistant", content: "x" };
    const second = (await (await ask(model, { model: "m", messages: [user, said] })).json()) as Completion;
    expect(second.choices[0]?.message.content).toBe("read it");
    const third = (await (await ask(model, { model: "m", messages: [user, said, user, said] })).json()) as Completion;
    expect(third.choices[0]?.message.content).toBe("done");
    expect(model.requests.map((r) => r.turn)).toEqual([0, 1, 2]);
  });

  it("streams text in pieces that make up the whole, then usage, then the end", async () => {
    const text = "a text that is longer than one piece of it";
    const model = await start([{ text, usage: { prompt: 7, completion: 3 } }]);
    const answer = await ask(model, { model: "m", stream: true, messages: [user] });
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    const events = (await answer.text())
      .split("\n\n")
      .filter(Boolean)
      .map((e) => e.slice("data: ".length));
    expect(events.at(-1)).toBe("[DONE]");
    const chunks = events.slice(0, -1).map((e) => JSON.parse(e));
    expect(chunks.map((c) => c.choices[0]?.delta.content ?? "").join("")).toBe(text);
    expect(chunks.at(-1).usage).toEqual({ prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 });
    expect(chunks.at(-2).choices[0].finish_reason).toBe("stop");
  });

  it("streams tool calls whose argument pieces make up the JSON", async () => {
    const wanted = { path: "src/a.ts", content: "x".repeat(100) };
    const model = await start([{ calls: [{ name: "write", arguments: wanted }] }]);
    const text = await (await ask(model, { model: "m", stream: true, messages: [user] })).text();
    const chunks = text
      .split("\n\n")
      .filter((e) => e.startsWith("data: {"))
      .map((e) => JSON.parse(e.slice(6)));
    const calls = chunks.flatMap((c) => c.choices[0]?.delta.tool_calls ?? []);
    expect(calls[0].function.name).toBe("write");
    expect(JSON.parse(calls.map((c) => c.function.arguments).join(""))).toEqual(wanted);
  });

  it("says the scripted failure, and refuses what is no chat request", async () => {
    const model = await start(() => ({ status: 429, text: "slow down" }));
    expect((await ask(model, { model: "m", messages: [user] })).status).toBe(429);
    expect((await ask(model, "{")).status).toBe(400);
    expect((await ask(model, {})).status).toBe(400);
    expect((await ask(model, {}, "/v1/files")).status).toBe(404);
    expect(model.requests).toHaveLength(4);
  });
});
