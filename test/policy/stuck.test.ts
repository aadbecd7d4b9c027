/** The thresholds of stuck in a policy: read, laid over, narrowed by a brief, compared. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { brief as briefSchema } from "../../src/domain/brief.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { diffPolicies, widens } from "../../src/policy/diff.ts";
import { loadPolicy } from "../../src/policy/load.ts";
import { narrowPolicy } from "../../src/policy/narrow.ts";

const shipped = join(import.meta.dirname, "../../policies");
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "stuck-policy-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function load(text: string): Promise<Policy> {
  await writeFile(join(directory, "own.yaml"), `version: 1\nextends: base\n${text}`);
  return loadPolicy("own", [directory, shipped]);
}
const brief = (stuck: object | undefined) =>
  briefSchema.parse({
    title: "A title",
    intent: "i",
    instructions: "x",
    accept: [{ id: "A1", must: "m" }],
    executor: "scripted",
    policy: "own",
    ...(stuck ? { stuck } : {}),
  });

describe("when the host takes an executor for stuck", () => {
  test("has defaults in the base, which a policy lays its own over key by key", async () => {
    const { stuck } = await load("stuck: { silence: 90s, denials: 0 }");
    expect(stuck).toEqual({
      silence: 90_000,
      upstream: 300_000,
      repeats: 5,
      denials: 0,
      idleTokens: 200_000,
      idleRequests: 100,
    });
  });

  test.each([
    ["stuck: { silence: soon }", /stuck\.silence/],
    ["stuck: { repeats: -1 }", /stuck\.repeats/],
    ["stuck: { quiet: 3m }", /unknown key `stuck\.quiet`/],
  ])("%s is refused with its line", async (text, message) => {
    await expect(load(text)).rejects.toMatchObject({ code: "policy-invalid", message: expect.stringMatching(message) });
  });

  test("a brief has it sooner, never later: 0 would be never", async () => {
    const policy = await load("stuck: { silence: 2m, repeats: 0 }");
    expect(narrowPolicy(policy, brief(undefined)).stuck).toEqual(policy.stuck);
    expect(narrowPolicy(policy, brief({ silence: "30s", repeats: 9 })).stuck).toMatchObject({
      silence: 30_000,
      repeats: 9,
      upstream: 300_000,
    });
    for (const stuck of [{ silence: "121s" }, { silence: 0 }, { idleTokens: "1M" }, { denials: 0 }]) {
      expect(() => narrowPolicy(policy, brief(stuck)), JSON.stringify(stuck)).toThrow(
        expect.objectContaining({ code: "policy-widened" }),
      );
    }
  });

  test("a difference is told, and a later end is wider", async () => {
    const policy = await load("");
    const with_ = (stuck: object): Policy => ({ ...policy, stuck: { ...policy.stuck, ...stuck } });
    const texts = (after: Policy) => diffPolicies(policy, after).map(({ effect, text }) => `${effect} ${text}`);
    expect(texts(with_({ silence: 60_000 }))).toEqual(["denies stuck.silence: 3 m 0 s -> 1 m 0 s"]);
    expect(texts(with_({ repeats: 6 }))).toEqual(["allows stuck.repeats: 5 -> 6"]);
    expect(texts(with_({ denials: 0 }))).toEqual(["allows stuck.denials: 20 -> not watched"]);
    expect([widens(diffPolicies(policy, with_({ denials: 0 }))), widens(diffPolicies(policy, policy))]).toEqual([
      true,
      false,
    ]);
  });
});
