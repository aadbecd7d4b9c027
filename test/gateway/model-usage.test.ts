import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ModelProtocol } from "../../src/domain/model.ts";
import { readUsage } from "../../src/gateway/model-usage.ts";

const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const named = (event: string, value: unknown) => `event: ${event}\n${data(value)}`;
const text = 'päragraph of words that is “long” \\n data: {"usage":{"input_tokens":9}}';

/** Whole streams as the providers send them, and what they used. */
const streams: [ModelProtocol, string, object][] = [
  [
    "anthropic-messages",
    named("message_start", {
      type: "message_start",
      message: {
        model: "claude-x",
        usage: {
          input_tokens: 10,
          cache_read_input_tokens: 100,
          cache_creation_input_tokens: 30,
          cache_creation: { ephemeral_1h_input_tokens: 20 },
          output_tokens: 1,
        },
      },
    }) +
      named("content_block_delta", { type: "content_block_delta", delta: { type: "text_delta", text } }) +
      named("message_delta", {
        type: "message_delta",
        delta: { stop_reason: "end_turn" },
        usage: { output_tokens: 55 },
      }) +
      named("message_stop", { type: "message_stop" }),
    { model: "claude-x", usage: { input: 10, cached: 100, cacheWrite: 30, cacheHour: 20, output: 55 } },
  ],
  [
    "openai-chat",
    data({ model: "g", choices: [{ delta: { content: text } }], usage: null }) +
      data({ model: "g", choices: [{ finish_reason: "stop", delta: {} }] }) +
      data({
        model: "g",
        choices: [],
        usage: { prompt_tokens: 40, completion_tokens: 7, prompt_tokens_details: { cached_tokens: 15 } },
      }) +
      "data: [DONE]\n\n",
    { model: "g", usage: { input: 25, cached: 15, cacheWrite: 0, output: 7 } },
  ],
  [
    "openai-responses",
    named("response.created", { type: "response.created", response: { model: "g", usage: null } }) +
      named("response.output_text.delta", { type: "response.output_text.delta", delta: text }) +
      named("response.completed", {
        type: "response.completed",
        response: {
          model: "g-2",
          usage: {
            input_tokens: 40,
            input_tokens_details: { cached_tokens: 30 },
            output_tokens: 9,
            output_tokens_details: { reasoning_tokens: 4 },
          },
        },
      }),
    { model: "g-2", usage: { input: 10, cached: 30, cacheWrite: 0, output: 9 } },
  ],
  [
    "gemini",
    data({
      candidates: [{ content: { parts: [{ text }] } }],
      usageMetadata: { promptTokenCount: 20, candidatesTokenCount: 1 },
      modelVersion: "gem",
    }) +
      data({
        candidates: [{ finishReason: "STOP" }],
        usageMetadata: {
          promptTokenCount: 20,
          cachedContentTokenCount: 5,
          candidatesTokenCount: 8,
          thoughtsTokenCount: 12,
        },
        modelVersion: "gem",
      }),
    { model: "gem", usage: { input: 15, cached: 5, cacheWrite: 0, output: 20 } },
  ],
];
const read = (protocol: ModelProtocol, chunks: readonly Buffer[], events = true, cut = false) => {
  const reader = readUsage(protocol, events);
  for (const chunk of chunks) reader.push(chunk);
  return reader.end(cut);
};

describe.each(streams)("%s", (protocol, stream, used) => {
  const bytes = Buffer.from(stream);
  test("a stream's last word counts, cut in any pieces and with any ends of lines", () => {
    const cuts = fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 40 });
    fc.assert(
      fc.property(cuts, fc.constantFrom("\n", "\r\n", "\r"), (places, end) => {
        const all = Buffer.from(stream.replaceAll("\n", end));
        const sorted = [0, ...places.map((at) => Math.min(at, all.length)).sort((a, b) => a - b), all.length];
        expect(
          read(
            protocol,
            sorted.slice(1).map((at, index) => all.subarray(sorted[index], at)),
          ),
        ).toEqual(used);
      }),
      { numRuns: 300 },
    );
    expect(
      read(
        protocol,
        [...bytes].map((byte) => Buffer.from([byte])),
      ),
    ).toEqual(used);
  });

  test("one that was cut before the end gives nothing to believe; one that was only closed early does", () => {
    const last = stream.lastIndexOf(
      "data: {",
      protocol === "anthropic-messages" ? stream.lastIndexOf("event: message_stop") : stream.length,
    );
    const early = read(protocol, [Buffer.from(stream.slice(0, last))], true, true);
    expect(early).toMatchObject({ why: expect.any(String) });
    expect(early.usage).toBeUndefined();
    expect(read(protocol, [bytes], true, true)).toEqual(used);
  });
});

describe("an answer that is no stream", () => {
  test.each<[ModelProtocol, unknown, object]>([
    [
      "anthropic-messages",
      { type: "message", model: "c", usage: { input_tokens: 3, output_tokens: 4 } },
      { input: 3, cached: 0, cacheWrite: 0, output: 4 },
    ],
    [
      "openai-chat",
      { model: "c", usage: { prompt_tokens: 3, completion_tokens: 4 } },
      { input: 3, cached: 0, cacheWrite: 0, output: 4 },
    ],
    [
      "openai-responses",
      { object: "response", model: "c", usage: { input_tokens: 3, output_tokens: 4 } },
      { input: 3, cached: 0, cacheWrite: 0, output: 4 },
    ],
    [
      "gemini",
      { usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 4 } },
      { input: 3, cached: 0, cacheWrite: 0, output: 4 },
    ],
    [
      "gemini",
      [{ usageMetadata: { promptTokenCount: 3 } }, { usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 4 } }],
      { input: 3, cached: 0, cacheWrite: 0, output: 4 },
    ],
  ])("%s", (protocol, value, usage) => {
    const bytes = Buffer.from(JSON.stringify(value));
    expect(read(protocol, [bytes.subarray(0, 7), bytes.subarray(7)], false).usage).toEqual(usage);
  });
});

test.each<[string, object]>([
  ["none", {}],
  ["null", { usage: null }],
  ["less than nothing", { usage: { prompt_tokens: -5, completion_tokens: 1 } }],
  [
    "more cached than there is",
    { usage: { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 50 } } },
  ],
  ["a text", { usage: { prompt_tokens: "5", completion_tokens: 1 } }],
  ["a fraction", { usage: { prompt_tokens: 5.5, completion_tokens: 1 } }],
  ["more than a number holds", { usage: { prompt_tokens: 1e300, completion_tokens: 1 } }],
  ["half of it", { usage: { prompt_tokens: 5 } }],
])("a usage that is %s is not believed", (_, value) => {
  const found = read("openai-chat", [Buffer.from(JSON.stringify({ model: "m", ...value }))], false);
  expect(found.usage).toBeUndefined();
  expect(found.why).toBeTruthy();
});

test("any bytes at all end in a word, and never in an error", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 10 }),
      fc.boolean(),
      fc.boolean(),
      (chunks, events, cut) => {
        for (const protocol of ["anthropic-messages", "openai-chat", "openai-responses", "gemini"] as const) {
          const all = [Buffer.from("data: "), ...chunks.map((chunk) => Buffer.from(chunk))];
          expect(read(protocol, all, events, cut)).toMatchObject({ why: expect.any(String) });
        }
      },
    ),
    { numRuns: 500 },
  );
});
