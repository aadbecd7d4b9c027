import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "../../src/domain/canonical.ts";
import { formLine, genesis, readLine } from "../../src/ledger/line.ts";

/** A line whose chain, place and hash are right, with data in this spelling. */
const line = (data: string) =>
  formLine({ type: "host.stopped", delegation: undefined, data, time: "2026-01-01T00:00:00.000Z" }, 1, genesis).line;
const read = (data: string) => readLine(Buffer.from(line(data)), { seq: 0, hash: genesis });
/** By the definition alone: the text is the canonical one of what it says. */
const isCanonical = (text: string) => {
  try {
    return canonicalJson(JSON.parse(text)) === text;
  } catch {
    return false;
  }
};

describe("a line has one spelling", () => {
  it("and every other is refused, though its hash is right", () => {
    for (const data of [
      '{"a":1,"b":2}',
      '{"10":1,"9":2}',
      '{"a":"\\u001b","é":"é"}',
      '{"\\ue000":1}'.replace("\\ue000", "\ue000"),
      '{"a":[{"b":1,"c":[]}]}',
    ])
      expect(read(data), data).toMatchObject({ seq: 1 });
    for (const data of [
      '{"b":2,"a":1}',
      '{"9":2,"10":1}',
      '{"a":[{"c":1,"b":2}]}',
      '{"a":1,"a":1}',
      '{"a": 1}',
      '{"a":1.0}',
      '{"a":1e2}',
      '{"a":-0}',
      '{"a":"\\u00e9"}',
      '{"a":"\\/"}',
      '{"a":"\\ud800"}',
      '{"\\udc00":1}',
      '{"a":"\\ud83d\\ude00"}',
    ])
      expect(read(data), data).toMatch(/canonical form/);
  });

  it("whatever values and members there are", () => {
    const shuffled = fc
      .tuple(fc.dictionary(fc.string({ unit: "binary", maxLength: 4 }), fc.jsonValue(), { maxKeys: 5 }), fc.boolean())
      .map(([value, turn]) => JSON.stringify(turn ? Object.fromEntries(Object.entries(value).reverse()) : value));
    fc.assert(
      fc.property(shuffled, (data) => {
        expect(typeof read(data) === "object").toBe(isCanonical(line(data)));
      }),
      { numRuns: 2000 },
    );
  });
});
