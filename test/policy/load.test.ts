import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkExpectations } from "../../src/policy/expect.ts";
import { explain } from "../../src/policy/explain.ts";
import { listPolicies, loadPolicy, loadPolicyFile, policyDigest } from "../../src/policy/load.ts";

const whole = `version: 1
sandbox: { runtime: runc, cpus: 2, memory: 2GiB, pids: 256, disk: 2GiB }
filesystem: { visible: ["**"], writable: ["src/**"], protected: [.git, CLAUDE.md] }
network: [{ host: a.org }]
budget: { wall: 10m, requests: 200, attempts: 3, patch: 512KiB, output: 16MiB }
verifier: { harness: skeptic, intent: true }
`;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "policy-"));
  await writeFile(join(directory, "whole.yaml"), whole);
});
afterEach(() => rm(directory, { recursive: true, force: true }));
const put = (name: string, text: string) => writeFile(join(directory, `${name}.yaml`), text);
const load = (name: string) => loadPolicy(name, [directory]);
const child = async (text: string) => {
  await put("child", `version: 1\nextends: whole\n${text}`);
  return load("child");
};

describe("extends", () => {
  test("lays the child over the parent field by field; lists are replaced, `protected` only grows", async () => {
    const policy = await child(
      "sandbox: { cpus: 1 }\nfilesystem: { writable: [], protected: [x] }\nnetwork: []\nbudget: { wall: 5m }\nverifier: { intent: false }\n",
    );
    expect(policy).toMatchObject({
      name: "child",
      sandbox: { cpus: 1, memory: 2 * 1024 ** 3 },
      filesystem: { visible: ["**"], writable: [], protected: [".git", "CLAUDE.md", "x"] },
      network: [],
      models: {},
      budget: { wall: 300_000, requests: 200 },
      verifier: { harness: "skeptic", intent: false },
    });
    expect((await child("filesystem: { protected: [] }\n")).filesystem.protected).toEqual([".git", "CLAUDE.md"]);
  });

  test("a cycle, a missing parent and a name that is a path are refused", async () => {
    await put("a", "version: 1\nextends: b\n");
    await put("b", "version: 1\nextends: a\n");
    await expect(load("a")).rejects.toMatchObject({
      code: "policy-invalid",
      message: expect.stringMatching(/b\.yaml:2:10 .*a -> b -> a/),
    });
    await put("c", "version: 1\nextends: nobody\n");
    await expect(load("c")).rejects.toMatchObject({
      code: "policy-invalid",
      message: expect.stringMatching(/c\.yaml:2:10 .*nobody/),
    });
    await put("d", "version: 1\nextends: ../whole\n");
    await expect(load("d")).rejects.toMatchObject({ code: "policy-invalid" });
    await expect(load("../whole")).rejects.toMatchObject({ code: "policy-invalid" });
    await expect(load("none")).rejects.toMatchObject({ code: "not-found", next: expect.stringMatching(/whole/) });
  });

  test("the first directory that has a policy wins, and all are listed once", async () => {
    const second = await mkdtemp(join(tmpdir(), "policy-"));
    try {
      await writeFile(join(second, "whole.yaml"), whole.replace("a.org", "b.org"));
      await writeFile(join(second, "other.yaml"), "version: 1\nextends: whole\n");
      expect((await loadPolicy("other", [directory, second])).network).toEqual([{ host: "a.org" }]);
      expect((await loadPolicy("other", [second, directory])).network).toEqual([{ host: "b.org" }]);
      expect(await listPolicies([directory, second, join(directory, "missing")])).toEqual(["other", "whole"]);
    } finally {
      await rm(second, { recursive: true, force: true });
    }
  });
});

