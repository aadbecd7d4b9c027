/** OpenAI Chat Completions as a server says them: whole, or as server-sent events with a usage chunk at the end. */

export interface ToolCall {
  name: string;
  arguments: Record<string, unknown>;
}

/** One answer of the model: tool calls, or final text; a status other than 200 is an error of the provider's. */
export interface Turn {
  text?: string;
  calls?: readonly ToolCall[];
  status?: number;
  /** Tokens it says it used; left out: a rough count of the bytes. */
  usage?: { prompt: number; completion: number };
}

export interface Answer {
  status: number;
  type: string;
  /** The parts in the order they are written; more than one when streamed. */
  parts: string[];
}

/** The answer to a request for this turn. `id` makes tool call ids unique; `bytes` is the request's length. */
export function chatAnswer(turn: Turn, request: { model: string; stream: boolean; id: string; bytes: number }): Answer {
  const json = "application/json";
  if (turn.status !== undefined && turn.status !== 200) {
    const body = { error: { message: turn.text ?? "scripted failure", type: "server_error" } };
    return { status: turn.status, type: json, parts: [JSON.stringify(body)] };
  }
  const calls = (turn.calls ?? []).map((call, index) => ({
    index,
    id: `call_${request.id}_${index}`,
    type: "function",
    function: { name: call.name, arguments: JSON.stringify(call.arguments) },
  }));
  const finish = calls.length > 0 ? "tool_calls" : "stop";
  const prompt = turn.usage?.prompt ?? Math.ceil(request.bytes / 4);
  const completion = turn.usage?.completion ?? Math.ceil(((turn.text ?? "").length + JSON.stringify(calls).length) / 4);
  const usage = { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
  const head = { id: `chatcmpl-${request.id}`, created: 1_767_225_600, model: request.model };

  if (!request.stream) {
    const message = {
      role: "assistant",
      content: turn.text ?? null,
      ...(calls.length > 0 ? { tool_calls: calls.map(({ index: _, ...call }) => call) } : {}),
    };
    const choices = [{ index: 0, message, finish_reason: finish }];
    return { status: 200, type: json, parts: [JSON.stringify({ ...head, object: "chat.completion", choices, usage })] };
  }
  const chunk = (delta: object, finishReason: string | null): object => ({
    ...head,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta, finish_reason: finishReason }],
  });
  const chunks: object[] = [chunk({ role: "assistant", content: "" }, null)];
  // Text and arguments come in pieces, as they do from a real model: a reader that expects whole ones fails.
  for (const piece of pieces(turn.text ?? "")) chunks.push(chunk({ content: piece }, null));
  for (const call of calls) {
    const { arguments: text, name } = call.function;
    chunks.push(chunk({ tool_calls: [{ ...call, function: { name, arguments: "" } }] }, null));
    for (const piece of pieces(text)) {
      chunks.push(chunk({ tool_calls: [{ index: call.index, function: { arguments: piece } }] }, null));
    }
  }
  chunks.push(chunk({}, finish), { ...head, object: "chat.completion.chunk", choices: [], usage });
  const parts = [...chunks.map((c) => `data: ${JSON.stringify(c)}\n\n`), "data: [DONE]\n\n"];
  return { status: 200, type: "text/event-stream", parts };
}

function pieces(text: string): string[] {
  return text.match(/[\s\S]{1,24}/gu) ?? [];
}
