/** What is shown while a delegation works, out of the ledger's own entries. */
import { describe, expect, it } from "vitest";
import { describeMany, describeWatched, isMilestone, type Watched, watchStep } from "../../src/cli/progress.ts";
import { type Line, textOf } from "../../src/cli/terminal.ts";
import type { Entry, Event } from "../../src/domain/event.ts";
import { digestValue } from "../../src/gate/digest.ts";
import { briefOf, images } from "../delegation/approved.ts";
import { oid, policyOf } from "../gate/samples.ts";

const id = "d-abcdefgh23456722";
const sandbox = "s-aaaaaaaaaaaaaaaa";
const start = Date.parse("2026-05-01T12:00:00.000Z");
const policy = policyOf({ budget: { ...policyOf().budget, attempts: 3, requests: 40, usd: 2_000_000 } });
const brief = briefOf({ title: "Round half up" });

const events: [seconds: number, event: Omit<Event, "delegation">][] = [
  [
    0,
    {
      type: "delegation.accepted",
      data: {
        repository: "/srv/git/money.git",
        base: oid("1"),
        ref: "refs/heads/main",
        planner: "default",
        brief,
        checkFiles: {},
        policy,
        policyDigest: digestValue(policy),
        briefDigest: digestValue(brief),
        images,
      },
    } as Event,
  ],
  [5, { type: "delegation.started", data: { lane: 0 } } as Event],
  [7, { type: "attempt.started", data: { attempt: 1, from: oid("2") } } as Event],
  [
    8,
    {
      type: "sandbox.started",
      data: { sandbox, role: "executor", attempt: 1, purpose: "execute", image: images.executor, controls: {} },
    } as unknown as Event,
  ],
  [
    20,
    {
      type: "request",
      data: {
        sandbox,
        method: "GET",
        url: "http://packages.example.org/left-pad",
        decision: "deny",
        code: "no-rule",
        rule: "none",
        sent: 0,
        received: 0,
        milliseconds: 1,
      },
    } as Event,
  ],
  [70, { type: "attempt.executed", data: { attempt: 1, end: "exit" } } as Event],
];

const entryOf = ([seconds, event]: (typeof events)[number], seq: number): Entry =>
  ({
    ...event,
    delegation: id,
    seq,
    time: new Date(start + seconds * 1000).toISOString(),
    prev: "",
    hash: "",
  }) as unknown as Entry;

function watched(upTo: number): Watched {
  let now: Watched | undefined;
  for (const [index, event] of events.slice(0, upTo).entries()) now = watchStep(now, entryOf(event, index));
  if (!now) throw new Error("nothing is watched");
  return now;
}
const plain = (lines: readonly Line[]) =>
  lines.map((line) => (typeof line === "string" ? line : line.map(textOf).join("")));
const at = (seconds: number) => start + seconds * 1000;

describe("what is redrawn", () => {
  it("says that a delegation waits for a lane", () => {
    expect(plain(describeWatched(watched(1), at(3))).join("\n")).toContain("waits for a lane, 3 s");
  });

  it("says the stage and its time, attempt n of m, elapsed, spend against budget", () => {
    const lines = plain(describeWatched(watched(4), at(18)));
    expect(lines[0]).toBe(`${id}  ·  Round half up`);
    expect(lines[1]).toContain("executing 11 s  ·  attempt 1 of 3  ·  scripted");
    expect(lines.join("\n")).toContain("elapsed 18 s");
    expect(lines.join("\n")).toContain("$0.00 of $2.00");
    expect(lines.join("\n")).toContain("requests 0 of 40");
    expect(lines.join("\n")).not.toContain("denied");
  });

  it("says the stages that are over with their times", () => {
    const lines = plain(describeWatched(watched(6), at(75)));
    expect(lines[1]).toContain("collecting 5 s");
    expect(lines[2]).toBe("  done: preparing 2 s, executing 1 m 3 s");
  });

  it("says the last denial, the rule that would let it pass, and how to ask why", () => {
    const text = plain(describeWatched(watched(5), at(25))).join("\n");
    expect(text).toContain("denied 1, last: GET http://packages.example.org/left-pad (no-rule)");
    expect(text).toContain("to allow it: - { host: packages.example.org, scheme: http, methods: [GET]");
    expect(text).toContain(`sallyport policy explain ${policy.name} "GET http://packages.example.org/left-pad"`);
  });

  it("has a line for each delegation of a plan, by the name that it has there", () => {
    const lines = plain(describeMany(new Map([[id, watched(5)]]), () => "B1", at(25)));
    expect(lines[0]).toContain("B1  executing 18 s  ·  attempt 1 of 3  ·  Round half up");
    expect(lines.join("\n")).toContain("denied 1");
  });
});

describe("watching", () => {
  it("is not led astray by entries out of order, or by a log that begins in the middle", () => {
    const before = watched(4);
    const wrong = entryOf([30, { type: "verdict.received", data: {} } as unknown as Event], 9);
    expect(watchStep(before, wrong)).toEqual(before);
    expect(watchStep(undefined, wrong)).toBeUndefined();
  });

  it("keeps a line for what decides, and none for each allowed request", () => {
    const request = (decision: string) => ({ type: "request", data: { decision } }) as unknown as Entry;
    expect([isMilestone(request("deny")), isMilestone(request("allow"))]).toEqual([true, false]);
    const named = (type: string) => isMilestone({ type, data: {} } as unknown as Entry);
    expect(["attempt.rejected", "tests.reported", "verdict.received", "delegation.landed"].map(named)).not.toContain(
      false,
    );
    expect(["budget.reserved", "sandbox.started", "verb", "segment.closed"].map(named)).not.toContain(true);
  });
});
