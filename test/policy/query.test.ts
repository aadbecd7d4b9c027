import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileQuery, queryProblems, readQuery } from "../../src/policy/query.ts";

describe("a rule's query", () => {
  test.each<[Record<string, string>, string, boolean]>([
    [{}, "", true],
    [{}, "a=1", false],
    [{ a: "1" }, "a=1", true],
    [{ a: "1" }, "a=2", false],
    [{ a: "1" }, "", false],
    [{ a: "1" }, "b=1", false],
    [{ a: "1" }, "a=1&b=2", false], // an unnamed one
    [{ a: "1" }, "a=1&a=1", false], // pollution: the first, the last, or both
    [{ a: "1" }, "a=1&a=2", false],
    [{ a: "1" }, "a=1&%61=2", false], // a name in disguise
    [{ a: "1" }, "%61=1", false],
    [{ a: "1" }, "%2561=1", false],
    [{ a: "1" }, "a=1;b=2", false], // `;` separates for some servers
    [{ a: "*" }, "a=1;b=2", false],
    [{ a: "1" }, "a=1&", false],
    [{ a: "1" }, "&a=1", false],
    [{ a: "1" }, "a=%31", true],
    [{ a: "1" }, "a=%2531", false], // decoded twice it is 1, once it is %31: both must be
    [{ a: "x*" }, "a=x%252f", true],
    [{ a: "*" }, "a=%zz", false],
    [{ a: "*" }, "a=%ff", false],
    [{ a: "" }, "a=", true],
    [{ a: "" }, "a", true],
    [{ a: "?*" }, "a=", false],
    [{ a: "x y" }, "a=x+y", false], // `+` is a space to one server and a plus to another
    [{ a: "x?y" }, "a=x+y", true],
    [{ a: "x y" }, "a=x%20y", true],
    [{ a: "a/*" }, "a=a/b/c", true],
    [{ a: "{up,down}" }, "a=down", true],
    [{ a: "[0-9]" }, "a=7", true],
    [{ a: "[*]" }, "a=*", true],
    [{ a: "[*]" }, "a=b", false],
    [{ a: "1", b: "2" }, "b=2&a=1", true],
    [{ "f[x]": "1" }, "f%5Bx%5D=1", true],
    [{ "f[x]": "1" }, "f[x]=1", true],
  ])("%j takes %j: %s", (wanted, query, expected) => {
    expect(compileQuery(wanted)(query)).toBe(expected);
  });

  test("a value that is decoded again and again has no meaning to settle on", () => {
    expect(readQuery(`a=%${"25".repeat(40)}31`)).toBeUndefined();
  });

  test("is refused where its names or values cannot be meant", () => {
    for (const broken of [
      { "a&b": "1" },
      { "a=b": "1" },
      { "a%20b": "1" },
      { a: "**" },
      { a: "!(x)" },
      { a: "\\x" },
      { a: "[z-a]" },
    ]) {
      expect(queryProblems(broken as Record<string, string>, ["query"])).toHaveLength(1);
    }
    expect(queryProblems({ a: "*", b: "{1,2}", c: "", "d.e": "x/y" }, ["query"])).toEqual([]);
  });

  test("never throws and never loops, whatever is asked", () => {
    const anything = fc.oneof(
      fc.string({ unit: "binary", maxLength: 200 }),
      fc.array(fc.constantFrom("a", "=", "&", "%", "25", "%25", "+", ";", "31")).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(anything, (query) => void compileQuery({ a: "*" })(query)),
      { numRuns: 2000 },
    );
  });
});
