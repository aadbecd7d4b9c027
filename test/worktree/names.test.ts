import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkName, checkRemovedName, collides, isDotGit, showPath, showText } from "../../src/worktree/names.ts";

describe("`.git` in every spelling", () => {
  test.each([
    ".git",
    ".GIT",
    ".Git",
    ".git.",
    ".git ",
    ".git . .",
    ".git:stream",
    ".git::$INDEX_ALLOCATION",
    ".GIT::$index_allocation",
    "git~1",
    "GIT~1",
    "git~2",
    "git~1.",
    "git~1:x",
    ".g\u200cit",
    "\u200b.git",
    ".gi\ufefft",
    ".git\u2060",
    "\u{e0041}.git",
    ".g\u0131t",
    "\uff0egit",
    "\u2024git",
    ".\uff47it",
    "a\\.git",
    ".git\\x",
    "x\\.GIT .\\y",
  ])("%j is refused", (name) => {
    expect(isDotGit(name)).toBe(true);
    expect(checkName(["src", name, "config"])).not.toBeNull();
    expect(checkRemovedName([name])).not.toBeNull();
  });

  test.each([
    ".github",
    ".gitkeep",
    ".gitignore",
    ".gitattributes",
    "git",
    "agit~1",
    "git~x",
    ".gitx",
    "x.git",
    "digit",
    "legit.md",
  ])("%j is honest", (name) => {
    expect(isDotGit(name)).toBe(false);
    expect(checkName([name])).toBeNull();
  });

  test("no dressing of `.git` gets through", () => {
    const dressing = fc.constantFrom("\u200c", "\u200d", "\u200e", "\u202a", "\u206a", "\ufeff", "\u00ad", "\u2060");
    const letters = ".git".split("");
    fc.assert(
      fc.property(
        fc.array(dressing, { minLength: 5, maxLength: 5 }),
        fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
        fc.constantFrom("", ".", " ", " . ", ":x", "::$DATA", ". :y"),
        (marks, upper, tail) => {
          const name =
            letters.map((letter, i) => `${marks[i]}${upper[i] ? letter.toUpperCase() : letter}`).join("") +
            marks[4] +
            tail;
          return isDotGit(name) && checkName([name]) !== null;
        },
      ),
    );
  });
});

describe("one segment", () => {
  test.each([
    ["", "empty"],
    [".", "relative"],
    ["..", "relative"],
    ["-x", "option"],
    ["a\\b", "backslash"],
    ["a\nb", "control"],
    ["a\u0085b", "control"],
    ["a\u2028b", "line break"],
    ["a\u202eb", "bidirectional"],
    ["a\u2066b", "bidirectional"],
    ["a\u200bb", "invisible"],
    ["x ", "space"],
    ["x.", "dot"],
    ["n".repeat(256), "255"],
    [".gitmodules", "submodules"],
    [".GITMODULES", "submodules"],
    ["gi7eba~1", "submodules"],
    ["GITMOD~1", "submodules"],
    [".gitmodules ", "submodules"],
    [".GitAttributes", ".gitattributes"],
    ["gi7d29~1", ".gitattributes"],
    [".gitignore.", ".gitignore"],
    ["a/b", "separator"],
    ["a\0b", "control"],
    ["\ud800", "UTF-8"],
  ])("%j is refused", (name, why) => {
    expect(checkName([name])?.message).toContain(why);
  });

  test.each([
    "a b",
    "café",
    "日本語",
    "emoji 😀",
    "a:b",
    "a*b?",
    "'quote\"",
    "~",
    "#x",
    "n".repeat(255),
    "Ünïcödé",
    "a-b",
    "..a",
    "...b",
  ])("%j passes", (name) => {
    expect(checkName([name])).toBeNull();
    expect(checkName([Buffer.from(name)])).toBeNull();
  });

  test("bytes that are not UTF-8, overlong forms and surrogates are refused", () => {
    for (const bytes of [[0xff], [0xc0, 0xae], [0xed, 0xa0, 0x80], [0x61, 0xe9]]) {
      expect(checkName([Buffer.from(bytes)])?.message).toContain("UTF-8");
    }
  });

  test("a path ends at 4096 bytes", () => {
    expect(checkName([...Array(20).fill("n".repeat(200)), "m".repeat(76)])).toBeNull();
    expect(checkName([...Array(20).fill("n".repeat(200)), "m".repeat(77)])).not.toBeNull();
    expect(checkName([])).not.toBeNull();
  });
});

test("an ugly name may be taken away, git's own may not", () => {
  for (const name of ["-x", "x ", "a\\b", "n".repeat(300)]) expect(checkRemovedName([name])).toBeNull();
  for (const name of [".git", ".gitmodules", "a\nb", "git~1"]) expect(checkRemovedName([name])).not.toBeNull();
  expect(checkRemovedName([Buffer.from([0xff])])).not.toBeNull();
});

test("collisions by case and normal form", () => {
  for (const [a, b] of [
    ["README", "readme"],
    ["caf\u00e9", "cafe\u0301"],
    ["stra\u00dfe", "STRASSE"],
    ["\u03c3", "\u03c2"],
    ["\u212a", "k"],
  ])
    expect(collides(a as string, b as string)).toBe(true);
  for (const [a, b] of [
    ["a", "a"],
    ["a", "b"],
    ["cafe", "caf\u00e9"],
    ["a-b", "a_b"],
  ])
    expect(collides(a as string, b as string)).toBe(false);
});

test("what is shown cannot move the cursor, hide or reorder, and tells names apart", () => {
  expect(showPath("a\u001b[2Jb\n\u202e")).toBe("a\\x1b[2Jb\\n\\u{202e}");
  expect(showPath(Buffer.from([0x61, 0xff, 0x5c]))).toBe("a\\xff\\x5c");
  expect(showPath("caf\u00e9 日本")).toBe("café 日本");
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(showText(text))));
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => Buffer.from(a).equals(b) || showPath(a) !== showPath(b)),
  );
});
