/** Entries of every type of event with hostile text wherever their schema lets text stand, made from the schemas themselves. */
import fc from "fast-check";
import type { z } from "zod";
import { canonicalJson } from "../../../src/domain/canonical.ts";
import { type Entry, events } from "../../../src/domain/event.ts";

/** What people have tried on terminals, spreadsheets and browsers. */
const tricks = [
  "\u001b[2J\u001b[H",
  "\u001b]8;;https://evil.example\u0007click\u001b]8;;\u0007",
  "\u001b]52;c;aGk=\u0007",
  "\u009b31m",
  "a\rLANDED",
  "abc\b\b\bxyz",
  "x\n     9  2026-01-01T00:00:00.000Z  d-abcdefgh23456722  LANDED 0000 on refs/heads/main",
  "\u202etxt.exe",
  "\u2066hidden\u2069",
  "\u2028\u2029\u0085",
  "\u{e0041}\u{fe0f}\ufeff",
  '=HYPERLINK("http://evil")',
  "+1+1",
  "-1+cmd|' /C calc'!A0",
  "@SUM(A1)",
  "\t=1",
  "\r=1",
  "\n=1",
  "\uff1d1",
  "<script>alert(1)</script>",
  "javascript:alert(1)",
  '","forged","',
  "\0",
];

const text = fc.oneof(
  fc.constantFrom(...tricks),
  fc.tuple(fc.constantFrom(...tricks), fc.string({ unit: "binary", maxLength: 12 })).map((parts) => parts.join("")),
);

type Def = z.core.$ZodTypes["_zod"]["def"];

/** Values in the form of a schema. Its checks on texts are not kept: an entry's data is not checked where it is read. */
function anyOf(schema: z.core.$ZodType): fc.Arbitrary<unknown> {
  const def = schema._zod.def as Def;
  switch (def.type) {
    case "object":
      return fc.record(Object.fromEntries(Object.entries(def.shape).map(([name, one]) => [name, anyOf(one)])));
    case "array":
      return fc.array(anyOf(def.element), { minLength: 1, maxLength: 2 });
    case "record":
      return fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), anyOf(def.valueType), { maxKeys: 2 });
    case "tuple":
      return fc.tuple(...def.items.map(anyOf));
    case "enum":
      return fc.constantFrom(...Object.values(def.entries));
    case "literal":
      return fc.constantFrom(...def.values);
    case "union":
      return fc.oneof(...def.options.map(anyOf));
    case "optional":
      return fc.option(anyOf(def.innerType), { nil: undefined });
    case "nullable":
      return fc.option(anyOf(def.innerType), { nil: null });
    case "default":
    case "prefault":
    case "readonly":
    case "nonoptional":
    case "catch":
      return anyOf(def.innerType);
    case "pipe":
      return anyOf(def.in);
    case "lazy":
      return anyOf(def.getter());
    case "number":
      return fc.integer({ min: 0, max: 1_000_000 });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "string":
      // A time that is none is taken for what it is: with one that is, more is made of it.
      return (def as { format?: string }).format === "datetime" ? fc.constant("2026-01-01T00:00:00.000Z") : text;
    case "unknown":
    case "any":
      return fc.oneof(text, fc.record({ nested: text }));
    default:
      throw new Error(`no values for a schema of type ${def.type}`);
  }
}

/** A digest in the form of one. */
const hash = "a".repeat(64);

/** An entry of a type, as it can come out of a ledger. */
export function anyEntry(type: Entry["type"]): fc.Arbitrary<Entry> {
  return anyOf(events[type])
    .map((data) => JSON.parse(JSON.stringify(data)) as unknown)
    .filter((data) => {
      // A lone surrogate has no canonical form: no line holds one.
      try {
        return canonicalJson(data) !== "";
      } catch {
        return false;
      }
    })
    .map(
      (data) =>
        ({
          seq: 7,
          time: "2026-01-01T00:00:00.000Z",
          type,
          delegation: "d-abcdefgh23456722",
          data,
          prev: hash,
          hash,
        }) as Entry,
    );
}

export const everyType = Object.keys(events) as Entry["type"][];
