import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ModelException, ModelProtocol } from "../../src/domain/model.ts";
import type { ModelRoute } from "../../src/domain/policy.ts";
import { type CheckedBody, checkBody } from "../../src/gateway/model-body.ts";
import { endpointOf } from "../../src/gateway/model-endpoint.ts";
import { parseStrictJson } from "../../src/gateway/strict-json.ts";

const user = { role: "user", content: "hello" };
const bodies: Record<ModelProtocol, Record<string, unknown>> = {
  "anthropic-messages": { model: "m", messages: [user], max_tokens: 50, stream: true },
  "openai-chat": { model: "m", messages: [user], stream: true },
  "openai-responses": { model: "m", input: [{ type: "message", ...user }], stream: true },
  gemini: { contents: [{ role: "user", parts: [{ text: "hello" }] }] },
};
const routeOf = (protocol: ModelProtocol, allow: ModelException[] = []): ModelRoute => ({
  base: "https://a.org",
  protocol,
  allow,
});
const check = (protocol: ModelProtocol, body: unknown, allow: ModelException[] = []) =>
  checkBody(
    protocol,
    routeOf(protocol, allow),
    "r",
    Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
    protocol === "gemini" ? "m" : undefined,
  );
const good = (protocol: ModelProtocol, more: object = {}, allow: ModelException[] = []): CheckedBody => {
  const found = check(protocol, { ...bodies[protocol], ...more }, allow);
  if (!found.ok) throw new Error(JSON.stringify(found.denial));
  return found.body;
};
const written = (body: CheckedBody, output?: number, note?: string) =>
  JSON.parse(body.write(output, note).toString("utf8")) as Record<string, unknown>;
const said = (content: unknown) => ({ messages: [{ role: "user", content }] });
const parts = (...list: unknown[]) => ({ contents: [{ role: "user", parts: list }] });

