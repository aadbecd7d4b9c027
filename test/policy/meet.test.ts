import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileGlob } from "../../src/policy/glob.ts";
import { meetingPatterns, patternsMeet } from "../../src/policy/meet.ts";

describe("two patterns that can match one path", () => {
  it.each([
    ["src/**", "src/a.js"],
    ["src/**", "**/a.js"],
    ["src/*.js", "src/money.*"],
    ["src/{a,b}.js", "src/b.js"],
    ["a/**/z", "a/z"],
    ["a/**/z", "a/b/**"],
    ["[a-c]x", "[c-e]x"],
    ["a?c", "ab*"],
    ["**", "x"],
  ])("%s and %s", (one, other) => {
    expect(patternsMeet(one, other)).toBe(true);
    expect(patternsMeet(other, one)).toBe(true);
  });

  it.each([
    ["src/**", "src"],
    ["src/*.js", "src/a/b.js"],
    ["src/a.js", "src/b.js"],
    ["src/{a,b}.js", "src/c.js"],
    ["[a-c]x", "[d-f]x"],
    ["a*b", "a*c"],
    ["src/**", "test/**"],
    ["**/a", "b/**/c"],
  ])("not %s and %s", (one, other) => {
    expect(patternsMeet(one, other)).toBe(false);
    expect(patternsMeet(other, one)).toBe(false);
  });

  it("names the first pair, and none for lists that never meet", () => {
    expect(meetingPatterns(["docs/**", "src/a.js"], ["test/**", "src/*.js"])).toEqual(["src/a.js", "src/*.js"]);
    expect(meetingPatterns(["docs/**"], ["src/**"])).toBeUndefined();
  });

  it("a path that both match is never denied", () => {
    const segment = fc.constantFrom("a", "b", "ab", "*", "a*", "?b", "[a-b]", "**");
    const glob = fc
      .array(segment, { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join("/").replace(/(\*\*\/)+\*\*/g, "**"));
    const path = fc
      .array(fc.constantFrom("a", "b", "ab", "bb"), { minLength: 1, maxLength: 5 })
      .map((p) => p.join("/"));
    fc.assert(
      fc.property(glob, glob, path, (one, other, text) => {
        const both = [one, other].every((pattern) => compileGlob(pattern).some((g) => g.matches(text)));
        return !both || patternsMeet(one, other);
      }),
      { numRuns: 3000 },
    );
  });
});