describe("what must be settled is, or is refused by its name", () => {
  test.each(["sandbox.memory", "filesystem.protected", "budget.attempts", "budget.requests", "verifier.harness"])(
    "%s",
    async (key) => {
      const [section = "", field = ""] = key.split(".");
      const text = whole
        .replace(new RegExp(`(${section}: \\{.*?)${field}: (?:\\[[^\\]]*\\]|[^,}]*)[, ]*`), "$1")
        .replace(/, \}/g, " }");
      expect(text).not.toBe(whole);
      await put("part", text);
      await expect(load("part")).rejects.toMatchObject({
        code: "policy-invalid",
        message: expect.stringContaining(`${key}: missing`),
      });
    },
  );

  test.each([
    ["network:\n  - { host: '*' }", /:4:13 .*every host/],
    ["network:\n  - { host: '*.com' }", /top-level/],
    ["network:\n  - { host: '*.co.uk' }", /anyone registered/],
    ["network:\n  - { host: '*.github.io' }", /anyone can put/],
    ["network:\n  - { host: 'a.*.org' }", /only in front/],
    ["network:\n  - { host: 10.0.0.1 }", /IP address/],
    ["network:\n  - { host: 0x7f.1 }", /"127\.0\.0\.1"/],
    ["network:\n  - { host: A.org }", /"a\.org"/],
    ["network:\n  - { host: a.org, addresses: [10.0.0.0/8] }", /not one exact/],
    ["network:\n  - { host: a.org, addresses: ['224.0.0.1'] }", /multicast/],
    ["network:\n  - { host: a.org, paths: ['/a/**b'] }", /\*\*/],
    ["network:\n  - { host: a.org, paths: ['/a%2eb'] }", /escape/],
    ["network:\n  - { host: a.org, paths: ['/a?q=1'] }", /query/],
    ["models:\n  m: { base: 'http://api.example.org' }", /plain http/],
    ["models:\n  m: { base: 'https://10.0.0.1/' }", /addresses/],
    ["models:\n  m: { base: 'https://u:p@example.org/' }", /user information/],
    ["filesystem: { writable: ['src/'] }", /dir\/\*\*/],
    ["filesystem: { writable: ['!(src)'] }", /leading/],
    ["filesystem: { writable: ['a/+(src)'] }", /extended glob/],
    ["tests: { run: x, report: junit, evidence: [] }", /tests\.runner is missing/],
    ["tests: { run: x, report: exit, plant: test, evidence: [] }", /only for/],
    ["tests: { run: x, report: junit, runner: node-test, plant: ../x, evidence: [] }", /without `\.\.`/],
    ["sandbox: { memory: 4 }", /memory.*4/],
    ["sandbox: { runtime: runsc }", /found "runsc", expected runc/],
    ["secrets: { a: { from: 'env:A' } }", /:3:1[0-9] secrets\.a: a secret is carried in exactly one/],
    ["budget: { usd: 0.0000001 }", /budget\.usd: found 1e-7, expected an amount in dollars/],
    ["budget: { usd: -1 }", /budget\.usd: found -1, expected an amount in dollars/],
    ["budget: { usd: 2 }\nmodels: { m: { base: 'https://api.anthropic.com' } }", /:4:11 models\.m: say its `prices`/],
    ["budget: { tokens: 2M }\nmodels: { m: { base: 'https://a.example.org' } }", /:4:11 models\.m: say its `protocol`/],
    ["budget: { attempts: 0 }", /at least 1/],
    ["network:\n  - { host: a.org, tls: closed }", /tls: found "closed", expected one of open, passthrough/],
    ["network:\n  - { host: a.org, tls: passthrough, paths: ['/a'] }", /paths cannot be seen in a tunnel/],
    ["network:\n  - { host: a.org, query: { a: '**' } }", /one `\*` is any run/],
  ])("%j is refused with its line", async (text, message) => {
    await expect(child(text)).rejects.toMatchObject({
      code: "policy-invalid",
      message: expect.stringMatching(message),
      at: expect.stringMatching(/child\.yaml:\d+:\d+$/),
    });
  });

  test.each([
    "network:\n  - { host: '*.example.org', paths: ['/a/**', '/b/'] }",
    "network:\n  - { host: 10.0.0.1, addresses: [10.0.0.1] }",
    "models:\n  m: { base: 'http://model.internal:8080/v1', addresses: [10.0.0.1] }",
    "models:\n  m: { base: 'https://api.example.org/v1' }",
    "tests: { run: x, report: junit, runner: node-test, plant: test/more, evidence: ['test/**'] }",
    "tests: { run: x, report: exit, evidence: [] }",
    "budget: { requests: 0 }",
  ])("%j is taken", async (text) => {
    expect((await child(text)).version).toBe(1);
  });
});

test("the digest follows what is enforced, and not how it is written", async () => {
  const before = policyDigest(await load("whole"));
  expect(before).toMatch(/^[0-9a-f]{64}$/);
  await put("whole", `# a comment\n${whole.replace("2GiB", "2048MiB")}`);
  expect(policyDigest(await load("whole"))).toBe(before);
  await put("whole", whole.replace("cpus: 2", "cpus: 3"));
  expect(policyDigest(await load("whole"))).not.toBe(before);
});

test("a policy's own expectations are checked, each failure with its reason and line", async () => {
  await put(
    "own",
    `version: 1\nextends: whole\nexpect:\n  - { request: "GET https://a.org/", is: allow }\n  - { request: "GET https://b.org/", is: allow }\n  - { request: "GET https://a.org/", is: deny }\n`,
  );
  const own = await loadPolicyFile(join(directory, "own.yaml"));
  const failures = checkExpectations(own.policy, own.expect);
  expect(failures).toMatchObject([
    { index: 1, expected: "allow", decided: { allow: false, code: "no-rule" } },
    { index: 2, expected: "deny", decided: { allow: true, rule: "network[0] a.org" } },
  ]);
  expect(own.whereExpected(1)).toMatch(/own\.yaml:5:5$/);
});

test("an explanation says what is decided, forwarded, and what would change it", async () => {
  const policy = await child("models:\n  m: { base: 'https://api.example.org/v1' }\n");
  expect(explain(policy, "get", "https://A.org/x/../y?q")).toMatchObject({
    allow: true,
    rule: "network[0] a.org",
    request: { path: "/y", query: "q" },
  });
  const denied = explain(policy, "POST", "https://api.example.org/v1/messages");
  expect(denied).toMatchObject({
    allow: false,
    code: "no-rule",
    next: '- { host: api.example.org, scheme: https, methods: [POST], paths: ["/v1/messages"] }',
  });
  expect(denied.text.join("\n")).toMatch(/model route `m`/);
  expect(explain(policy, "GET", "https://u@a.org/")).toMatchObject({
    allow: false,
    code: "malformed",
    request: undefined,
  });
});
