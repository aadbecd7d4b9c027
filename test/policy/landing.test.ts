/** What a policy says of landing and of actions: read, laid over, narrowed by a brief, compared. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { brief as briefSchema } from "../../src/domain/brief.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { diffPolicies } from "../../src/policy/diff.ts";
import { loadPolicy } from "../../src/policy/load.ts";
import { narrowPolicy } from "../../src/policy/narrow.ts";

const shipped = join(import.meta.dirname, "../../policies");
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "landing-policy-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function load(text: string): Promise<Policy> {
  await writeFile(join(directory, "own.yaml"), `version: 1\nextends: base\n${text}`);
  return loadPolicy("own", [directory, shipped]);
}
const brief = (lines: object) =>
  briefSchema.parse({
    title: "A title",
    intent: "i",
    instructions: "x",
    accept: [{ id: "A1", must: "m" }],
    executor: "scripted",
    policy: "own",
    ...lines,
  });
const day = 86_400_000;
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "loaded",
    (error: Error & { code: string }) => `${error.code}: ${error.message}`,
  );

describe("how long an approval holds", () => {
  test("is seven days where nobody says; days are a unit", async () => {
    expect((await load("")).landing).toBeUndefined();
    expect((await load("landing: { expires: 2d }")).landing).toEqual({ expires: 2 * day });
    expect(await code(load("landing: { expires: 0 }"))).toContain("policy-invalid");
    expect(await code(load("landing: { expires: 7 }"))).toContain("policy-invalid");
  });

  test("is shortened by a brief, never drawn out", async () => {
    const policy = await load("landing: { expires: 2d }");
    expect(narrowPolicy(policy, brief({ landing: { expires: "1h" } })).landing).toEqual({ expires: day / 24 });
    expect(narrowPolicy(policy, brief({})).landing).toEqual({ expires: 2 * day });
    expect(() => narrowPolicy(policy, brief({ landing: { expires: "49h" } }))).toThrow(/at most/);
    const silent = await load("");
    expect(() => narrowPolicy(silent, brief({ landing: { expires: "8d" } }))).toThrow(/at most/);
    expect(narrowPolicy(silent, brief({ landing: { expires: "6d" } })).landing).toEqual({ expires: 6 * day });
  });

  test("is a change that allows or denies", async () => {
    const [short, silent] = [await load("landing: { expires: 2d }"), await load("")];
    expect(diffPolicies(short, silent)).toMatchObject([{ effect: "allows", section: "landing" }]);
    expect(diffPolicies(silent, short)).toMatchObject([{ effect: "denies", section: "landing" }]);
    expect(diffPolicies(silent, await load("landing: { expires: 7d }"))).toEqual([]);
  });
});

describe("actions", () => {
  const secrets = "{ push: { from: 'env:PUSH', header: authorization } }";
  const push = `actions: { push: { on: landed, run: 'true', network: [{ host: git.example.org, scheme: https, secret: push }], secrets: ${secrets} } }`;

  test("hold their own rules and secrets, which the policy's other lanes do not get", async () => {
    const policy = await load(push);
    expect(policy.actions?.push).toMatchObject({ on: "landed", secrets: { push: { from: "env:PUSH" } } });
    expect([policy.secrets, policy.network]).toEqual([{}, (await load("")).network]);
  });

  test.each([
    ["a secret that nothing names", `actions: { a: { on: landed, run: x, secrets: ${secrets} } }`],
    [
      "a rule whose secret is not its own",
      "actions: { a: { on: landed, run: x, network: [{ host: a.org, scheme: https, secret: push }] } }",
    ],
    ["a rule that is too broad", "actions: { a: { on: landed, run: x, network: [{ host: '*' }] } }"],
    [
      "a secret in clear",
      `actions: { a: { on: landed, run: x, network: [{ host: a.org, secret: push }], secrets: ${secrets} } }`,
    ],
    ["a bundle of what did not land", "actions: { a: { on: approved, run: x, mount: bundle } }"],
    ["no time", "actions: { a: { on: landed, run: x, wall: 0 } }"],
    ["no command", "actions: { a: { on: landed } }"],
    ["another moment", "actions: { a: { on: rejected, run: x } }"],
    ["a model route", "actions: { a: { on: landed, run: x, models: {} } }"],
  ])("are refused with %s", async (_, text) => {
    expect(await code(load(text))).toMatch(/^policy-invalid: .*own\.yaml:\d+:\d+/);
  });

  test("are left out by a brief, and neither added nor written", async () => {
    const policy = await load(`${push.slice(0, -2)}, note: { on: landed, run: x } }`);
    expect(Object.keys(policy.actions ?? {})).toEqual(["push", "note"]);
    expect(Object.keys(narrowPolicy(policy, brief({})).actions ?? {})).toEqual(["push", "note"]);
    expect(Object.keys(narrowPolicy(policy, brief({ actions: ["note"] })).actions ?? {})).toEqual(["note"]);
    expect(narrowPolicy(policy, brief({ actions: [] })).actions).toEqual({});
    for (const name of ["deploy", "constructor"])
      expect(() => narrowPolicy(policy, brief({ actions: [name] }))).toThrow(/not provably within/);
    expect(() => brief({ actions: { mine: { on: "landed", run: "x" } } })).toThrow();
  });

  test("are a change that allows, denies, or is another", async () => {
    const [none, one] = [await load(""), await load(push)];
    const other = await load(push.replace("'true'", "'false'"));
    expect(diffPolicies(none, one)).toMatchObject([{ effect: "allows", section: "actions" }]);
    expect(diffPolicies(one, none)).toMatchObject([{ effect: "denies", section: "actions" }]);
    expect(diffPolicies(one, other)).toMatchObject([{ effect: "changes", section: "actions" }]);
  });
});
