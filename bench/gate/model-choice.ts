/** Which model the arm `model` asks, by the key in the environment, and the policy that lets the verifier ask it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HarnessFile } from "../../src/domain/harness.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { shippedPolicies } from "../../src/host/config.ts";
import { loadPolicyFile } from "../../src/policy/load.ts";

const providers = {
  anthropic: {
    variable: "ANTHROPIC_API_KEY",
    base: "https://api.anthropic.com",
    prices: "claude",
    carried: { header: "x-api-key" },
    protocol: "anthropic-messages",
    name: undefined,
  },
  openai: {
    variable: "OPENAI_API_KEY",
    base: "https://api.openai.com",
    prices: "openai",
    carried: { header: "authorization", form: "Bearer {}" },
    protocol: "openai-chat",
    name: "gpt-5.1",
  },
} as const;

export interface ModelChoice {
  route: keyof typeof providers;
  /** What the model may cost in all, in micro-dollars. */
  cap: number;
  /** The policy of a corpus repository with the route in it; the key stays a reference. */
  policyFor(repository: { id: string; directory: string }): Promise<Policy>;
  /** The verifier's harness, told of this route where its file names another. */
  harnessFor(harness: HarnessFile): HarnessFile;
}

/**
 * The provider whose key is given, Anthropic's first; undefined where there is none. `MODEL_BASE` names another server that
 * speaks its protocol, `GATE_BENCH_USD` the most that may be spent (10 where it is left out).
 */
export function modelChoice(environment: NodeJS.ProcessEnv): ModelChoice | undefined {
  const route = (["anthropic", "openai"] as const).find((name) => environment[providers[name].variable]);
  if (!route) return undefined;
  const { variable, base, prices, carried, protocol, name } = providers[route];
  const url = environment["MODEL_BASE"] || base;
  const isLocal = /^https?:\/\/(?:127\.|localhost)/.test(url);
  return {
    route,
    cap: Math.round(Number(environment["GATE_BENCH_USD"] || 10) * 1_000_000),
    async policyFor({ directory }) {
      const written = {
        version: 1,
        extends: "policy",
        models: {
          [route]: { base: url, protocol, prices, secret: route, ...(isLocal ? { addresses: ["127.0.0.1"] } : {}) },
        },
        secrets: { [route]: { from: `env:${variable}`, ...carried } },
        budget: { wall: "10m", requests: 100 },
        verifier: { harness: "skeptic" },
      };
      const folder = await mkdtemp(join(tmpdir(), "sallyport-bench-policy-"));
      try {
        await writeFile(join(folder, "model.yaml"), JSON.stringify(written));
        return (await loadPolicyFile(join(folder, "model.yaml"), [directory, shippedPolicies])).policy;
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
    harnessFor: (harness) => (name === undefined ? harness : { ...harness, model: { route, name, protocol } }),
  };
}