describe("what a provider would do beyond answering is refused, and taken where the route names it", () => {
  test.each<[ModelProtocol, ModelException, object]>([
    ["anthropic-messages", "server-tools", { tools: [{ type: "web_search_20250305", name: "web_search" }] }],
    ["anthropic-messages", "server-tools", { tools: [{ type: "web_fetch_20250910", name: "web_fetch" }] }],
    ["anthropic-messages", "server-tools", { tools: [{ type: "code_execution_20250825", name: "code_execution" }] }],
    ["anthropic-messages", "remote-mcp", { mcp_servers: [{ type: "url", url: "https://evil.example" }] }],
    ["anthropic-messages", "remote-mcp", { tools: [{ type: "mcp_toolset", mcp_server_name: "x" }] }],
    ["anthropic-messages", "files", { container: { id: "c" } }],
    ["anthropic-messages", "files", said([{ type: "container_upload", file_id: "f" }])],
    ["anthropic-messages", "files", said([{ type: "document", source: { type: "file", file_id: "f" } }])],
    [
      "anthropic-messages",
      "url-sources",
      said([{ type: "image", source: { type: "url", url: "https://e.example/?x" } }]),
    ],
    ["anthropic-messages", "url-sources", said([{ type: "document", source: { type: "url", url: "http://e" } }])],
    [
      "anthropic-messages",
      "url-sources",
      said([{ type: "tool_result", content: [{ type: "image", source: { type: "url", url: "https://e" } }] }]),
    ],
    ["anthropic-messages", "priority", { speed: "fast" }],
    ["openai-chat", "server-tools", { web_search_options: {} }],
    ["openai-chat", "server-tools", { plugins: [{ id: "web" }] }],
    ["openai-chat", "server-tools", { model: "m:online" }],
    ["openai-chat", "server-tools", { models: ["dearer"] }],
    ["openai-chat", "server-tools", { tools: [{ type: "web_search" }] }],
    ["openai-chat", "server-tools", { enable_search: true }],
    ["openai-chat", "url-sources", said([{ type: "image_url", image_url: { url: "https://e.example/a.png" } }])],
    ["openai-chat", "files", said([{ type: "file", file: { file_id: "f" } }])],
    ["openai-chat", "stored", { store: true }],
    ["openai-chat", "priority", { service_tier: "priority" }],
    ["openai-responses", "server-tools", { tools: [{ type: "web_search", external_web_access: false }] }],
    ["openai-responses", "server-tools", { tools: [{ type: "code_interpreter", container: { type: "auto" } }] }],
    ["openai-responses", "server-tools", { tools: [{ type: "namespace", tools: [{ type: "image_generation" }] }] }],
    ["openai-responses", "remote-mcp", { tools: [{ type: "mcp", server_url: "https://evil.example" }] }],
    ["openai-responses", "background", { background: true }],
    ["openai-responses", "stored", { store: true }],
    ["openai-responses", "stored", { previous_response_id: "r" }],
    ["openai-responses", "stored", { conversation: "c" }],
    ["openai-responses", "stored", { prompt: { id: "p" } }],
    ["openai-responses", "stored", { input: [{ type: "item_reference", id: "i" }] }],
    [
      "openai-responses",
      "url-sources",
      { input: [{ role: "user", content: [{ type: "input_image", image_url: "https://e" }] }] },
    ],
    [
      "openai-responses",
      "url-sources",
      { input: [{ role: "user", content: [{ type: "input_file", file_url: "https://e" }] }] },
    ],
    [
      "openai-responses",
      "files",
      { input: [{ type: "function_call_output", output: [{ type: "input_file", file_id: "f" }] }] },
    ],
    ["gemini", "server-tools", { tools: [{ googleSearch: {} }] }],
    ["gemini", "server-tools", { tools: [{ functionDeclarations: [], codeExecution: {} }] }],
    ["gemini", "server-tools", { tools: [{ urlContext: {} }] }],
    ["gemini", "url-sources", parts({ fileData: { fileUri: "https://www.youtube.com/watch?v=x" } })],
    ["gemini", "files", parts({ fileData: { fileUri: "https://generativelanguage.googleapis.com/v1beta/files/x" } })],
    [
      "gemini",
      "url-sources",
      parts({ functionResponse: { name: "f", response: {}, parts: [{ fileData: { fileUri: "gs://b/x" } }] } }),
    ],
    ["gemini", "stored", { cachedContent: "cachedContents/x" }],
  ])("%s: %s %j", (protocol, exception, more) => {
    const found = check(protocol, { ...bodies[protocol], ...more });
    expect(found).toMatchObject({
      ok: false,
      denial: { status: 403, code: `model-${exception}`, rule: "models.r.allow" },
    });
    expect(!found.ok && found.denial.next).toContain(`models.r.allow: [${exception}]`);
    const every: ModelException[] = [exception, ...(exception === "files" ? (["url-sources"] as const) : [])];
    expect(check(protocol, { ...bodies[protocol], ...more }, every).ok).toBe(true);
  });

  test.each<[ModelProtocol, object]>([
    [
      "anthropic-messages",
      { tools: [{ name: "read", input_schema: { properties: { file_id: {}, source: { type: "url" } } } }] },
    ],
    [
      "anthropic-messages",
      {
        tools: [
          { type: "bash_20250124", name: "bash" },
          { type: "custom", name: "x", input_schema: {} },
        ],
      },
    ],
    [
      "anthropic-messages",
      said([{ type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } }]),
    ],
    ["anthropic-messages", said([{ type: "text", text: '{"image_url":"https://e","file_id":"f"}' }])],
    [
      "anthropic-messages",
      {
        messages: [
          { role: "assistant", content: [{ type: "tool_use", id: "t", name: "n", input: { file_url: "https://e" } }] },
        ],
      },
    ],
    [
      "anthropic-messages",
      { metadata: { user_id: "u" }, thinking: { type: "enabled", budget_tokens: 20 }, future_field: { a: 1 } },
    ],
    [
      "openai-chat",
      { tools: [{ type: "function", function: { name: "f", parameters: { properties: { file_id: {} } } } }] },
    ],
    ["openai-chat", said([{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }])],
    ["openai-chat", { store: false, n: 1, service_tier: "auto", web_search_options: null, parallel_tool_calls: true }],
    [
      "openai-responses",
      {
        tools: [{ type: "function", name: "f" }, { type: "custom", name: "c" }, { type: "local_shell" }],
        store: false,
      },
    ],
    [
      "openai-responses",
      { include: ["reasoning.encrypted_content"], prompt_cache_key: "k", previous_response_id: null },
    ],
    ["openai-responses", { input: [{ type: "function_call", arguments: '{"file_url":"https://e"}' }] }],
    ["gemini", { tools: [{ functionDeclarations: [{ name: "f", parameters: { properties: { file_uri: {} } } }] }] }],
    ["gemini", parts({ functionCall: { name: "f", args: { file_uri: "x", fileUri: "https://e" } } })],
    ["gemini", parts({ inlineData: { mimeType: "image/png", data: "AAAA" } })],
  ])("benign: %s %j", (protocol, more) => {
    const body = good(protocol, more);
    // All that was sent goes on as it was.
    expect(written(body)).toMatchObject(JSON.parse(JSON.stringify({ ...bodies[protocol], ...more })));
  });
});

