import { describe, expect, test } from "vitest";
import { SallyportError } from "../../src/domain/error.ts";
import { pathMatcher, pathPatternProblem, protectedMatcher } from "../../src/policy/paths.ts";

describe("path patterns", () => {
  test("no patterns match nothing", () => {
    expect(pathMatcher([])("a")).toBe(false);
    expect(protectedMatcher([])("a")).toBe(false);
  });

  test("a name without a slash is anchored at the root; in `protected` it holds at every depth", () => {
    expect(pathMatcher(["CLAUDE.md"])("docs/CLAUDE.md")).toBe(false);
    expect(pathMatcher(["CLAUDE.md"])("CLAUDE.md")).toBe(true);
    expect(protectedMatcher(["CLAUDE.md"])("docs/CLAUDE.md")).toBe(true);
    expect(protectedMatcher(["CLAUDE.md"])("docs/CLAUDE.mdx")).toBe(false);
  });

  test("case counts unless it is told not to", () => {
    expect(pathMatcher(["SRC/**"])("src/a")).toBe(false);
    expect(pathMatcher(["SRC/**"], { nocase: true })("src/A")).toBe(true);
  });

  test("a broken pattern is an error and never silence", () => {
    expect(() => pathMatcher(["!(a)"])).toThrow(SallyportError);
    expect(() => protectedMatcher(["a\\b"])).toThrow(SallyportError);
    expect(() => pathMatcher(["dir/"])).toThrow(/dir\/\*\*/);
  });

  test.each([
    [".github/**", ".github/workflows/ci.yml"],
    [".github/**", ".github"], // a link in the directory's place
    [".github/**", ".GitHub/workflows/ci.yml"],
    [".github/**", ".g\u200cithub/x"],
    [".github/**", ".github./x"],
    [".github/**", ".github\u2028/../x".slice(0, 7)],
    [".husky", ".husky/pre-commit"],
    [".husky", "packages/a/.husky/pre-commit"],
    [".vscode/tasks.json", ".vscode"], // a file or link where the protected file's directory would be
    ["**/.claude/settings.json", "a/.claude"],
    [".git*", "a/.gitattributes"],
    [".git*", ".GITMODULES "],
    ["cafe\u0301.md", "caf\u00e9.md"],
    ["package.json", "a\u2028b/package.json"],
  ])("%s protects %j", (pattern, path) => {
    expect(protectedMatcher([pattern])(path)).toBe(true);
  });

  test.each([
    [".github/**", "docs/github.md"],
    [".github/**", "docs/.github/x"],
    [".husky", "src/husky.ts"],
    [".vscode/tasks.json", ".vscode/other.json"],
    ["*.gradle", "src/gradle.ts"],
    ["*.config/x", "a.config"],
  ])("%s does not protect %j", (pattern, path) => {
    expect(protectedMatcher([pattern])(path)).toBe(false);
  });
});

test("everything can be protected, and what holds ignorable characters is refused before it is used", () => {
  const all = protectedMatcher(["**"]);
  expect(["a", "a/b", ".git/config", "CLAUDE.md"].every(all)).toBe(true);
  for (const pattern of ["\u200b", "a/\u200b/b", "*\u200b*", "a\u200bb"]) {
    expect(pathPatternProblem(pattern)).toMatch(/leave out/);
  }
  for (const pattern of ["a/{b,}", "{a,}/b", "*{a,}*"]) expect(pathPatternProblem(pattern)).toMatch(/braces/);
  for (const pattern of ["{a,b}/c", "a{b,}*"]) expect(pathPatternProblem(pattern)).toBeUndefined();
});
