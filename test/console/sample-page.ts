/** A delegation's page with something in every part of it, as the schema has it. */
import { type DelegationPage, delegationPage } from "../../src/domain/page.ts";

const hash = (letter: string) => letter.repeat(64);
const object = (letter: string) => letter.repeat(40);
const image = `sha256:${hash("1")}`;
const at = (second: number) => `2026-03-01T10:00:${String(second).padStart(2, "0")}.000Z`;
const amounts = {
  requests: 7,
  modelRequests: 3,
  tokens: 1200,
  microusd: 4200,
  list: 8400,
  saved: 4200,
  inexact: 1,
  milliseconds: 42_000,
};
const list = <T>(...items: T[]) => ({ total: items.length, items });
const none = { total: 0, items: [] };

const patch = `diff --git a/src/money.js b/src/money.js
index 1111111..2222222 100644
--- a/src/money.js
+++ b/src/money.js
@@ -1,3 +1,3 @@
 export function cents(x) {
-  return Math.floor(x * 100);
+  return Math.round(x * 100);
 }
diff --git a/src/new.js b/src/new.js
new file mode 100644
index 0000000..3333333
--- /dev/null
+++ b/src/new.js
@@ -0,0 +1 @@
+export const half = 0.5;
\\ No newline at end of file
`;

const sandbox = {
  id: "s-aaaaaaaaaaaaaaaa",
  role: "executor" as const,
  attempt: 1,
  purpose: "work",
  image,
  engine: "docker 24.0",
  controls: { network: "none", capabilities: [], readonlyRootfs: true, pids: 128 },
  started: at(2),
  seq: 12,
  end: "exit",
  exit: 0,
  milliseconds: 12_000,
  output: { bytes: 120, digest: hash("2") },
  wrote: { files: 2, bytes: 300, paths: ["src/money.js", "src/new.js"] },
  requests: 2,
  denied: 1,
  processes: 3,
};

