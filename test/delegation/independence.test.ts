import { describe, expect, test } from "vitest";
import { type Party, requireIndependence } from "../../src/delegation/independence.ts";
import type { SallyportError } from "../../src/domain/error.ts";
import { modelFamily } from "../../src/domain/model-family.ts";
import type { Policy } from "../../src/domain/policy.ts";

test.each<[string, string | undefined]>([
  ["claude-sonnet-4-5", "anthropic"],
  ["anthropic/claude-3.5-haiku", "anthropic"],
  ["openrouter/anthropic/claude-opus-4.1", "anthropic"],
  ["us.anthropic.claude-sonnet-4-20250514-v1:0", "anthropic"],
  ["gpt-5-codex", "openai"],
  ["gpt-4.1", "openai"],
  ["o3-mini", "openai"],
  ["o1", "openai"],
  ["openai/gpt-oss-120b", "openai"],
  ["gemini-2.5-pro", "google"],
  ["qwen3-coder-plus", "alibaba"],
  ["Qwen/Qwen2.5-Coder-32B-Instruct", "alibaba"],
  ["deepseek-chat", "deepseek"],
  ["devstral-small", "mistral"],
  ["meta-llama/Llama-3.3-70B-Instruct", "meta"],
  ["grok-code-fast-1", "xai"],
  ["moonshotai/kimi-k2", "moonshot"],
  ["glm-4.6", "zhipu"],
  ["deepseek-r1-distill-qwen-32b", undefined],
  ["o3x", undefined],
  ["notclaude", undefined],
  ["my-house-model", undefined],
  ["", undefined],
])("the family of %s is %s", (model, family) => expect(modelFamily(model)).toBe(family));

test("the policy's own names come first", () => {
  expect(modelFamily("my-house-model", { "my-*": "house" })).toBe("house");
  expect(modelFamily("claude-tuned-by-us", { "claude-tuned-*": "house" })).toBe("house");
});

describe("who may judge", () => {
  const rule = (change: Partial<Policy["verifier"]> = {}) => ({ harness: "judge", intent: true, ...change });
  const [a, b] = [`sha256:${"a".repeat(64)}`, `sha256:${"b".repeat(64)}`];
  const worker: Party = { name: "worker", image: a, model: "gpt-5" };
  const judge: Party = { name: "judge", image: b, model: "claude-opus-4-1" };
  const said = (policy: Policy["verifier"], verifiers: Party[], executors: Party[]): string => {
    try {
      requireIndependence(policy, verifiers, executors);
      return "";
    } catch (error) {
      const { code, message, next } = error as SallyportError;
      expect([code, next.length > 10]).toEqual(["verifier-not-independent", true]);
      return message;
    }
  };

  test.each<[string, Policy["verifier"], Party, Party, RegExp]>([
    ["the executor itself", rule(), { ...judge, name: "worker" }, worker, /would verify its own work/],
    ["its image under another name", rule({ independent: "image" }), { ...judge, image: a }, worker, /same image/],
    [
      "its image, where models are asked for",
      rule({ independent: "model" }),
      { ...judge, image: a },
      worker,
      /same image/,
    ],
    ["its model", rule({ independent: "model" }), { ...judge, model: "gpt-5" }, worker, /both are of openai/],
    ["its model's kin", rule({ independent: "model" }), { ...judge, model: "openai/o3" }, worker, /both are of openai/],
    [
      "a model that nobody knows",
      rule({ independent: "model" }),
      { ...judge, model: "mystery" },
      worker,
      /mystery of judge/,
    ],
    [
      "a judge of a model that nobody knows",
      rule({ independent: "model" }),
      judge,
      { ...worker, model: "mystery" },
      /mystery of worker/,
    ],
  ])("not %s", (_, policy, verifier, executor, message) => {
    expect(said(policy, [verifier], [executor])).toMatch(message);
    // One of several is enough, on either side.
    expect(said(policy, [{ name: "fine" }, verifier], [{ name: "other" }, executor])).toMatch(message);
  });

  test.each<[string, Policy["verifier"], Party, Party]>([
    ["the same image, where the policy asks for nothing", rule(), { ...judge, image: a }, worker],
    [
      "the same family, where the policy asks for an image",
      rule({ independent: "image" }),
      { ...judge, model: "gpt-5" },
      worker,
    ],
    ["another family", rule({ independent: "model" }), judge, worker],
    ["rules without a model", rule({ independent: "model" }), { ...judge, model: undefined }, worker],
    ["an executor without one", rule({ independent: "model" }), judge, { ...worker, model: undefined }],
    [
      "what the policy says is kin of none",
      rule({ independent: "model", families: { "mystery*": "house" } }),
      { ...judge, model: "mystery-7b" },
      worker,
    ],
  ])("but %s", (_, policy, verifier, executor) => expect(said(policy, [verifier], [executor])).toBe(""));
});
