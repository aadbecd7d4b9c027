/** What the stand-in's four wire protocols have in common: what was asked, what is said, and how both are written. */

export type Protocol = "openai-chat" | "openai-responses" | "anthropic-messages" | "gemini";

/** A tool that the harness offers to its model, with its parameters as JSON Schema. */
export interface ToolOffer {
  name: string;
  parameters: { properties?: Record<string, { type?: unknown; enum?: unknown[] }>; required?: string[] };
}

/** A request for an answer, whatever its protocol. */
export interface Asked {
  protocol: Protocol;
  model: string;
  stream: boolean;
  /** How many answers of the model the conversation already holds. */
  turn: number;
  /** Everything that was said to the model so far: system text, user text, results of tools. */
  text: string;
  tools: ToolOffer[];
  /** OpenAI Chat sends usage in a stream only when `stream_options.include_usage` asks for it. */
  wantsUsage: boolean;
}

/** Tokens as the provider counts them; any number may be a lie. */
export interface Usage {
  /** Input tokens without those from a cache. */
  input: number;
  output: number;
  /** Input tokens read from a cache, beside `input`. */
  cached?: number;
  /** Input tokens written to a cache, beside `input` (Anthropic). */
  cacheWrite?: number;
  /** Output tokens spent on thinking: part of `output` for OpenAI, beside it for Gemini. */
  reasoning?: number;
}

/** An answer of the model, whatever its protocol. */
export interface Said {
  id: string;
  model: string;
  text: string;
  calls: readonly { id: string; name: string; arguments: Record<string, unknown> }[];
  /** Undefined: the answer has no usage at all. `raw` replaces the protocol's usage object by whatever it is. */
  usage: Usage | { raw: unknown } | undefined;
  /** Whether the output cap ended it. */
  cut: boolean;
}

/** One wire protocol. */
export interface Dialect {
  protocol: Protocol;
  /** What a path without its query is: a request for an answer, for a token count, or (undefined) none of this protocol's. */
  path(path: string): "answer" | "count" | undefined;
  /** The request, or why it is none. */
  read(body: Record<string, unknown>, path: string): Asked | string;
  /** The answer as one JSON object. */
  whole(said: Said): object;
  /** The answer as server-sent events, each a string with its blank line. */
  events(said: Said, asked: Asked): string[];
  count(tokens: number): object;
  error(status: number, message: string): object;
}

/** The time that every answer bears, in seconds: answers of one script are the same bytes. */
export const created = 1_767_225_600;

/** Text in pieces, as a real model sends it: a reader that expects whole ones fails. At most some 200 pieces. */
export function pieces(text: string): string[] {
  const size = Math.max(24, Math.ceil(text.length / 200));
  const found: string[] = [];
  for (let at = 0; at < text.length; at += size) found.push(text.slice(at, at + size));
  return found;
}

/** A server-sent event (WHATWG HTML, server-sent events) with JSON data. */
export function sse(data: object, event?: string): string {
  return `${event === undefined ? "" : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/** All text in a content of any protocol: a string, or parts that hold strings somewhere. */
export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (Array.isArray(content)) return content.map(textOf).join("\n");
  if (content !== null && typeof content === "object") return Object.values(content).map(textOf).join("\n");
  return "";
}

/** An object, or an empty one for what is none. */
export function objectOf(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** A list of objects, or an empty one for what is none. */
export function listOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}

/** The runs of neighbours for which `mine` holds: several items of one answer are one turn. */
export function runs<T>(items: readonly T[], mine: (item: T) => boolean): T[][] {
  const found: T[][] = [];
  items.forEach((item, index) => {
    if (!mine(item)) return;
    const before = items[index - 1];
    if (index > 0 && before !== undefined && mine(before)) found.at(-1)?.push(item);
    else found.push([item]);
  });
  return found;
}

/** Whether a text is what some harnesses put into their model's mouth before the first prompt: no answer of it. */
export function isGreeting(text: string): boolean {
  return /^Got it\. Thanks for the (?:additional )?context!$/.test(text.trim());
}
