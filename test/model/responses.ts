/** OpenAI Responses (`POST /v1/responses`), whole or streamed. */
import { openaiError } from "./chat.ts";
import { created, type Dialect, listOf, objectOf, pieces, runs, type Said, sse, textOf } from "./dialect.ts";

const ours: ReadonlySet<unknown> = new Set(["function_call", "custom_tool_call", "local_shell_call", "reasoning"]);

export const responses: Dialect = {
  protocol: "openai-responses",
  path: (path) => {
    if (/^(?:\/v1)?\/responses$/.test(path)) return "answer";
    return /^(?:\/v1)?\/responses\/input_tokens$/.test(path) ? "count" : undefined;
  },
  read(body) {
    const { input } = body;
    if (typeof body["model"] !== "string" || (typeof input !== "string" && !Array.isArray(input))) {
      return "model and input are required";
    }
    const items = typeof input === "string" ? [{ role: "user", content: input }] : listOf(input);
    return {
      protocol: "openai-responses",
      model: body["model"],
      stream: body["stream"] === true,
      turn: turnOf(items),
      text: [body["instructions"], ...items.map((i) => i["content"] ?? i["output"])].map(textOf).join("\n"),
      tools: listOf(body["tools"])
        .filter((t) => t["type"] === "function")
        .map((t) => ({ name: String(t["name"]), parameters: objectOf(t["parameters"]) })),
      wantsUsage: true,
    };
  },
  whole: (said) => response(said, "completed", itemsOf(said)),
  events(said) {
    const events: string[] = [];
    const say = (type: string, data: object) => {
      events.push(sse({ type, sequence_number: events.length, ...data }, type));
    };
    say("response.created", { response: response(said, "in_progress", []) });
    say("response.in_progress", { response: response(said, "in_progress", []) });
    itemsOf(said).forEach((item, output_index) => {
      const at = { item_id: item.id, output_index };
      if (item.type === "message") {
        const part = item.content[0];
        say("response.output_item.added", { output_index, item: { ...item, status: "in_progress", content: [] } });
        say("response.content_part.added", { ...at, content_index: 0, part: { ...part, text: "" } });
        for (const delta of pieces(part.text)) {
          say("response.output_text.delta", { ...at, content_index: 0, delta, logprobs: [] });
        }
        say("response.output_text.done", { ...at, content_index: 0, text: part.text, logprobs: [] });
        say("response.content_part.done", { ...at, content_index: 0, part });
      } else {
        say("response.output_item.added", { output_index, item: { ...item, status: "in_progress", arguments: "" } });
        for (const delta of pieces(item.arguments)) say("response.function_call_arguments.delta", { ...at, delta });
        say("response.function_call_arguments.done", { ...at, name: item.name, arguments: item.arguments });
      }
      say("response.output_item.done", { output_index, item });
    });
    const end = said.cut ? "incomplete" : "completed";
    say(`response.${end}`, { response: response(said, end, itemsOf(said)) });
    return events;
  },
  count: (tokens) => ({ object: "response.input_tokens", input_tokens: tokens }),
  error: openaiError,
};

/**
 * The answers in a conversation: the calls of one answer share the turn in their ids, however their results lie between
 * them; text alone is an answer too.
 */
function turnOf(items: Record<string, unknown>[]): number {
  const turns = new Set<string>();
  const mine = (i: Record<string, unknown>) => i["role"] === "assistant" || ours.has(i["type"]);
  runs(items, mine).forEach((run, index) => {
    const tagged = run.map((i) => /^call_(\d+)_/.exec(String(i["call_id"]))?.[1]).filter((t) => t !== undefined);
    for (const tag of tagged.length > 0 ? tagged : [`text ${index}`]) turns.add(tag);
  });
  return turns.size;
}

function itemsOf(said: Said) {
  const content = [{ type: "output_text" as const, text: said.text, annotations: [], logprobs: [] }] as const;
  const message = {
    type: "message" as const,
    id: `msg_${said.id}`,
    status: "completed",
    role: "assistant",
    content,
  };
  const calls = said.calls.map((call, index) => ({
    type: "function_call" as const,
    id: `fc_${said.id}_${index}`,
    call_id: call.id,
    name: call.name,
    arguments: JSON.stringify(call.arguments),
    status: "completed",
  }));
  return said.text === "" && calls.length > 0 ? calls : [message, ...calls];
}

function response(said: Said, status: string, output: readonly object[]): object {
  return {
    id: `resp_${said.id}`,
    object: "response",
    created_at: created,
    status,
    error: null,
    incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
    model: said.model,
    output,
    parallel_tool_calls: true,
    store: false,
    usage: status === "in_progress" ? null : usageOf(said),
  };
}

function usageOf({ usage }: Said): unknown {
  if (usage === undefined) return null;
  if ("raw" in usage) return usage.raw;
  const input = usage.input + (usage.cached ?? 0);
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: usage.cached ?? 0 },
    output_tokens: usage.output,
    output_tokens_details: { reasoning_tokens: usage.reasoning ?? 0 },
    total_tokens: input + usage.output,
  };
}