/** The page; it is checked against its schema. */
export function samplePage(): DelegationPage {
  return delegationPage.parse({
    summary: {
      id: "d-aaaaaaaaaaaaaaaa",
      kind: "delegation",
      title: "Round half up",
      state: "landed",
      rests: true,
      executor: "scripted",
      model: "small-1",
      policy: "quick",
      repository: "/srv/git/money.git",
      base: object("a"),
      ref: "refs/heads/main",
      created: at(0),
      updated: at(50),
      attempts: 1,
      attemptsMax: 2,
      spend: { requests: 7, tokens: 1200, microusd: 4200 },
      denied: 1,
      landed: { ref: "refs/heads/main", commit: object("c") },
      planner: "default",
    },
    policy: { name: "quick", digest: hash("3") },
    verifiers: [{ harness: "skeptic", image }],
    brief: {
      digest: hash("4"),
      intent: "A cent is lost.",
      instructions: "Round it.",
      criteria: [{ id: "A1", must: "cents() rounds to the nearest cent", checks: ["node check.mjs"] }],
      scope: {
        writable: ["src/**"],
        visible: ["**"],
        protected: [".git/**"],
        network: ["GET registry.npmjs.org/**"],
        models: ["main"],
        secrets: ["npm"],
        actions: ["publish"],
      },
      breaks: ["old rounding"],
    },
    timeline: list(
      { seq: 10, time: at(0), kind: "decision", title: "accepted", tone: "plain" },
      { seq: 12, time: at(2), kind: "sandbox", title: "executor", detail: "work", tone: "plain", milliseconds: 12_000 },
      { seq: 30, time: at(50), kind: "landing", title: "landed", tone: "good" },
    ),
    attempts: list({
      number: 1,
      executor: "scripted",
      model: "small-1",
      image,
      reasons: ["it did best at code"],
      started: at(1),
      outcome: "approved",
      by: "verifier",
      end: "exit",
      findings: list({ reason: "verdict-unmet", message: "half a cent goes down", path: "src/money.js", line: 2 }),
      notes: list({ reason: "verdict-reject", message: "a note" }),
      proposal: {
        commit: object("d"),
        tree: object("e"),
        patch: { digest: hash("5"), bytes: patch.length, text: patch },
        changes: list({ path: "src/money.js", kind: "modified" }, { path: "src/new.js", kind: "added" }),
        ignored: 1,
      },
      tests: {
        digest: hash("6"),
        tested: true,
        failToPass: list("parts of a cent"),
        passToPass: list("whole amounts"),
        broken: none,
        disappeared: none,
        newlySkipped: none,
        unproven: list("always true"),
        flaky: none,
        runs: [
          {
            what: "base",
            tree: object("f"),
            green: false,
            ended: "exit",
            exit: 1,
            milliseconds: 900,
            tests: 2,
            passed: 1,
            failed: 1,
            skipped: 0,
            tail: "not ok 1\nparts of a cent",
          },
        ],
        checks: list({ id: "A1.1", criterion: "A1", kind: "run", ok: true, found: [], detail: "" }),
        putBack: list({ path: "package.json", why: "configuration" }),
        notes: ["slow"],
        coverage: { lines: 2, covered: 1 },
      },
      verdicts: [
        {
          by: "skeptic",
          member: false,
          digest: hash("7"),
          decision: "approve",
          criteria: [
            {
              id: "A1",
              must: "cents() rounds to the nearest cent",
              status: "met",
              why: "the line rounds",
              evidence: [
                { path: "src/money.js", line: 2 },
                { path: "src/money.js", line: 2, side: "old" },
                { test: "parts of a cent" },
                { check: "A1.1" },
              ],
            },
          ],
          refutations: [{ tried: "a negative amount", how: "node -e", found: false, detail: "-1 is -100" }],
          feedback: [{ path: "src/new.js", line: 1, what: "nobody uses it", why: "dead code" }],
        },
      ],
      sandboxes: list(sandbox),
    }),
    requests: {
      total: 2,
      denied: 1,
      items: [
        {
          seq: 13,
          time: at(3),
          sandbox: sandbox.id,
          role: "executor",
          method: "GET",
          url: "https://registry.npmjs.org/left-pad",
          decision: "allow",
          code: "allowed",
          rule: "network[0] registry.npmjs.org",
          status: 200,
          secret: "npm",
          sent: 200,
          received: 3000,
          milliseconds: 90,
        },
        {
          seq: 14,
          time: at(4),
          sandbox: sandbox.id,
          role: "executor",
          method: "POST",
          url: "https://evil.example/take",
          decision: "deny",
          code: "no-rule",
          rule: "none",
          sent: 0,
          received: 0,
          milliseconds: 1,
        },
      ],
      hosts: list({ host: "evil.example", allowed: 0, denied: 1, sent: 0, received: 0, secrets: [] }),
    },
    processes: {
      total: 3,
      dropped: 1,
      sandboxes: [
        {
          sandbox: sandbox.id,
          role: "executor",
          attempt: 1,
          from: at(2),
          whole: false,
          total: 3,
          dropped: 1,
          names: list({ name: "node", count: 2, failed: 1 }),
          gap: "one record was dropped",
        },
      ],
      items: [
        {
          sandbox: sandbox.id,
          seq: 15,
          pid: 7,
          ppid: 1,
          uid: 10001,
          name: "node",
          exit: 1,
          started: at(3),
          elapsed: 900,
          cpu: 300,
          memory: 4000,
          forked: false,
          core: false,
        },
        {
          sandbox: sandbox.id,
          seq: 15,
          pid: 9,
          ppid: 7,
          uid: 10001,
          name: "sh",
          signal: 9,
          started: at(3),
          elapsed: 20,
          cpu: 10,
          memory: 400,
          forked: true,
          core: false,
        },
      ],
    },
    claims: list({ sandbox: sandbox.id, seq: 9, command: "npm test", exit: 0 }),
    budget: {
      limits: { wall: 60_000, attempts: 2, usd: 2_000_000 },
      tiers: [{ tier: "execute", ...amounts, rejected: amounts }],
      total: { ...amounts, rejected: amounts },
    },
    approval: {
      attempt: 1,
      digest: hash("8"),
      predicate: {
        repository: "/srv/git/money.git",
        ref: "refs/heads/main",
        delegation: "d-aaaaaaaaaaaaaaaa",
        attempt: 1,
        base: object("a"),
        tree: object("e"),
        brief: hash("4"),
        patch: hash("5"),
        testReport: hash("6"),
        verdict: hash("7"),
        policy: hash("3"),
        images: { executor: image, tester: image, verifier: image },
        verifier: { harness: "skeptic", image },
        issued: at(40),
        expires: at(59),
      },
      keyids: [hash("9")],
      verified: true,
      why: "signed by the host's key, and it names this tree",
      replaces: [hash("0")],
    },
    landing: list({ seq: 30, time: at(50), text: "landed on main", tone: "good" }),
    actions: [{ action: "publish", run: 1, begun: at(51), outcome: "done", exit: 0, message: "published" }],
    ledger: {
      from: 10,
      to: 31,
      lines: 22,
      whole: {
        state: "whole",
        upTo: 40,
        hash: hash("b"),
        signedUpTo: 31,
        keyids: [hash("9")],
        cannotProve: "that lines after the last signed one were not cut off",
        checked: at(59),
      },
    },
    lines: list({ seq: 30, time: at(50), type: "delegation.landed", text: "LANDED", hash: hash("b") }),
  });
}

/** Strings that ask a reader's program to do something: a browser, a terminal, whoever reads from the other side. */
export const hostile =
  '</td></script><script>globalThis.pwned=1</script><img src=x onerror="globalThis.pwned=1"><style>*{display:none}</style>' +
  "javascript:globalThis.pwned=1 &lt;b&gt; \u001b]0;owned\u0007\u001b[2J \u202eyllanosrep\u2066 \u200b\u{e0041} \ud800 {{7*7}} ${7*7}";

/** The same value with the hostile text at the end of every string in it, names of records too; words of a closed list stay. */
export function poisoned<T>(value: T): T {
  const words =
    /^(delegation|landed|executor|approved|added|modified|allow|deny|met|good|plain|base|run|approve|whole)$/;
  const turn = (one: unknown): unknown => {
    if (typeof one === "string") return words.test(one) || /^\d{4}-\d\d-\d\dT/.test(one) ? one : `${one} ${hostile}`;
    if (Array.isArray(one)) return one.map(turn);
    if (one !== null && typeof one === "object")
      return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, turn(inner)]));
    return one;
  };
  return turn(value) as T;
}
