import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { policy as policySchema } from "../../src/domain/policy.ts";
import { checkExpectations } from "../../src/policy/expect.ts";
import { listPolicies, loadPolicy, loadPolicyFile } from "../../src/policy/load.ts";
import { pathMatcher, protectedMatcher } from "../../src/policy/paths.ts";
import { policySchemaText } from "../../src/policy/schema.ts";

const directory = join(import.meta.dirname, "../../policies");
const names = await listPolicies([directory]);

test("the schema for editors is the one that policies are checked with", async () => {
  expect(
    await readFile(join(directory, "schema.json"), "utf8"),
    "run: node -e to write policySchemaText() to policies/schema.json",
  ).toBe(policySchemaText());
});

describe.each(names)("the policy %s", (name) => {
  test("loads, meets its own expectations, and a settled policy is what the ledger takes", async () => {
    const { policy, expect: own } = await loadPolicyFile(join(directory, `${name}.yaml`));
    expect(own.length).toBeGreaterThan(0);
    expect(checkExpectations(policy, own)).toEqual([]);
    expect(policySchema.parse(policy)).toEqual(policy);
  });
});

test("there are the ones that people start from", () => {
  expect(names).toEqual(expect.arrayContaining(["base", "docs-only", "node-library", "offline", "python-package"]));
});

describe("what the base protects, also where it does not exist yet", () => {
  test.each([
    ".github/workflows/ci.yml",
    ".gitlab-ci.yml",
    "Jenkinsfile",
    ".ci/run", // D7
    ".gitattributes",
    "src/.gitattributes",
    ".gitmodules",
    ".GitModules",
    "a/.git/config",
    ".gitignore", // D4
    "package.json",
    "packages/a/package.json",
    "package-lock.json",
    "yarn.lock",
    "Cargo.lock",
    ".npmrc",
    "pyproject.toml",
    "conftest.py",
    "test/conftest.py",
    "vitest.config.ts",
    "jest.config.js",
    "tsconfig.json",
    "tsconfig.build.json",
    "Makefile",
    "Dockerfile",
    "sitecustomize.py",
    "src/a.pth",
    ".claude/settings.json",
    ".codex/config.toml",
    ".mcp.json",
    ".vscode/tasks.json",
    ".envrc",
    ".husky/pre-commit", // F8
    "CLAUDE.md",
    "docs/CLAUDE.md",
    "claude.md",
    "AGENTS.md",
    ".cursor/rules/x.mdc",
    "GEMINI.md",
    ".devcontainer/devcontainer.json",
    ".idea/workspace.xml",
    ".env",
    ".env.local",
    ".editorconfig",
    ".pre-commit-config.yaml",
    "node_modules/a/index.js",
    ".claude",
    ".vscode",
  ])("%s", async (path) => {
    expect(protectedMatcher((await loadPolicy("base", [directory])).filesystem.protected)(path)).toBe(true);
  });

  test.each([
    "src/index.ts",
    "test/index.test.ts",
    "docs/guide.md",
    "README.md",
    "src/environment.ts",
    "src/vscode.ts",
    "src/make.ts",
    "lib/git.js",
    "CHANGELOG.md",
    "src/vitest-plugin.ts",
  ])("and not %s", async (path) => {
    expect(protectedMatcher((await loadPolicy("base", [directory])).filesystem.protected)(path)).toBe(false);
  });
});

test("docs-only writes words and nothing that runs", async () => {
  const writable = pathMatcher((await loadPolicy("docs-only", [directory])).filesystem.writable);
  expect(["README.md", "docs/a.md", "docs/b/c.png"].every(writable)).toBe(true);
  expect(["src/a.ts", "docs/conf.py", "docs/build.sh", "docs", "docs/x.html"].some(writable)).toBe(false);
});

test("every key that an editor offers says what it is for", () => {
  const without: string[] = [];
  const walk = (node: unknown, path: string) => {
    if (typeof node !== "object" || node === null) return;
    const { properties } = node as { properties?: Record<string, { description?: string; properties?: unknown }> };
    for (const [key, value] of Object.entries(properties ?? {})) if (!value.description) without.push(`${path}.${key}`);
    for (const [key, value] of Object.entries(node)) walk(value, `${path}.${key}`);
  };
  walk(JSON.parse(policySchemaText()), "policy");
  expect(without).toEqual([]);
});
