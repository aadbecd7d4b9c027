/**
 * Requests to models as far as the gateway must understand them: who is asked, how much may come back, and the fields
 * that would do more than answer. Everything else passes as it is. Schema only.
 */
import { z } from "zod";
import { modelName } from "./model.ts";

const count = z.number().int().positive().max(10_000_000);
/** Some clients write null for what they leave out. */
const cap = count.nullish();
const list = z.array(z.unknown()).max(100_000);
const mapping = z.record(z.string(), z.unknown());

export const anthropicBody = z.looseObject({
  model: modelName,
  messages: z.array(z.looseObject({ role: z.string() })).max(100_000),
  max_tokens: cap,
  stream: z.boolean().optional(),
  system: z.union([z.string(), z.array(z.looseObject({ type: z.literal("text"), text: z.string() }))]).optional(),
  tools: z.array(mapping).max(10_000).optional(),
  mcp_servers: list.nullish(),
  container: z.unknown().optional(),
  service_tier: z.string().optional(),
});

export const chatBody = z.looseObject({
  model: modelName,
  messages: z.array(z.looseObject({ role: z.string() })).max(100_000),
  max_tokens: cap,
  max_completion_tokens: cap,
  stream: z.boolean().nullish(),
  stream_options: mapping.nullish(),
  tools: z.array(mapping).max(10_000).nullish(),
  n: z.literal(1, "expected one answer: each further one is paid for").nullish(),
  best_of: z.literal(1, "expected one answer: each further one is paid for").nullish(),
  store: z.boolean().nullish(),
  service_tier: z.string().nullish(),
});

export const responsesBody = z.looseObject({
  model: modelName,
  input: z.union([z.string(), z.array(mapping).max(100_000)]).optional(),
  instructions: z.string().nullish(),
  max_output_tokens: cap,
  stream: z.boolean().nullish(),
  tools: z.array(mapping).max(10_000).nullish(),
  store: z.boolean().nullish(),
  background: z.boolean().nullish(),
  service_tier: z.string().nullish(),
});

const parts = z.looseObject({ parts: z.array(mapping).max(100_000).optional() });
export const geminiBody = z.looseObject({
  contents: z.union([z.array(parts).max(100_000), parts]),
  systemInstruction: z.union([z.string(), parts]).optional(),
  generationConfig: z
    .looseObject({
      maxOutputTokens: cap,
      candidateCount: z.literal(1, "expected one answer: each further one is paid for").optional(),
    })
    .optional(),
  tools: z.array(mapping).max(10_000).optional(),
});
