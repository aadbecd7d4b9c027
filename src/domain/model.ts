/** What a model route speaks, what of it may be used beyond plain answers, and what an answer cost. Schema only. */
import { z } from "zod";

export const modelProtocol = z.enum(["openai-chat", "openai-responses", "anthropic-messages", "gemini"]);
export type ModelProtocol = z.infer<typeof modelProtocol>;

/**
 * What a provider would do or fetch by itself if it were asked, and what it would keep: each is a way out of the sandbox
 * around the policy's rules (ATTACKS N15), or a price of its own, so each is refused unless the route names it.
 */
export const modelException = z.enum([
  "server-tools",
  "remote-mcp",
  "url-sources",
  "files",
  "batch",
  "background",
  "stored",
  "priority",
]);
export type ModelException = z.infer<typeof modelException>;

const tokens = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

/** Tokens of one answer. `input` is what was neither read from nor written to a cache; `output` includes thoughts. */
export const modelUsage = z.strictObject({
  input: tokens,
  cached: tokens.describe("Read from the provider's cache."),
  cacheWrite: tokens.describe("Written to the cache."),
  cacheHour: tokens.optional().describe("Those of `cacheWrite` that are kept for an hour, at a price of their own."),
  output: tokens,
});
export type ModelUsage = z.infer<typeof modelUsage>;

/** All tokens of an answer. */
export function tokensOf(usage: ModelUsage): number {
  return usage.input + usage.cached + usage.cacheWrite + usage.output;
}

/** The protocols that a provider's own base speaks; undefined for a base that is not known. */
export function knownProtocols(base: string): readonly ModelProtocol[] | undefined {
  const host = URL.parse(base)?.hostname ?? "";
  return Object.hasOwn(known, host) ? known[host] : undefined;
}

const known: Record<string, readonly ModelProtocol[]> = {
  "api.anthropic.com": ["anthropic-messages"],
  "api.openai.com": ["openai-responses", "openai-chat"],
  "generativelanguage.googleapis.com": ["gemini"],
  "openrouter.ai": ["openai-chat"],
  "api.mistral.ai": ["openai-chat"],
  "api.deepseek.com": ["openai-chat"],
  "api.groq.com": ["openai-chat"],
  "api.x.ai": ["openai-chat"],
  "dashscope.aliyuncs.com": ["openai-chat"],
  "dashscope-intl.aliyuncs.com": ["openai-chat"],
};

/** Whether a model's name is within a glob, in which `*` is any run of characters. */
export function modelMatches(glob: string, model: string): boolean {
  const parts = glob.split("*");
  const [first = "", ...rest] = parts;
  if (rest.length === 0) return glob === model;
  const last = rest.pop() ?? "";
  if (model.length < first.length + last.length || !model.startsWith(first) || !model.endsWith(last)) return false;
  let at = first.length;
  const end = model.length - last.length;
  for (const part of rest) {
    const found = model.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** A model's name, or a glob over names. */
export const modelName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$/, "expected a model's name");
export const modelGlob = z
  .string()
  .regex(/^[A-Za-z0-9*][A-Za-z0-9._:/@+*-]{0,127}$/, "expected a model's name, with `*` for any characters");
