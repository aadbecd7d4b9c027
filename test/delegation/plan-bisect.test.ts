import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bisectParts } from "../../src/delegation/plan-bisect.ts";

const free = (...ids: string[]) => ids.map((id) => ({ id, before: new Set<string>() }));

/** Red as soon as all of one of these sets are there. */
const redWith =
  (...sets: string[][]) =>
  async (ids: readonly string[]) =>
    sets.some((set) => set.every((id) => ids.includes(id)));

describe("which briefs turn the whole red", () => {
  it("two together", async () => {
    const found = await bisectParts(free("B1", "B2", "B3", "B4"), false, redWith(["B2", "B4"]));
    expect(found).toMatchObject({ culprits: ["B2", "B4"], kind: "pair" });
    expect(found.runs).toBeLessThanOrEqual(5);
  });

  it("one by itself, three together, and only the plan's own criteria", async () => {
    expect(await bisectParts(free("B1", "B2", "B3"), false, redWith(["B2"]))).toMatchObject({
      culprits: ["B2"],
      kind: "alone",
    });
    expect(await bisectParts(free("B1", "B2", "B3", "B4"), false, redWith(["B1", "B2", "B3"]))).toMatchObject({
      culprits: ["B1", "B2", "B3"],
      kind: "prefix",
    });
    expect(await bisectParts(free("B1", "B2"), true, redWith())).toEqual({ culprits: [], kind: "whole", runs: 1 });
  });

  it("asks about no brief without those that it comes after", async () => {
    const asked: string[] = [];
    const order = [
      { id: "B1", before: new Set<string>() },
      { id: "B2", before: new Set(["B1"]) },
      { id: "B3", before: new Set<string>() },
    ];
    const found = await bisectParts(order, false, async (ids) => {
      asked.push(ids.join("+"));
      return ids.includes("B2") && ids.includes("B3");
    });
    expect(found.culprits).toEqual(["B2", "B3"]);
    for (const set of asked.filter((one) => one.includes("B2"))) expect(set).toContain("B1+B2");
  });

  it("whatever the red pair, finds it, in few runs, each set once", async () => {
    const size = fc.integer({ min: 2, max: 24 });
    await fc.assert(
      fc.asyncProperty(size, fc.nat(), fc.nat(), async (count, x, y) => {
        const ids = Array.from({ length: count }, (_, n) => `B${n + 1}`);
        const [a, b] = [ids[x % count] ?? "", ids[y % count] ?? ""];
        const asked: string[] = [];
        const found = await bisectParts(free(...ids), false, async (set) => {
          asked.push(set.join("+"));
          return set.includes(a) && set.includes(b);
        });
        expect(new Set(found.culprits)).toEqual(new Set([a, b]));
        expect(new Set(asked).size).toBe(asked.length);
        expect(found.runs).toBeLessThanOrEqual(Math.ceil(Math.log2(count)) + count);
      }),
      { numRuns: 200 },
    );
  });
});
