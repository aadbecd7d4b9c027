import { describe, expect, it } from "vitest";
import type { Entry } from "../../../src/domain/event.ts";
import { type EntryFilter, entryFilter, hostOf } from "../../../src/host/audit/filter.ts";

const [mission, plan] = ["m-abcdefgh23456722", "p-abcdefgh23456722"];
const part = (letter: string) => `d-abcdefgh2345672${letter}`;
const entry = (type: Entry["type"], delegation: string | undefined, data: unknown): Entry =>
  ({ seq: 1, time: "2026-01-01T00:00:00.000Z", type, delegation, data, prev: "", hash: "" }) as Entry;
const passing = (filter: EntryFilter, entries: Entry[]) => {
  const passes = entryFilter(filter);
  return entries.map((one) => passes(one));
};

describe("a filter", () => {
  const story = [
    entry("mission.accepted", mission, { plan }),
    entry("plan.accepted", plan, { briefs: [{ delegation: part("a") }], combined: { delegation: part("b") } }),
    entry("delegation.failed", part("a"), {}),
    entry("plan.mended", plan, { delegation: part("c") }),
    entry("delegation.failed", part("c"), {}),
    entry("delegation.accepted", part("d"), { plan: { id: plan } }),
    entry("delegation.failed", part("b"), {}),
    entry("delegation.failed", part("e"), {}),
    entry("host.started", undefined, {}),
  ];
  it("takes a mission's plan and a plan's parts, however they came to be, and nobody else's", () => {
    expect(passing({ delegation: [mission] }, story)).toEqual([true, true, true, true, true, true, true, false, false]);
    expect(passing({ delegation: [plan] }, story)).toEqual([false, true, true, true, true, true, true, false, false]);
    expect(passing({ delegation: [part("a")] }, story).filter(Boolean)).toHaveLength(1);
  });

  it("learns of parts on lines that it does not show", () => {
    expect(passing({ delegation: [mission], type: ["*.failed"] }, story)).toEqual(
      story.map(({ type, delegation }) => type.endsWith("failed") && delegation !== part("e")),
    );
  });

  it("knows `*` alone as a sign, wherever it stands", () => {
    const types = (glob: string) => passing({ type: [glob] }, story).filter(Boolean).length;
    expect([
      types("*"),
      types("plan.*"),
      types("*.accepted"),
      types("d*.f*d"),
      types("delegation"),
      types("."),
    ]).toEqual([9, 2, 3, 4, 0, 0]);
    // A part of the text is not counted twice.
    expect(passing({ type: ["plan.*plan.accepted"] }, story).some(Boolean)).toBe(false);
  });

  it("finds the host of whatever a request names", () => {
    expect(
      ["https://Example.com:8443/x?y", "example.com:443", "[::1]:80", "http://[2001:db8::1]/", "not a url", "/x"].map(
        hostOf,
      ),
    ).toEqual(["example.com", "example.com", "[::1]", "[2001:db8::1]", "", ""]);
  });
});
