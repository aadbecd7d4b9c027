/** How a tool answers: what it found as JSON, or an error with its code and the next step. */
import type { CallToolResult } from "@modelcontextprotocol/server";
import { asSallyportError } from "../domain/error.ts";

/** A tool's result. Text is the same JSON: some clients show a model nothing else. */
export function answer(found: Record<string, unknown>): CallToolResult {
  return { content: [{ type: "text", text: JSON.stringify(found, null, 1) }], structuredContent: found };
}

/** Runs a tool's work; what it throws becomes an error that a model can act on. */
export async function answerOf(work: () => Promise<Record<string, unknown>>): Promise<CallToolResult> {
  try {
    return answer(await work());
  } catch (thrown) {
    const { code, message, next, at } = asSallyportError(thrown);
    const error = { code, message, ...(next ? { next } : {}), ...(at ? { at } : {}) };
    return { content: [{ type: "text", text: JSON.stringify({ error }, null, 1) }], isError: true };
  }
}
