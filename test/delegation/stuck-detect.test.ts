import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { detectStuck } from "../../src/delegation/stuck-detect.ts";
import { noSights, type Sight, withSight } from "../../src/delegation/stuck-sights.ts";
import type { StuckThresholds } from "../../src/domain/stuck.ts";

const thresholds = {
  silence: 60_000,
  upstream: 300_000,
  repeats: 5,
  denials: 20,
  idleTokens: 1000,
  idleRequests: 8,
} as const satisfies StuckThresholds;

/** What is found when these are seen, a second apart unless a time stands before one. */
function foundAfter(seen: readonly (Sight | number)[], limits: StuckThresholds = thresholds) {
  let now = 0;
  let sights = noSights(now);
  for (const one of seen) {
    if (typeof one === "number") {
      now = one;
      continue;
    }
    now += 1000;
    sights = withSight(sights, one, now);
    const found = detectStuck(sights, limits, now);
    if (found) return found.detector;
  }
  return detectStuck(sights, limits, now)?.detector;
}

const times = (count: number, ...sights: Sight[]): Sight[] => Array.from({ length: count }, () => sights).flat();
const look = (layer: string, cpu?: number): Sight => ({ is: "look", layer, cpu });
const output: Sight = { is: "output" };
const denied = (request: string): Sight => ({
  is: "request",
  allowed: false,
  request,
  code: "no-rule",
  model: false,
});
const allowed: Sight = { is: "request", allowed: true, request: "GET https://a.test/", code: "ok", model: false };
const model = (body?: string): Sight => ({ is: "asked", reservation: "r", body });
const many = (count: number, make: (n: number) => Sight[]): Sight[] =>
  Array.from({ length: count }, (_, n) => make(n)).flat();

describe("an executor that gets nowhere, and one like it that works", () => {
  test.each<[string, (Sight | number)[], (Sight | number)[]]>([
    ["never-started", [look("a"), 60_000, look("a")], [look("a"), output, 60_000, look("a")]],
    ["silent", [output, look("a"), 62_000, look("a")], [output, look("a"), 59_000, look("b"), 110_000, look("b")]],
    // A build or a test run that prints nothing uses the processor.
    [
      "silent",
      [output, look("a", 0), 62_000, look("a", 100)],
      [output, look("a", 0), 30_000, look("a", 15_000), 85_000, look("a", 15_000)],
    ],
    [
      "no-upstream",
      [{ is: "asked", reservation: "r" }, 302_000, look("a")],
      [{ is: "asked", reservation: "r" }, 200_000, { is: "upstream", reservation: "r" }, 400_000, look("a")],
    ],
    ["same-model-request", times(5, model("same")), many(7, (n) => [model(`body ${n}`)])],
    ["same-model-request", times(5, model("same")), many(6, (n) => [model("same"), model(`other ${n}`), look(`${n}`)])],
    [
      "same-denied-request",
      times(5, denied("GET https://x.test/"), allowed),
      [look("0"), ...many(9, (n) => [denied("GET https://x.test/"), allowed, look(`${n + 1}`)])],
    ],
    [
      "denial-streak",
      many(20, (n) => [denied(`GET https://x.test/${n}`)]),
      many(40, (n) => [denied(`GET https://x.test/${n}`), ...(n % 15 === 14 ? [allowed] : [])]),
    ],
    [
      "idle-tokens",
      [look("a"), ...times(5, { is: "answered", reservation: "r", tokens: 200 }, look("a"))],
      [look("0"), ...many(20, (n) => [{ is: "answered", reservation: "r", tokens: 200 }, look(`${n + 1}`)])],
    ],
    [
      "idle-requests",
      [look("a"), ...many(8, (n) => [model(`${n}`)])],
      [look("0"), ...many(30, (n) => [model(`${n}`), look(`${n + 1}`)])],
    ],
  ])("%s", (detector, stuck, works) => {
    expect(foundAfter(stuck)).toBe(detector);
    expect(foundAfter(works)).toBeUndefined();
    // A threshold that is 0 or left out is never passed.
    const off = Object.fromEntries(Object.keys(thresholds).map((key) => [key, 0]));
    expect([foundAfter(stuck, {}), foundAfter(stuck, off)]).toEqual([undefined, undefined]);
  });

  test("says what it saw, in bounds, whatever is asked for", () => {
    const request = `GET https://x.test/${"x".repeat(2000)}`;
    let sights = noSights(0);
    for (let n = 0; n < 5; n++) sights = withSight(sights, denied(request), n);
    const found = detectStuck(sights, thresholds, 10);
    expect(found).toMatchObject({ detector: "same-denied-request", seen: { repeats: 5, request } });
    expect(found?.why.length).toBeLessThanOrEqual(1000);
  });

  test("who waits for a model is not silent before the model is late", () => {
    expect(foundAfter([{ is: "asked", reservation: "r" }, 200_000, look("a")])).toBeUndefined();
    expect(
      foundAfter([
        { is: "asked", reservation: "r" },
        { is: "answered", reservation: "r", tokens: 1 },
        70_000,
        look("a"),
      ]),
    ).toBe("silent");
  });

  test("nothing is counted before the layer was looked at once: it may have changed", () => {
    const late = [...many(7, (n) => [model(`${n}`)]), look("a")];
    expect(foundAfter([...late, ...many(7, (n) => [model(`then ${n}`)])])).toBeUndefined();
    expect(foundAfter([...late, ...many(8, (n) => [model(`then ${n}`)])])).toBe("idle-requests");
  });

  test("never throws, and remembers a bounded number of things, whatever is seen in whatever order", () => {
    const sight = fc.oneof(
      fc.constant<Sight>(output),
      fc.record({ is: fc.constant("look" as const), layer: fc.string(), cpu: fc.option(fc.nat(), { nil: undefined }) }),
      fc.string().map(denied),
      fc.string().map((body) => model(body)),
      fc.string().map((reservation): Sight => ({ is: "asked", reservation })),
      fc.record({ is: fc.constant("answered" as const), reservation: fc.string(), tokens: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(sight, fc.nat(10_000)), { maxLength: 400 }), (seen) => {
        let now = 0;
        let sights = noSights(0);
        for (const [one, wait] of seen) {
          now += wait;
          sights = withSight(sights, one, now);
          detectStuck(sights, thresholds, now);
        }
        expect(sights.idle.denied.size).toBeLessThanOrEqual(256);
        expect(sights.active).toBeLessThanOrEqual(now);
      }),
      { numRuns: 200 },
    );
  });
});
