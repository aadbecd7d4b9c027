/** OpenAI Chat Completions (`POST /v1/chat/completions`), whole or streamed. */
import { created, type Dialect, isGreeting, listOf, objectOf, pieces, type Said, sse, textOf } from "./dialect.ts";

export const chat: Dialect = {
  protocol: "openai-chat",
  path: (path) => (/^(?:\/v1)?\/chat\/completions$/.test(path) ? "answer" : undefined),
  read(body) {
    if (!Array.isArray(body["messages"]) || typeof body["model"] !== "string") return "model and messages are required";
    const messages = listOf(body["messages"]);
    return {
      protocol: "openai-chat",
      model: body["model"],
      stream: body["stream"] === true,
      turn: messages.filter((m) => m["role"] === "assistant" && !isGreeting(textOf(m["content"]))).length,
      text: messages.map((m) => textOf(m["content"])).join("\n"),
      tools: listOf(body["tools"])
        .map((t) => objectOf(t["function"]))
        .map((f) => ({ name: String(f["name"]), parameters: objectOf(f["parameters"]) })),
      wantsUsage: objectOf(body["stream_options"])["include_usage"] === true,
    };
  },
  whole(said) {
    const calls = callsOf(said);
    const message = {
      role: "assistant",
      content: said.text === "" && calls.length > 0 ? null : said.text,
      refusal: null,
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
    };
    const choices = [{ index: 0, message, logprobs: null, finish_reason: finishOf(said) }];
    return { ...head(said, "chat.completion"), choices, ...usageOf(said) };
  },
  events(said, asked) {
    // Where usage was asked for, every chunk but the last says `usage: null`.
    const none = asked.wantsUsage ? { usage: null } : {};
    const chunk = (delta: object, finish: string | null = null) =>
      sse({
        ...head(said, "chat.completion.chunk"),
        choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
        ...none,
      });
    const events = [chunk({ role: "assistant", content: "", refusal: null })];
    for (const piece of pieces(said.text)) events.push(chunk({ content: piece }));
    callsOf(said).forEach((call, index) => {
      const { name, arguments: text } = call.function;
      events.push(chunk({ tool_calls: [{ index, ...call, function: { name, arguments: "" } }] }));
      for (const piece of pieces(text)) events.push(chunk({ tool_calls: [{ index, function: { arguments: piece } }] }));
    });
    events.push(chunk({}, finishOf(said)));
    if (asked.wantsUsage && said.usage !== undefined) {
      events.push(sse({ ...head(said, "chat.completion.chunk"), choices: [], ...usageOf(said) }));
    }
    return [...events, "data: [DONE]\n\n"];
  },
  count: () => ({}),
  error: openaiError,
};

function head(said: Said, object: string): object {
  return { id: `chatcmpl-${said.id}`, object, created, model: said.model, system_fingerprint: "fp_scripted" };
}

function callsOf(said: Said) {
  return said.calls.map((call) => ({
    id: call.id,
    type: "function",
    function: { name: call.name, arguments: JSON.stringify(call.arguments) },
  }));
}

function finishOf(said: Said): string {
  return said.cut ? "length" : said.calls.length > 0 ? "tool_calls" : "stop";
}

function usageOf({ usage }: Said): object {
  if (usage === undefined) return {};
  if ("raw" in usage) return { usage: usage.raw };
  const prompt = usage.input + (usage.cached ?? 0);
  return {
    usage: {
      prompt_tokens: prompt,
      completion_tokens: usage.output,
      total_tokens: prompt + usage.output,
      prompt_tokens_details: { cached_tokens: usage.cached ?? 0, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: usage.reasoning ?? 0, audio_tokens: 0 },
    },
  };
}

/** An error as both OpenAI protocols write it. */
export function openaiError(status: number, message: string): object {
  const type =
    status === 429 ? "rate_limit_exceeded" : status >= 500 ? "server_error" : ("invalid_request_error" as const);
  return { error: { message, type, param: null, code: status === 429 ? "rate_limit_exceeded" : null } };
}
