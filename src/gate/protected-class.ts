/**
 * What decides how tests are found, started and judged, and is no test itself: put back from the base for the second run
 * whatever the policy's `evidence` says, and each change of it is told in the report (ATTACKS D7, V1). The one table.
 */
import { protectedMatcher } from "../policy/paths.ts";

interface Row {
  why: string;
  /** As in a policy's `protected`: without a slash at every depth, and what is below. */
  patterns: readonly string[];
}

const rows: readonly Row[] = [
  {
    why: "loaded before the tests",
    patterns: [
      "sitecustomize.py",
      "usercustomize.py",
      "*.pth",
      // An entry point of one makes any module a plug-in of pytest's.
      "*.dist-info",
      "*.egg-info",
      "pytest.py",
      "_pytest",
      "pluggy",
      "unittest.py",
      ".npmrc",
      ".yarnrc*",
      ".env*",
      ".pnp.*",
      "node_modules",
      "vendor/**",
    ],
  },
  {
    why: "configuration of a test runner",
    patterns: [
      "vitest.*",
      "vite.config.*",
      "jest.config.*",
      "jest.setup.*",
      ".mocharc*",
      "ava.config.*",
      ".taprc",
      "karma.conf.*",
      "playwright.config.*",
      "babel.config.*",
      ".babelrc*",
      ".swcrc",
      "tsconfig*.json",
      ".c8rc*",
      ".nycrc*",
      "nyc.config.*",
      "conftest.py",
      "pytest.ini",
      ".pytest.ini",
      "tox.ini",
      "noxfile.py",
      "setup.cfg",
      ".coveragerc",
    ],
  },
  {
    why: "settings and scripts of a package",
    patterns: [
      "package.json",
      "pnpm-workspace.yaml",
      "bunfig.toml",
      "deno.json*",
      "pyproject.toml",
      "setup.py",
      "go.mod",
      "go.work*",
      "Cargo.toml",
      "build.rs",
      ".cargo",
      "rust-toolchain*",
    ],
  },
  {
    why: "how things are built and started",
    patterns: ["Makefile", "GNUmakefile", "*.mk", "Justfile", "Taskfile.y*ml", "CMakeLists.txt", "Rakefile"],
  },
  {
    why: "a lockfile",
    patterns: [
      "package-lock.json",
      "npm-shrinkwrap.json",
      "yarn.lock",
      "pnpm-lock.yaml",
      "bun.lock*",
      "deno.lock",
      "poetry.lock",
      "uv.lock",
      "pdm.lock",
      "Pipfile*",
      "requirements*.txt",
      "go.sum",
      "Cargo.lock",
    ],
  },
  {
    why: "continuous integration",
    patterns: [
      ".github",
      ".gitlab-ci.yml",
      ".circleci",
      ".travis.yml",
      ".buildkite",
      ".drone.yml",
      ".woodpecker*",
      "Jenkinsfile",
      "azure-pipelines.yml",
      "bitbucket-pipelines.yml",
    ],
  },
  {
    why: "git hooks and attributes",
    patterns: [
      ".husky",
      ".githooks",
      "lefthook.y*ml",
      ".pre-commit-config.yaml",
      ".lintstagedrc*",
      ".gitattributes",
      ".gitmodules",
    ],
  },
  {
    why: "configuration of agents and editors",
    patterns: [
      "AGENTS.md",
      "CLAUDE.md",
      "GEMINI.md",
      ".claude",
      ".codex",
      ".cursor*",
      ".gemini",
      ".qwen",
      ".opencode",
      ".mcp.json",
      ".aider*",
      ".windsurf*",
      ".vscode",
      ".devcontainer*",
      ".envrc",
    ],
  },
];

const matchers = rows.map(({ why, patterns }) => ({ why, matches: protectedMatcher(patterns) }));

/** Why a path is of the class; undefined where it is not. */
export function protectedWhy(path: string): string | undefined {
  return matchers.find(({ matches }) => matches(path))?.why;
}

/** The keys of a package.json that say how tests are started, loaded and measured, or run a command by themselves. */
const testKeys: readonly string[] = [
  "scripts",
  "type",
  "jest",
  "mocha",
  "vitest",
  "ava",
  "tap",
  "c8",
  "nyc",
  "babel",
  "husky",
  "lint-staged",
  "pre-commit",
  "simple-git-hooks",
  "workspaces",
];

/**
 * A package.json as proposed with the base's test keys, or with none where the base has no such file: then `type` stays,
 * which a new package needs to be loaded at all. undefined where either is no JSON object: then the base's goes whole.
 */
export function composePackageJson(proposed: string, base: string | undefined): string | undefined {
  const mine = parseObject(proposed);
  const its = base === undefined ? {} : parseObject(base);
  if (!mine || !its) return undefined;
  const own = Object.entries(mine).filter(([key]) => !testKeys.includes(key) || (base === undefined && key === "type"));
  const kept = Object.entries(its).filter(([key]) => testKeys.includes(key));
  return `${JSON.stringify(Object.fromEntries([...own, ...kept]), null, 2)}\n`;
}

/** Whether two package.json say the same: the order of keys and blanks do not matter to anyone who reads them. */
export function samePackageJson(a: string, b: string): boolean {
  const sorted = (text: string) =>
    JSON.stringify(Object.entries(parseObject(text) ?? {}).sort(([x], [y]) => (x < y ? -1 : 1)));
  return sorted(a) === sorted(b);
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
