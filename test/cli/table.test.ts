import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Column, layTable } from "../../src/cli/table.ts";
import { clip, clipLine, type Line, textOf, widthOf } from "../../src/cli/terminal.ts";
import { ago, clock } from "../../src/cli/when.ts";

const plain = (line: Line) => (typeof line === "string" ? line : line.map(textOf).join(""));
const columns: Column[] = [
  { title: "ID" },
  { title: "STATE", gives: 1, least: 5 },
  { title: "NOTE", gives: 3 },
  { title: "TITLE", gives: 2, least: 8 },
];

describe("a table", () => {
  it("is as wide as its cells where nothing bounds it", () => {
    const { lines } = layTable(columns, [["d-1", "landed", "x", "A title"]]);
    expect(lines.map(plain)).toEqual(["ID   STATE   NOTE  TITLE", "d-1  landed  x     A title"]);
  });

  it("shrinks and leaves out by weight, and says what it left out", () => {
    const row = ["d-1", "rejected", "a longer note", "A title that is long"];
    const { lines, left } = layTable(columns, [row], 36);
    expect(lines.map(plain)).toEqual(["ID   STATE     TITLE", "d-1  rejected  A title that is long"]);
    expect(left).toEqual(["NOTE"]);
    expect(layTable(columns, [row], 24).lines.map(plain)).toEqual(["ID   STATE     TITLE", "d-1  rejected  A title…"]);
  });

  it("lines up what stands after wide characters, emoji and combining marks", () => {
    const rows = [
      ["日本語", "a"],
      ["👍🏽", "b"],
      ["e\u0301e\u0301", "c"],
    ];
    const lines = layTable([{ title: "X" }, { title: "Y" }], rows).lines.map(plain);
    const places = lines.map((line, index) => widthOf(line.slice(0, line.lastIndexOf("Yabc"[index] ?? ""))));
    expect(new Set(places)).toEqual(new Set([8]));
  });

  it("is never wider than it may be, ends no line with a space, and keeps a cell on one line, whatever it holds", () => {
    const cell = fc.string({ unit: "grapheme", maxLength: 30 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell, cell, cell), { maxLength: 8 }),
        fc.integer({ min: 60, max: 140 }),
        (rows, room) => {
          const wide = Math.max(0, ...rows.map(([first]) => widthOf(first.replace(/\p{C}/gu, "\\u{100000}"))));
          for (const line of layTable(columns, rows, room).lines.map(plain)) {
            expect(line).not.toMatch(/[\p{Cc}\p{Cf}]| $/u);
            if (wide < 30) expect(widthOf(line)).toBeLessThanOrEqual(room);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("clipping", () => {
  it("counts columns, not letters, and cuts no letter in two", () => {
    expect(clip("abcdef", 4)).toBe("abc…");
    expect(clip("日本語", 5)).toBe("日本…");
    expect(clip("日本語", 4)).toBe("日…");
    expect(clip("👍🏽👍🏽", 3)).toBe("👍🏽…");
    expect(clip("abc", 3)).toBe("abc");
    expect(clip("abc", 0)).toBe("");
  });

  it("clips a line of several parts, and keeps their colours", () => {
    expect(clipLine([["abc", "good"], "def"], 5)).toEqual([["abc", "good"], "d…"]);
    expect(clipLine("a\nb\u001b[2J", 40)).toEqual(["a b\\u{1b}[2J"]);
  });
});

describe("times", () => {
  const now = Date.parse("2026-05-20T12:00:00.000Z");
  it.each([
    ["2026-05-20T11:59:57.000Z", "3 s ago"],
    ["2026-05-20T11:57:00.000Z", "3 min ago"],
    ["2026-05-20T07:00:00.000Z", "5 h ago"],
    ["2026-05-18T12:00:00.000Z", "2 d ago"],
    ["2026-03-01T12:00:00.000Z", "2026-03-01"],
    ["2026-05-20T12:00:09.000Z", "now"],
    ["no time", "no time"],
  ])("%s is %s", (time, text) => expect(ago(time, now)).toBe(text));

  it("counts up in whole seconds", () => {
    expect([900, 4200, 124_000, 3_780_000].map(clock)).toEqual(["0 s", "4 s", "2 m 4 s", "1 h 3 m"]);
  });
});
