/** Anthropic Messages (`POST /v1/messages`), whole or streamed. */
import { type Dialect, listOf, objectOf, pieces, type Said, sse, textOf } from "./dialect.ts";

export const anthropic: Dialect = {
  protocol: "anthropic-messages",
  path: (path) => {
    if (/^(?:\/v1)?\/messages$/.test(path)) return "answer";
    return /^(?:\/v1)?\/messages\/count_tokens$/.test(path) ? "count" : undefined;
  },
  read(body, path) {
    if (!Array.isArray(body["messages"]) || typeof body["model"] !== "string") return "model and messages are required";
    if (!path.endsWith("/count_tokens") && typeof body["max_tokens"] !== "number") return "max_tokens: Field required";
    const messages = listOf(body["messages"]);
    return {
      protocol: "anthropic-messages",
      model: body["model"],
      stream: body["stream"] === true,
      turn: messages.filter((m) => m["role"] === "assistant").length,
      text: [body["system"], ...messages.map((m) => m["content"])].map(textOf).join("\n"),
      tools: listOf(body["tools"]).map((t) => ({ name: String(t["name"]), parameters: objectOf(t["input_schema"]) })),
      wantsUsage: true,
    };
  },
  whole: (said) => message(said, blocksOf(said), stopOf(said), usageOf(said, "end")),
  events(said) {
    const events = [
      sse({ type: "message_start", message: message(said, [], null, usageOf(said, "start")) }, "message_start"),
      sse({ type: "ping" }, "ping"),
    ];
    blocksOf(said).forEach((block, index) => {
      const start = block.type === "text" ? { ...block, text: "" } : { ...block, input: {} };
      events.push(sse({ type: "content_block_start", index, content_block: start }, "content_block_start"));
      const deltas =
        block.type === "text"
          ? pieces(block.text).map((text) => ({ type: "text_delta", text }))
          : ["", ...pieces(JSON.stringify(block.input))].map((partial_json) => ({
              type: "input_json_delta",
              partial_json,
            }));
      for (const delta of deltas)
        events.push(sse({ type: "content_block_delta", index, delta }, "content_block_delta"));
      events.push(sse({ type: "content_block_stop", index }, "content_block_stop"));
    });
    const delta = { stop_reason: stopOf(said), stop_sequence: null };
    events.push(sse({ type: "message_delta", delta, ...usageOf(said, "end") }, "message_delta"));
    events.push(sse({ type: "message_stop" }, "message_stop"));
    return events;
  },
  count: (tokens) => ({ input_tokens: tokens }),
  error(status, message) {
    const types: Record<number, string> = { 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error" };
    const type = types[status] ?? (status >= 500 ? "api_error" : "invalid_request_error");
    return { type: "error", error: { type, message }, request_id: "req_scripted" };
  },
};

function blocksOf(said: Said) {
  const calls = said.calls.map((call) => ({
    type: "tool_use" as const,
    id: call.id.replace(/^call_/, "toolu_"),
    name: call.name,
    input: call.arguments,
  }));
  const text = { type: "text" as const, text: said.text };
  return said.text === "" && calls.length > 0 ? calls : [text, ...calls];
}

function stopOf(said: Said): string {
  return said.cut ? "max_tokens" : said.calls.length > 0 ? "tool_use" : "end_turn";
}

function message(said: Said, content: readonly object[], stop: string | null, usage: object): object {
  const head = { id: `msg_${said.id}`, type: "message", role: "assistant", model: said.model };
  return { ...head, content, stop_reason: stop, stop_sequence: null, ...usage };
}

/** Usage at the start has one output token; that at the end is cumulative. */
function usageOf({ usage }: Said, when: "start" | "end"): object {
  if (usage === undefined) return {};
  if ("raw" in usage) return { usage: usage.raw };
  return {
    usage: {
      input_tokens: usage.input,
      cache_creation_input_tokens: usage.cacheWrite ?? 0,
      cache_read_input_tokens: usage.cached ?? 0,
      output_tokens: when === "start" ? 1 : usage.output,
      service_tier: "standard",
    },
  };
}
