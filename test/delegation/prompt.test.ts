import { describe, expect, test } from "vitest";
import { credentialsIn, textsIn } from "../../src/delegation/credentials.ts";
import { executorBrief, executorPrompt } from "../../src/delegation/prompt.ts";
import type { Attempt, Delegation } from "../../src/domain/delegation.ts";
import { digest, oid, policyOf } from "../gate/samples.ts";
import { briefOf, images } from "./approved.ts";

const checks = [
  { run: "node hidden-run.mjs", files: ["hidden-run.mjs"] },
  { absent: "hidden-pattern\\(", in: "hidden-folder/**" },
  { test: "hidden > test" },
];
const record = (change: Partial<Delegation> = {}, brief: object = {}): Delegation => ({
  id: "d-aaaaaaaaaaaaaaaa",
  state: "executing",
  accepted: "",
  updated: "",
  attempts: [],
  denials: 0,
  denied: [],
  executor: "scripted",
  sandboxes: [],
  spend: {},
  reservations: {},
  repository: "/srv/hidden-repository",
  base: oid("0"),
  ref: "refs/heads/hidden-ref",
  planner: "hidden-planner",
  brief: briefOf({
    intent: "hidden intent",
    accept: [{ id: "A1", must: "it must be seen", checks }],
    breaks: ["hidden-break"],
    ...brief,
  }),
  checkFiles: { "hidden-run.mjs": "aGlkZGVu" },
  policy: policyOf({ verifier: { harness: "hidden-skeptic", intent: true } }),
  policyDigest: digest("1"),
  briefDigest: digest("2"),
  images,
  ...change,
});
const rejected = (number: number, message: string): Attempt => ({
  number,
  from: oid("0"),
  executor: "scripted",
  rejection: {
    by: "verifier",
    hard: false,
    findings: [{ reason: "verdict-unmet", message, path: "src/a.js", line: 3, criterion: "A1" }],
  },
});

describe("what an executor is told", () => {
  test("its instructions, criteria, and place; no check, intent, verifier, planner or repository", () => {
    const brief = executorBrief(record(), 1);
    const said = JSON.stringify(brief) + executorPrompt(brief);
    for (const shown of ["Change src/sum.mjs.", "it must be seen", "src/**", "report stuck"])
      expect(said).toContain(shown);
    expect(said).not.toMatch(/hidden/i);
  });

  test("the last rejection's feedback with its place, and no older one", () => {
    const brief = executorBrief(record({ attempts: [rejected(1, "first"), rejected(2, "second")] }), 3);
    const said = executorPrompt(brief);
    expect(said).toContain("- src/a.js:3: second");
    expect(said).toContain("attempt 3 of 3");
    expect(said).not.toContain("first");
    expect(executorPrompt(executorBrief(record(), 1))).not.toContain("This is attempt");
  });

  test("a secret that it names, by the variable that holds the placeholder", () => {
    const policy = policyOf({
      secrets: {
        npm: { from: "env:NPM", header: "authorization", env: "NPM_TOKEN" },
        quiet: { from: "env:QUIET", header: "x-key" },
      },
    });
    const instructions = "Use secret://npm. Not secret://quiet, nor secret://other.";
    expect(executorBrief(record({ policy }, { instructions }), 1).instructions).toBe(
      "Use $NPM_TOKEN. Not secret://quiet, nor secret://other.",
    );
  });

  test("an attempt that failed by the host's fault does not hide the feedback before it", () => {
    const failed: Attempt = {
      number: 2,
      from: oid("0"),
      executor: "scripted",
      failure: { code: "internal", message: "host's own trouble" },
    };
    const said = executorPrompt(executorBrief(record({ attempts: [rejected(1, "first"), failed] }), 3));
    expect(said).toContain("first");
    expect(said).not.toContain("host's own trouble");
  });

  test("is one argument that Linux takes, however long the brief", () => {
    const accept = Array.from({ length: 50 }, (_, i) => ({ id: `A${i}`, must: "日".repeat(2000) }));
    const long = record({}, { instructions: `start ${"日".repeat(40_000)}`, accept });
    const said = executorPrompt(executorBrief(long, 1));
    expect(Buffer.byteLength(said)).toBeLessThan(128 * 1024);
    expect(said).toContain("/brief/brief.json");
    expect(said).toContain("report stuck");
    expect(executorBrief(long, 1).instructions).toContain("start");
    expect(executorPrompt(executorBrief(record({}, { instructions: "a\0b" }), 1))).toContain("ab");
  });
});

describe("what looks like a credential", () => {
  const fake = (prefix: string, length: number) => prefix + "a1B2".repeat(40).slice(0, length);
  test.each([
    ["a private key", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn"],
    ["an AWS access key id", "AKIAABCDEFGHIJKLMNOP"],
    ["a GitHub token", fake("ghp_", 36)],
    ["a GitLab token", fake("glpat-", 20)],
    ["an Anthropic key", fake("sk-ant-api03-", 40)],
    ["an OpenAI key", fake("sk-proj-", 48)],
    ["a Google API key", fake("AIza", 35)],
    ["a Slack token", fake("xoxb-", 24)],
    ["an npm token", fake("npm_", 36)],
    ["a JSON web token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"],
    ["a password in a URL", "postgres://app:hunter2hunter2@db.internal/app"],
  ])("%s", (kind, text) => {
    expect(credentialsIn(`use ${text} please`)).toContain(kind);
  });

  test.each([
    "secret://anthropic",
    "set sk-... in the environment",
    "https://example.org:8443/a@b",
    "postgres://app:${DB_PASSWORD}@db/app",
    "git@github.com:owner/name.git",
    "mailto:someone@example.org",
    "-----BEGIN PUBLIC KEY-----",
    "ghp_short",
  ])("and not: %s", (text) => {
    expect(credentialsIn(text)).toEqual([]);
  });

  test("each text is looked at by itself, keys too, at any depth", () => {
    const deep: unknown[] = [];
    let inner = deep;
    for (let i = 0; i < 50_000; i++) {
      const next: unknown[] = [];
      inner.push(next);
      inner = next;
    }
    inner.push("found");
    expect(textsIn([{ key: ["a", 1, null, { b: "c" }] }, deep]).sort()).toEqual(["a", "b", "c", "found", "key"]);
    expect(textsIn({ url: "https://example.org", to: "me:someone@example.org" }).flatMap(credentialsIn)).toEqual([]);
  });
});
