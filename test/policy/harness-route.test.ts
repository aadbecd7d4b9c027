import { expect, test } from "vitest";
import { type HarnessFile, harnessFile } from "../../src/domain/harness.ts";
import type { ModelRoute } from "../../src/domain/policy.ts";
import { harnessRoutes } from "../../src/policy/harness-route.ts";
import { policyOf } from "../gate/samples.ts";

const harness = (protocol?: string): HarnessFile =>
  harnessFile.parse({
    name: "h",
    roles: ["executor"],
    description: "d",
    command: ["h"],
    smoke: ["h"],
    ...(protocol ? { model: { route: "m", name: "x", protocol } } : {}),
  });
const policy = (route: Partial<ModelRoute>) =>
  policyOf({ models: { m: { base: "https://a.org", ...route }, other: { base: "https://b.org" } } });

test("a harness is given its own route and no other, with the protocol that it speaks", () => {
  expect(harnessRoutes(policy({}), harness("gemini"))).toEqual({ m: { base: "https://a.org", protocol: "gemini" } });
  expect(harnessRoutes(policy({ protocol: "gemini" }), harness("gemini"))["m"]?.protocol).toBe("gemini");
  const openai = policy({ base: "https://api.openai.com" });
  expect(harnessRoutes(openai, harness("openai-chat"))["m"]?.protocol).toBe("openai-chat");
  expect(harnessRoutes(openai, harness("openai-responses"))["m"]?.protocol).toBe("openai-responses");
  expect(harnessRoutes(policy({}), harness())).toEqual({});
});

test.each([
  [{ protocol: "gemini" as const }, "openai-chat"],
  [{ base: "https://api.openai.com" }, "anthropic-messages"],
  [{ base: "https://api.anthropic.com/v1" }, "openai-chat"],
])("a route %j does not carry %s", (route, protocol) => {
  expect(() => harnessRoutes(policy(route), harness(protocol))).toThrow(
    expect.objectContaining({ code: "policy-invalid", message: expect.stringContaining(protocol) }),
  );
});
