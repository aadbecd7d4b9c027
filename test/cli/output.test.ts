import { describe, expect, it } from "vitest";
import { safe, table } from "../../src/cli/context.ts";
import { type Entry, events } from "../../src/domain/event.ts";
import { narrate } from "../../src/host/narrate.ts";

const hostile = "\u001b[2J\u001b]0;owned\u0007\u202etxt.exe\r\nnext";
const entry = (type: Entry["type"], data: unknown): Entry =>
  ({ seq: 1, time: "2026-01-01T00:00:00.000Z", type, data, prev: "0".repeat(64), hash: "0".repeat(64) }) as Entry;

describe("what is shown to people", () => {
  it("never carries control or bidi characters of others", () => {
    const shown = safe(hostile);
    expect(shown).not.toMatch(/[^\P{C}\n\t]/u);
    expect(shown).toContain("\\u{1b}[2J");
    expect(safe("plain ünïcode, 日本語\n\ttabs")).toBe("plain ünïcode, 日本語\n\ttabs");
  });

  it("narrates hostile fields as text that `safe` makes harmless", () => {
    const text = narrate(entry("verb", { sandbox: "s-aaaaaaaaaaaaaaaa", verb: "note", status: 200, text: hostile }));
    expect(safe(text)).not.toMatch(/[^\P{C}\n\t]/u);
    expect(
      narrate(entry("verb", { sandbox: "s-aaaaaaaaaaaaaaaa", verb: "note", status: 200, text: "all is well" })),
    ).toContain("all is well");
  });

  it("has a sentence for every type of event", () => {
    const samples: Partial<Record<Entry["type"], unknown>> = {
      "host.started": { version: "1", keyid: "abc", pid: 1 },
      "host.stopped": { reason: "SIGTERM" },
      recovered: { what: "two sandboxes" },
      "segment.closed": { segment: 1, keyid: "abc" },
      "delegation.started": { lane: 0 },
      "attempt.failed": { attempt: 1, message: "m" },
      "landing.abandoned": { reason: "r" },
      "delegation.stuck": { reason: "r" },
      "delegation.failed": { message: "m" },
      "delegation.discarded": { by: "default" },
      "delegation.over-budget": { what: "wall" },
      "delegation.refused": { message: "m" },
      "delegation.rejected": { hard: true, message: "m" },
      "sandbox.wrote": { files: 1, bytes: 2 },
    };
    for (const [type, data] of Object.entries(samples))
      expect(narrate(entry(type as Entry["type"], data)), type).toMatch(/\S{3}/);
    expect(Object.keys(events).length).toBeGreaterThan(20);
  });

  it("lines columns up", () => {
    expect(
      table([
        ["ID", "STATE"],
        ["d-1", "landed"],
        ["d-22", "x"],
      ]),
    ).toBe("ID    STATE\nd-1   landed\nd-22  x");
  });
});
