import { describe, expect, test } from "vitest";
import { sharesOf, trackRecords } from "../../src/delegation/track-record.ts";
import { lived } from "./lived.ts";

const asked = (microusd: number, list = microusd) => [{ tokens: 100, microusd, list }];

describe("a track record", () => {
  test("counts first tries, retries, ends, reasons, denials and protected paths", async () => {
    const records = trackRecords([
      await lived({ tries: [{ end: "approved" }] }),
      await lived({
        tries: [
          {
            end: "rejected",
            by: "host",
            findings: ["protected", "not-writable"],
            denied: [{ url: "http://a/", times: 3 }],
          },
          { end: "rejected", by: "host", findings: ["tests-failed"] },
          { end: "approved" },
        ],
      }),
      await lived({ tries: [{ end: "rejected" }, { end: "rejected" }], last: "delegation.rejected" }),
      await lived({ tries: [{ end: "stuck" }] }),
      await lived({ tries: [{ end: "over-budget" }] }),
    ]);
    expect(records).toMatchObject([
      {
        executor: "scripted",
        model: "",
        kind: "source:javascript",
        delegations: 3,
        firstTry: { count: 1, of: 3 },
        retry: { count: 1, of: 3 },
        approved: { count: 2, of: 3 },
        rejections: { host: 1, tests: 1, verifier: 2 },
        protectedPaths: 1,
        denials: 3,
      },
      // These changed nothing: what they were allowed to write stands for the kind of their work.
      { kind: "tests", delegations: 2, stuck: { count: 1, of: 2 }, overBudget: { count: 1, of: 2 } },
    ]);
  });

  test("cost of an approved change holds what was spent on rejected attempts, verifier's part and open reservations", async () => {
    const [record] = trackRecords([
      await lived({
        tries: [
          { end: "rejected", asked: [...asked(300), { role: "verifier", tokens: 10, microusd: 50 }] },
          { end: "approved", asked: [{ tokens: 5, microusd: 11, open: true }] },
        ],
      }),
      await lived({ tries: [{ end: "rejected", asked: asked(40, 90) }], last: "delegation.rejected" }),
      await lived({ tries: [{ end: "approved", asked: asked(0, 7) }] }),
    ]);
    expect(record).toMatchObject({
      model: "m-1",
      tokens: 100 + 10 + 10 + 100 + 100,
      microusd: 300 + 50 + 22 + 40,
      list: 300 + 50 + 22 + 90 + 7,
      // Rounded up: 412 in two.
      costPerApproved: 206,
      listPerApproved: 235,
      listPerDelegation: 157,
    });
  });

  test("without an approval there is no cost of one; the median is of all", async () => {
    const tries = (milliseconds: number) => lived({ tries: [{ end: "stuck", milliseconds }] });
    const [record] = trackRecords([await tries(10), await tries(1000), await tries(20)]);
    expect(record).toMatchObject({ costPerApproved: undefined, listPerApproved: undefined, medianMilliseconds: 20 });
  });

  test("what the host failed at counts for nobody, and what still runs or was stopped is not judged", async () => {
    const failedFirst = await lived({ tries: [{ end: "failed" }, { end: "approved" }] });
    expect(sharesOf(failedFirst)).toMatchObject([{ first: undefined, approved: true, retries: { count: 0 } }]);
    expect(sharesOf(await lived({ tries: [{ end: "rejected" }] }))).toEqual([]);
    expect(sharesOf(await lived({ tries: [], last: "delegation.discarded" }))).toEqual([]);
    // Approved, then given up by the planner: the executor's work was good.
    const givenUp = await lived({ tries: [{ end: "approved" }], last: "delegation.discarded" });
    expect(sharesOf(givenUp)).toMatchObject([{ first: true, approved: true }]);
  });

  test("of several executors each has its own share", async () => {
    const record = await lived({
      candidates: ["cheap", "dear"],
      tries: [
        { end: "rejected", executor: "cheap", asked: asked(10) },
        { end: "rejected", executor: "cheap", asked: asked(20) },
        { end: "approved", executor: "dear", asked: asked(500) },
      ],
    });
    expect(sharesOf(record)).toMatchObject([
      { executor: "cheap", first: false, retries: { count: 1, approved: 0 }, approved: false, microusd: 30 },
      { executor: "dear", first: undefined, retries: { count: 0 }, approved: true, microusd: 500 },
    ]);
  });

  test("since a time, and of many delegations, in bounded time", async () => {
    const one = await lived({
      tries: [
        { end: "rejected", asked: asked(3) },
        { end: "approved", asked: asked(4) },
      ],
    });
    const many = Array.from({ length: 50_000 }, (_, n) => ({
      ...one,
      accepted: new Date(1_700_000_000_000 + n * 1000).toISOString(),
    }));
    const begun = performance.now();
    const [record] = trackRecords(many, new Date(1_700_000_000_000 + 10_000 * 1000));
    expect(record).toMatchObject({ delegations: 40_000, microusd: 280_000, costPerApproved: 7 });
    expect(performance.now() - begun).toBeLessThan(20_000);
  });
});
