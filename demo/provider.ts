/**
 * Whose model the loop of the demo asks: the stand-in of the tests, which speaks the providers' real protocols and is
 * scripted, or a real one with the key of the environment (`make demo MODEL=anthropic`, `make demo MODEL=openai`).
 */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Provider {
  name: "stand-in" | "anthropic" | "openai";
  /** The harness that plans and the one that executes. */
  harness: "pi" | "claude-code";
  /** The policy's `models` and `secrets`. */
  models: object;
  secrets: object;
  /** The harness folders, where they differ from the project's. */
  images?: string;
}

const keys = {
  anthropic: { variable: "ANTHROPIC_API_KEY", base: "https://api.anthropic.com", carried: { header: "x-api-key" }, prices: "claude", protocol: "anthropic-messages" },
  openai: { variable: "OPENAI_API_KEY", base: "https://api.openai.com", carried: { header: "authorization", form: "Bearer {}" }, prices: "openai", protocol: "openai-chat" },
} as const;

/** The variable that holds the stand-in's key: a canary, since it may be nowhere but at the model. */
export const standInKey = "DEMO_MODEL_KEY";

/** The provider that `MODEL` names; without it the stand-in at `url`. Throws with the next step where the key is missing. */
export function providerOf(environment: NodeJS.ProcessEnv, url: string, directory: string): Provider {
  const name = environment.MODEL || "stand-in";
  const route = (kind: keyof typeof keys, base: string) => ({
    base, protocol: keys[kind].protocol, prices: keys[kind].prices, secret: kind,
    ...(/^https?:\/\/(?:127\.|localhost)/.test(base) ? { addresses: ["127.0.0.1"] } : {}),
  });
  const secret = (kind: keyof typeof keys, variable: string) => ({ from: `env:${variable}`, ...keys[kind].carried });
  if (name === "stand-in") {
    return {
      name, harness: "pi",
      models: { openai: route("openai", url), anthropic: route("anthropic", url) },
      secrets: { openai: secret("openai", standInKey), anthropic: secret("anthropic", standInKey) },
    };
  }
  if (name !== "anthropic" && name !== "openai") throw new Error(`MODEL=${name}: it is anthropic, openai, or left out for the scripted stand-in`);
  const { variable, base } = keys[name];
  if (!environment[variable]) throw new Error(`MODEL=${name} needs ${variable} in the environment`);
  const provider: Provider = {
    name, harness: name === "anthropic" ? "claude-code" : "pi",
    // Another server that speaks the provider's protocol, where one is named.
    models: { [name]: route(name, environment.MODEL_BASE || base) },
    secrets: { [name]: secret(name, variable) },
  };
  if (name === "anthropic") return provider;
  // The skeptic's folder names the other provider: which route, model and protocol are lines of its harness file.
  const images = join(directory, "images");
  cpSync(join(import.meta.dirname, "../images"), images, { recursive: true, filter: (path) => !path.includes("node_modules") });
  const file = join(images, "skeptic/harness.yaml");
  const before = readFileSync(file, "utf8");
  const after = before.replace(/^model: .*$/m, "model: { route: openai, name: gpt-5.1, protocol: openai-chat }");
  if (after === before) throw new Error(`${file} has no line that names its model`);
  writeFileSync(file, after);
  return { ...provider, images };
}
