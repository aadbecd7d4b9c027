import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { modelMatches } from "../../src/domain/model.ts";
import { costOf, type ModelPrice, outputWithin, priceOf, worstCost, writtenPrices } from "../../src/domain/price.ts";
import { showMoney, written } from "../../src/domain/units.ts";
import { loadDocument } from "../../src/policy/document.ts";
import { loadPolicy } from "../../src/policy/load.ts";
import { narrowPolicy } from "../../src/policy/narrow.ts";

const shipped = join(import.meta.dirname, "../../policies/prices");
const whole = `version: 1
sandbox: { runtime: runc, cpus: 2, memory: 2GiB, pids: 256, disk: 2GiB }
filesystem: { visible: ["**"], writable: ["src/**"], protected: [.git] }
budget: { wall: 10m, requests: 200, attempts: 3, patch: 512KiB, output: 16MiB }
verifier: { harness: skeptic, intent: true }
`;
const table = "version: 1\ndate: 2026-01-01\nmodels:\n  - { model: m1, input: 1.25, output: 10, cached: 0.125 }\n";
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "prices-"));
  await mkdir(join(directory, "prices"));
  await writeFile(join(directory, "whole.yaml"), whole);
  await writeFile(join(directory, "prices/own.yaml"), table);
});
afterEach(() => rm(directory, { recursive: true, force: true }));
const load = async (text: string) => {
  await writeFile(join(directory, "child.yaml"), `version: 1\nextends: whole\n${text}`);
  return loadPolicy("child", [directory]);
};
const route = (more = "") => `models: { m: { base: 'https://api.anthropic.com'${more} } }\n`;

describe("price tables", () => {
  test("those that are shipped are valid, dated, and priced line by line", async () => {
    const files = await readdir(shipped);
    expect(files.sort()).toEqual(["claude.yaml", "gemini.yaml", "openai.yaml", "openrouter.yaml", "qwen.yaml"]);
    for (const file of files) {
      const { models, note, date } = await loadDocument(join(shipped, file), writtenPrices, "policy-invalid");
      expect([file, note !== undefined, date > "2025"]).toEqual([file, true, true]);
      for (const line of models)
        expect([file, line.model, line.output >= line.input]).toEqual([file, line.model, true]);
    }
  });

  test("a table is settled into its route in micro-dollars, so that the digest follows the prices", async () => {
    const policy = await load(`${route(", prices: own, models: [m1]")}budget: { usd: 0.50, tokens: 2M }`);
    expect(policy.budget).toMatchObject({ usd: 500_000, tokens: 2_000_000 });
    expect(policy.models["m"]?.table?.models).toEqual([
      { model: "m1", input: 1_250_000, output: 10_000_000, cached: 125_000 },
    ]);
  });

  test("the first directory that has a table wins: an operator's own", async () => {
    const second = await mkdtemp(join(tmpdir(), "prices-"));
    try {
      await mkdir(join(second, "prices"));
      await writeFile(join(second, "prices/own.yaml"), table.replace("1.25", "9"));
      await writeFile(join(second, "two.yaml"), `${whole}${route(", prices: own")}`);
      expect((await loadPolicy("two", [directory, second])).models["m"]?.table?.models[0]?.input).toBe(1_250_000);
      expect((await loadPolicy("two", [second, directory])).models["m"]?.table?.models[0]?.input).toBe(9_000_000);
    } finally {
      await rm(second, { recursive: true, force: true });
    }
  });

  test.each([
    [`${route()}verifier: { usd: 2 }`, /child\.yaml:3:11 models\.m: say its `prices`/],
    [`${route()}budget: { usd: 2 }`, /child\.yaml:3:11 models\.m: say its `prices`/],
    [`${route(", prices: owm")}`, /models\.m|no price table prices\/owm\.yaml; did you mean `own`\?/],
    [`${route(", prices: own, models: [m2]")}budget: { usd: 2 }`, /no price for m2/],
    ["models: { m: { base: 'https://a.org' } }\nbudget: { tokens: 5 }", /say its `protocol`/],
    [route(", protocol: openai"), /protocol: found "openai", expected one of openai-chat/],
    [route(", allow: [everything]"), /allow\[0\]/],
    [route(", quota: [{ requests: 5, window: 31 }]"), /window/],
  ])("%j is refused with its line", async (text, message) => {
    await expect(load(text)).rejects.toMatchObject({ code: "policy-invalid", message: expect.stringMatching(message) });
  });

  test.each([
    route(),
    `${route()}budget: { tokens: 5k }`,
    `${route(", quota: [{ requests: 5, window: 5h }]")}budget: { usd: 0 }`,
    `models: { m: { base: 'https://a.org', protocol: gemini } }\nbudget: { tokens: 0 }`,
    route(", prices: own, output: 8k, allow: [url-sources], models: ['claude-*']"),
  ])("and the benign twin %j is taken", async (text) => {
    expect((await load(text)).version).toBe(1);
  });

  test("a broken table is refused with its own line", async () => {
    await writeFile(join(directory, "prices/own.yaml"), table.replace("1.25", "-1"));
    await expect(load(route(", prices: own"))).rejects.toMatchObject({
      code: "policy-invalid",
      at: expect.stringMatching(/prices\/own\.yaml:4:\d+$/),
    });
  });

  test("a brief lowers budgets, sets one where the policy has none, and raises none", async () => {
    const brief = (budget: object) =>
      ({
        title: "A title",
        intent: "i",
        instructions: "x",
        accept: [],
        executor: "e",
        policy: "p",
        breaks: [],
        budget,
      }) as never;
    const policy = await load(`${route(", prices: own")}budget: { usd: 2 }`);
    expect(narrowPolicy(policy, brief({ usd: 1_000_000, tokens: 5 })).budget).toMatchObject({
      usd: 1_000_000,
      tokens: 5,
    });
    expect(() => narrowPolicy(policy, brief({ usd: 2_000_001 }))).toThrow(/budget\.usd/);
    const bare = await load(route());
    expect(() => narrowPolicy(bare, brief({ usd: 1 }))).toThrow(/say its `prices`/);
    expect(narrowPolicy(bare, brief({ tokens: 7 })).budget.tokens).toBe(7);
  });
});

