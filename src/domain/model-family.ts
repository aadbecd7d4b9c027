/** Which models are kin: trained by one house on much the same, so that they tend to miss the same. Pure. */
import { modelMatches } from "./model.ts";

/** Names by their beginnings, once a router's prefix is off. What is not here is of no known family. */
const families: readonly (readonly [family: string, beginnings: RegExp])[] = [
  ["anthropic", /^claude/],
  ["openai", /^(?:gpt|chatgpt|o[1345](?![0-9a-z])|codex|computer-use)/],
  ["google", /^(?:gemini|gemma|palm)/],
  ["alibaba", /^(?:qwen|qwq|qvq)/],
  ["deepseek", /^deepseek/],
  ["mistral", /^(?:mistral|mixtral|ministral|codestral|devstral|magistral|pixtral)/],
  ["meta", /^(?:llama|meta-llama|codellama)/],
  ["xai", /^grok/],
  ["moonshot", /^(?:kimi|moonshot)/],
  ["zhipu", /^(?:glm|chatglm|z-ai)/],
  ["minimax", /^(?:minimax|abab)/],
  ["cohere", /^(?:command|c4ai)/],
  ["amazon", /^(?:nova|titan)/],
  ["microsoft", /^phi[-0-9]/],
];

/**
 * The family of a model by its name, such as `claude-sonnet-4-5` or `openrouter/anthropic/claude-sonnet-4.5`; undefined
 * where it is not known. `named` are the policy's own: globs over names, each with its family, and they come first.
 */
export function modelFamily(model: string, named: Readonly<Record<string, string>> = {}): string | undefined {
  const glob = Object.keys(named).find((one) => modelMatches(one, model));
  if (glob !== undefined) return named[glob];
  // Routers put their own and the provider's name before it: with slashes, or with dots (`us.anthropic.claude-…`).
  const name = model.toLowerCase();
  const last = name.slice(name.lastIndexOf("/") + 1).replace(/^(?:[a-z]{2,10}\.)?(?:[a-z0-9-]{2,20}\.)(?=[a-z])/, "");
  // A distilled model is kin to two houses at once.
  if (/distill/.test(last)) return undefined;
  return families.find(([, beginnings]) => beginnings.test(last))?.[0];
}
