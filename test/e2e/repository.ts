/** Small real git repositories with a library and its node:test tests, owned by a user that is neither daemon nor sandbox. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The owner of the host repositories. */
export const owner = { uid: 23456, gid: 23456 };

const environment = {
  PATH: process.env.PATH ?? "/usr/bin:/bin",
  LC_ALL: "C.UTF-8",
  HOME: "/nonexistent",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.org",
  GIT_AUTHOR_DATE: "1700000000 +0000",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.org",
  GIT_COMMITTER_DATE: "1700000000 +0000",
};

export interface TestRepository {
  path: string;
  /** The commit of `main`. */
  head: string;
  /** Runs git in it as its owner; gives what it prints. */
  git(...args: string[]): string;
  /** Every ref with its object, and every file of the checkout with its content's hash: what must not change. */
  fingerprint(): string;
}

/** A library of one function whose rounding is wrong, with a green test. */
export const library: Readonly<Record<string, string>> = {
  "package.json": '{ "name": "money", "private": true, "type": "module", "scripts": { "test": "node --test" } }\n',
  "README.md": "# money\n",
  "src/money.js": "export function cents(x) {\n  return Math.floor(x * 100);\n}\n",
  "test/money.test.js":
    'import test from "node:test";\nimport assert from "node:assert/strict";\nimport { cents } from "../src/money.js";\n\ntest("whole amounts", () => assert.equal(cents(2), 200));\n',
};

/** Makes a repository at `path` with one commit on `main`; `bare` makes a bare one. */
export function makeRepository(
  path: string,
  files: Readonly<Record<string, string | Buffer>> = library,
  options: { bare?: boolean } = {},
): TestRepository {
  const work = options.bare ? `${path}.work` : path;
  const git = (cwd: string, ...args: string[]) =>
    execFileSync("git", ["-c", "safe.directory=*", ...args], { cwd, env: environment, ...owner, timeout: 30_000 })
      .toString("utf8")
      .trimEnd();
  mkdirSync(work, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(work, name)), { recursive: true });
    writeFileSync(join(work, name), content);
  }
  chmodSync(work, 0o755);
  execFileSync("chown", ["-R", `${owner.uid}:${owner.gid}`, work]);
  git(work, "init", "--quiet", "--initial-branch=main");
  git(work, "add", "--all", "--force");
  git(work, "commit", "--quiet", "--message", "first");
  if (options.bare) {
    mkdirSync(path, { recursive: true });
    chownSync(path, owner.uid, owner.gid);
    git(work, "clone", "--quiet", "--bare", work, path);
    execFileSync("rm", ["-rf", work]);
  }
  const fingerprint = () => {
    const refs = git(path, "for-each-ref", "--format=%(refname) %(objectname)");
    if (options.bare) return refs;
    const skip = ["-path", "./.git", "-prune", "-o"];
    const content = execFileSync("find", [".", ...skip, "-type", "f", "-exec", "sha256sum", "{}", "+"], { cwd: path });
    const modes = execFileSync("find", [".", ...skip, "-printf", "%p %y %m %u %l\\n"], { cwd: path });
    return [refs, ...`${content}${modes}`.split("\n").sort()].join("\n");
  };
  return { path, head: git(path, "rev-parse", "main"), git: (...args) => git(path, ...args), fingerprint };
}
