/** Who verifies, how often and for how much: what a policy may say of it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadPolicy } from "../../src/policy/load.ts";

const shipped = join(import.meta.dirname, "../../policies");
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "verifier-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));
const load = async (verifier: string) => {
  await writeFile(join(directory, "child.yaml"), `version: 1\nextends: base\nverifier: ${verifier}\n`);
  return (await loadPolicy("child", [directory, shipped])).verifier;
};

test("it is laid over key by key, in the units of a policy", async () => {
  expect(await load("{ turns: 3, usd: 0.50, tokens: 500k, families: { 'house-*': house } }")).toEqual({
    harness: "skeptic-rules",
    intent: true,
    independent: "image",
    turns: 3,
    usd: 500_000,
    tokens: 500_000,
    families: { "house-*": "house" },
  });
  const panel = await load("{ panel: { of: [skeptic, skeptic-rules], approve: 2 }, independent: model }");
  expect(panel).toMatchObject({ panel: { of: ["skeptic", "skeptic-rules"], approve: 2 }, independent: "model" });
});

test.each([
  ["{ turns: 0 }", /turns/],
  ["{ independent: lane }", /independent/],
  ["{ panel: { of: [skeptic], approve: 1 } }", /panel\.of/],
  ["{ panel: { of: [skeptic, skeptic], approve: 1 } }", /same name/],
  ["{ panel: { of: [skeptic, skeptic-rules], approve: 3 } }", /more approvals than verifiers/],
  ["{ panel: { of: [skeptic, skeptic-rules], approve: 0 } }", /approve/],
  ["{ panle: {} }", /panle/],
])("%s is refused", async (verifier, message) => {
  await expect(load(verifier)).rejects.toThrow(message);
});