describe("money", () => {
  const parse = (value: unknown) => written.money.safeParse(value).data;
  test.each([
    [2, 2_000_000],
    [0.5, 500_000],
    ["0.50", 500_000],
    [0.1, 100_000],
    [0, 0],
    ["0.000001", 1],
    [1234567.89, 1_234_567_890_000],
  ])("%j is read digit by digit", (text, microusd) => {
    expect(parse(text)).toBe(microusd);
  });
  test.each(["", "-1", "1e3", "0.0000001", "$2", "2 usd", "1,5", Number.NaN, Number.POSITIVE_INFINITY, null])(
    "%j is no amount",
    (text) => {
      expect(parse(text)).toBeUndefined();
    },
  );
  test("is shown with two digits at least", () => {
    expect([0, 500_000, 2_000_000, 1, 1_234_560].map(showMoney)).toEqual([
      "$0.00",
      "$0.50",
      "$2.00",
      "$0.000001",
      "$1.23456",
    ]);
  });

  const rate = fc.integer({ min: 0, max: 200_000_000 });
  const price: fc.Arbitrary<ModelPrice> = fc.record({
    model: fc.constant("m"),
    input: rate,
    output: rate,
    cached: rate,
    "cache-write": rate,
    "cache-write-hour": rate,
  });
  const count = fc.integer({ min: 0, max: 5_000_000 });

  test("no usage within the tokens of a reservation costs more than its worst case", () => {
    fc.assert(
      fc.property(price, price, count, count, count, count, count, (short, long, a, b, c, d, output) => {
        const hour = Math.min(c, d);
        const usage = { input: a, cached: b, cacheWrite: c, cacheHour: hour, output };
        const line = { ...short, long: { ...long, above: 200_000 } };
        const input = a + b + c;
        // The long price counts once there is more input, so a reservation for more input must cover the short one too.
        return (
          costOf(line, usage) <= worstCost(line, input, output) + 0 &&
          costOf(line, usage) <= worstCost(line, input + 1000, output + 10)
        );
      }),
      { numRuns: 2000 },
    );
  });

  test("the output within an amount is the most that is", () => {
    fc.assert(
      fc.property(price, count, fc.integer({ min: 0, max: 2 ** 40 }), (line, input, microusd) => {
        const output = outputWithin(line, input, microusd);
        if (output >= 0) expect(worstCost(line, input, output)).toBeLessThanOrEqual(microusd);
        if (output < 2 ** 31 - 1) expect(worstCost(line, input, output + 1)).toBeGreaterThan(microusd);
      }),
      { numRuns: 1000 },
    );
  });

  test("sums are exact where floats are not", () => {
    const line = { model: "m", input: 100_000, output: 200_000 };
    expect(costOf(line, { input: 1, cached: 0, cacheWrite: 0, output: 0 })).toBe(1);
    expect(costOf(line, { input: 3_000_000, cached: 0, cacheWrite: 0, output: 0 })).toBe(300_000);
    expect(worstCost({ model: "m", input: 2 ** 50, output: 2 ** 50 }, 2 ** 50, 2 ** 50)).toBe(Number.MAX_SAFE_INTEGER);
  });
});

test("the policy and the price table of docs/models.md are valid", async () => {
  const page = await readFile(join(import.meta.dirname, "../../docs/models.md"), "utf8");
  const [policy = "", , prices = ""] = [...page.matchAll(/```yaml[^\n]*\n(.*?)```/gs)].map(([, text]) => text ?? "");
  await writeFile(join(directory, "page.yaml"), policy);
  await writeFile(join(directory, "prices/page.yaml"), prices);
  const loaded = await loadPolicy("page", [directory, join(shipped, "..")]);
  expect(loaded.budget).toMatchObject({ tokens: 3_000_000, usd: 2_500_000 });
  expect(loaded.models["anthropic"]?.table?.models.length).toBeGreaterThan(3);
  const table = await loadDocument(join(directory, "prices/page.yaml"), writtenPrices, "policy-invalid");
  expect(priceOf(table, "large-1")?.["cache-write"]).toBe(3_750_000);
});

test.each([
  ["m1", "m1", true],
  ["m1", "m12", false],
  ["m*", "m12", true],
  ["*mini*", "gpt-5-mini-2026", true],
  ["a*a", "a", false],
  ["a*b*c", "a--b--c", true],
  ["a*b*c", "a--c", false],
  ["a*b*b", "ab", false],
  ["claude-*-4", "claude-x-4-evil", false],
])("the glob %s on %s: %s", (glob, name, is) => {
  expect(modelMatches(glob, name)).toBe(is);
  expect(
    priceOf({ version: 1, date: "2026-01-01", models: [{ model: glob, input: 0, output: 0 }] }, name) !== undefined,
  ).toBe(is);
});