describe("a body is one thing to every parser", () => {
  test.each([
    ['{"model":"m","messages":[],"model":"n"}', /"model" is there twice/],
    ['{"model":"m","messages":[{"role":"user","content":"a","content":"b"}]}', /"content" is there twice/],
    ['{"model":"m","mod\\u0065l":"n","messages":[]}', /"model" is there twice/],
    ['{"model":"m","__proto__":{"x":1},"messages":[]}', /__proto__/],
    ['{"model":"m","Tools":[],"messages":[]}', /Tools is written tools/],
    ['{"model":"m","MAX_TOKENS":1,"messages":[]}', /MAX_TOKENS is written max_tokens/],
    ['{"model":"m","messages":[]} x', /not JSON/],
    ['{"model":"m","messages":[]', /not JSON/],
    ["[1]", /not an object/],
    ['"a', /not JSON/],
    ["", /not JSON/],
    ['\uFEFF{"model":"m","messages":[]}', /not JSON/],
    [`{"a":${"[".repeat(200)}${"]".repeat(200)}}`, /levels/],
    ['{"model":"a b","messages":[]}', /model/],
    ['{"messages":[]}', /model/],
    ['{"model":"m","messages":"x"}', /messages/],
    ['{"model":"m","messages":[],"max_tokens":0}', /max_tokens/],
    ['{"model":"m","messages":[],"max_tokens":1e30}', /max_tokens/],
    ['{"model":"m","messages":[],"max_tokens":-5}', /max_tokens/],
    ['{"model":"m","messages":[],"n":8}', /n: expected one answer/],
  ])("%j is refused", (text, why) => {
    expect(check("openai-chat", text)).toMatchObject({
      ok: false,
      denial: { status: 400, code: "model-body", why: expect.stringMatching(why) },
    });
  });
  test("bytes that are no UTF-8 are refused", () => {
    const found = checkBody("openai-chat", routeOf("openai-chat"), "r", Buffer.from([0x7b, 0xff, 0x7d]), undefined);
    expect(found.ok).toBe(false);
  });
  test.each([
    { generation_config: {} },
    { generationConfig: { max_output_tokens: 5 } },
    parts({ file_data: {} }),
    { tools: [{ google_search: {} }] },
    { cached_content: "x" },
  ])("Gemini's other spelling %j is refused", (more) => {
    expect(check("gemini", { ...bodies.gemini, ...more })).toMatchObject({ ok: false, denial: { code: "model-body" } });
  });

  test("whatever JSON has no doubled key is read as JSON.parse reads it", { timeout: 30_000 }, () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.constantFrom("", " ", "\n"), (text, space) => {
        const found = parseStrictJson(space + text + space, 20);
        if (text.includes("__proto__")) return;
        expect(found).toEqual({ ok: true, value: JSON.parse(text) });
      }),
      { numRuns: 3000 },
    );
  });
  test("a key that is put in twice, however it is written, is found", () => {
    const key = fc.string({ minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(key, fc.json({ maxDepth: 3 }), fc.json({ maxDepth: 3 }), fc.boolean(), (name, a, b, escaped) => {
        const plain = JSON.stringify(name);
        const other = escaped
          ? `"${[...Array(name.length).keys()].map((at) => `\\u${name.charCodeAt(at).toString(16).padStart(4, "0")}`).join("")}"`
          : plain;
        expect(parseStrictJson(`[{${plain}:${a},"other${name}":1,${other}:${b}}]`, 30).ok).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });
  test("a body of nothing but brackets is refused before it is parsed", () => {
    expect(parseStrictJson(`[${"[],".repeat(100)}1]`, 5, 250).ok).toBe(true);
    expect(parseStrictJson(`[${"[],".repeat(100)}1]`, 5, 150)).toMatchObject({ ok: false, why: "more than 150 parts" });
    const flood = `{"model":"m","messages":[${'{"role":"user","content":[[],[],[],[]]},'.repeat(100_000).slice(0, -1)}]}`;
    expect(check("openai-chat", flood)).toMatchObject({ ok: false, denial: { why: expect.stringContaining("parts") } });
  });
  test("a large body of nothing but escapes is read in a time in its length, not in the square of it", {
    timeout: 20_000,
  }, () => {
    const size = 1_600_000;
    expect(parseStrictJson(JSON.stringify({ a: '\\"'.repeat(size), b: "x".repeat(size) }), 8).ok).toBe(true);
  });
});

describe("the cap of the output", () => {
  test.each<[ModelProtocol, object, number | undefined, object]>([
    ["anthropic-messages", {}, 50, { max_tokens: 9 }],
    ["openai-chat", {}, undefined, { max_tokens: 9 }],
    ["openai-chat", { max_completion_tokens: 20 }, 20, { max_completion_tokens: 9 }],
    ["openai-chat", { max_completion_tokens: 20, max_tokens: 30 }, 30, { max_completion_tokens: 9, max_tokens: 9 }],
    ["openai-chat", { max_completion_tokens: null, max_tokens: 30 }, 30, { max_tokens: 9 }],
    ["openai-responses", {}, undefined, { max_output_tokens: 9 }],
    ["openai-responses", { max_output_tokens: 70 }, 70, { max_output_tokens: 9 }],
    ["gemini", {}, undefined, { generationConfig: { maxOutputTokens: 9 } }],
    [
      "gemini",
      { generationConfig: { maxOutputTokens: 8, temperature: 1 } },
      8,
      { generationConfig: { maxOutputTokens: 9, temperature: 1 } },
    ],
  ])("%s %j asks for %s", (protocol, more, asked, after) => {
    const body = good(protocol, more);
    expect(body.output).toBe(asked);
    expect(written(body, 9)).toMatchObject(after);
  });
  test("thoughts fit into a lowered output", () => {
    const thinking = { type: "enabled", budget_tokens: 30_000 };
    expect(written(good("anthropic-messages", { max_tokens: 32_000, thinking }), 5000)["thinking"]).toMatchObject({
      budget_tokens: 4999,
    });
    expect(written(good("anthropic-messages", { max_tokens: 32_000, thinking }), 500)["thinking"]).toBeUndefined();
  });
  test("usage is asked for in a stream of Chat, and nothing is stored by Responses", () => {
    expect(written(good("openai-chat", { stream_options: { x: 1, include_usage: false } }))["stream_options"]).toEqual({
      x: 1,
      include_usage: true,
    });
    expect(written(good("openai-chat", { stream: false }))["stream_options"]).toBeUndefined();
    expect(written(good("openai-responses"))["store"]).toBe(false);
    expect(written(good("openai-responses", { store: true }, ["stored"]))["store"]).toBe(true);
  });
  test("the input is at least every byte, and pictures and documents count for what they are", () => {
    for (const protocol of Object.keys(bodies) as ModelProtocol[]) {
      expect(good(protocol).input).toBeGreaterThan(JSON.stringify(bodies[protocol]).length);
    }
    const picture = said([{ type: "image", source: { type: "base64", data: "AAAA" } }]);
    const document = said([{ type: "document", source: { type: "base64", data: "AAAA" } }]);
    expect(good("anthropic-messages", picture).input).toBeGreaterThan(6000);
    expect(good("anthropic-messages", document).input).toBeGreaterThan(1_000_000);
    expect(good("gemini", parts({ inlineData: { mimeType: "video/mp4", data: "AAAA" } })).input).toBeGreaterThan(
      1_000_000,
    );
  });
});

describe("a note of the host's", () => {
  test.each<[ModelProtocol, object, object]>([
    ["anthropic-messages", {}, { system: [{ type: "text", text: "NOTE" }] }],
    [
      "anthropic-messages",
      { system: "be good" },
      {
        system: [
          { type: "text", text: "be good" },
          { type: "text", text: "NOTE" },
        ],
      },
    ],
    [
      "anthropic-messages",
      { system: [{ type: "text", text: "a" }] },
      {
        system: [
          { type: "text", text: "a" },
          { type: "text", text: "NOTE" },
        ],
      },
    ],
    ["openai-chat", {}, { messages: [{ role: "system", content: "NOTE" }, user] }],
    [
      "openai-chat",
      { messages: [{ role: "system", content: "s" }, user] },
      { messages: [{ role: "system", content: "s\n\nNOTE" }, user] },
    ],
    [
      "openai-chat",
      { messages: [{ role: "developer", content: [{ type: "text", text: "s" }] }] },
      {
        messages: [
          {
            role: "developer",
            content: [
              { type: "text", text: "s" },
              { type: "text", text: "NOTE" },
            ],
          },
        ],
      },
    ],
    ["openai-responses", {}, { instructions: "NOTE" }],
    ["openai-responses", { instructions: "i" }, { instructions: "i\n\nNOTE" }],
    ["gemini", {}, { systemInstruction: { parts: [{ text: "NOTE" }] } }],
    [
      "gemini",
      { systemInstruction: { parts: [{ text: "s" }] } },
      { systemInstruction: { parts: [{ text: "s" }, { text: "NOTE" }] } },
    ],
  ])("%s %j", (protocol, more, after) => {
    expect(written(good(protocol, more), 100, "NOTE")).toMatchObject(after);
    expect(JSON.stringify(written(good(protocol, more), 100))).not.toContain("NOTE");
  });
});

describe("endpoints", () => {
  const at = (protocol: ModelProtocol, line: string) => {
    const [method = "", url = ""] = line.split(" ");
    const [path = "", query = ""] = url.split("?");
    return endpointOf(protocol, method, path, query);
  };
  test.each<[ModelProtocol, string, string]>([
    ["anthropic-messages", "POST v1/messages", "answer"],
    ["anthropic-messages", "POST v1/messages?beta=true", "answer"],
    ["anthropic-messages", "POST v1/messages/count_tokens?beta=true", "count"],
    ["anthropic-messages", "GET v1/models?limit=1000", "look"],
    ["openai-chat", "POST v1/chat/completions", "answer"],
    ["openai-chat", "POST chat/completions", "answer"],
    ["openai-chat", "GET v1/models", "look"],
    ["openai-responses", "POST v1/responses", "answer"],
    ["gemini", "POST v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", "answer"],
    ["gemini", "POST v1beta/models/gemini-2.5-pro:generateContent", "answer"],
    ["gemini", "POST v1beta/models/gemini-2.5-pro:countTokens", "count"],
    ["gemini", "GET v1beta/models", "look"],
  ])("%s %s is one to %s", (protocol, line, kind) => {
    expect(at(protocol, line)).toMatchObject({ ok: true, kind });
  });
  test.each<[ModelProtocol, string]>([
    ["anthropic-messages", "POST v1/messages/batches"],
    ["anthropic-messages", "POST v1/files"],
    ["anthropic-messages", "GET v1/files"],
    ["anthropic-messages", "POST v1/complete"],
    ["anthropic-messages", "GET v1/messages"],
    ["anthropic-messages", "POST v1/organizations/api_keys"],
    ["anthropic-messages", "POST v1/chat/completions"],
    ["anthropic-messages", "POST v1/messages?beta=true&beta=true"],
    ["anthropic-messages", "POST v1/messages?url=https://e"],
    ["anthropic-messages", "POST v1/messages/"],
    ["openai-chat", "POST v1/responses"],
    ["openai-chat", "POST v1/files"],
    ["openai-chat", "POST v1/batches"],
    ["openai-chat", "POST v1/embeddings"],
    ["openai-chat", "POST v1/images/generations"],
    ["openai-chat", "POST v1/chat/completions/x"],
    ["openai-chat", "GET v1/chat/completions"],
    ["openai-responses", "GET v1/responses/resp_1"],
    ["openai-responses", "POST v1/responses/compact"],
    ["openai-responses", "POST v1/chat/completions"],
    ["openai-responses", "POST v1/realtime"],
    ["gemini", "POST v1beta/models/m:batchGenerateContent"],
    ["gemini", "POST v1beta/cachedContents"],
    ["gemini", "POST upload/v1beta/files"],
    ["gemini", "POST v1beta/models/m:generateContent?key=x"],
    ["gemini", "POST v1beta/models/a/b:generateContent"],
    ["gemini", "POST v1beta/tunedModels/m:generateContent"],
    ["gemini", "POST v1beta/models/m:streamGenerateContent?alt=sse&fields=a"],
  ])("%s %s is none", (protocol, line) => {
    expect(at(protocol, line).ok).toBe(false);
  });
});
