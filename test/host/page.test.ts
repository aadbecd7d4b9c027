/** The fold from ledger lines to a page: total over whatever lines come, capped, and printable whatever they say. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { apply } from "../../src/delegation/reduce.ts";
import type { Delegation } from "../../src/domain/delegation.ts";
import type { Entry, EventType } from "../../src/domain/event.ts";
import { events } from "../../src/domain/event.ts";
import { type DelegationPage, delegationPage } from "../../src/domain/page.ts";
import { pageCaps } from "../../src/domain/page-parts.ts";
import { foldDelegation, unreadChain } from "../../src/host/page/delegation-page.ts";
import { listSummaries } from "../../src/host/page/list.ts";
import { briefOf, images } from "../delegation/approved.ts";
import { approval, digest, oid, policyOf, reportOf } from "../gate/samples.ts";

const id = "d-aaaaaaaaaaaaaaaa";
const boxes = ["s-aaaaaaaaaaaaaaaa", "s-bbbbbbbbbbbbbbbb", "s-cccccccccccccccc"];
const hostile = "\u001b]0;x\u0007\u202e<script>=cmd()\u0000\r\n\t\u2028\ud83d";
const begun = Date.parse("2026-03-01T12:00:00.000Z");

let seq = 0;
const entry = (type: EventType, data: object, delegation = id): Entry => {
  seq += 1;
  const time = new Date(begun + seq * 1000).toISOString();
  const parsed = events[type].parse(data);
  return { type, delegation, data: parsed, seq, time, prev: digest("0"), hash: digest("1") } as Entry;
};
const accepted = (of = id, title = "Round half up") =>
  entry(
    "delegation.accepted",
    {
      repository: "/srv/repo",
      base: oid("0"),
      ref: "refs/heads/main",
      planner: "default",
      brief: briefOf({ title }),
      checkFiles: {},
      policy: policyOf(),
      policyDigest: digest("6"),
      briefDigest: digest("2"),
      images,
    },
    of,
  );

/** Lines that a host could write, with texts that a sandbox chose. */
const lines: Record<string, (attempt: number, box: string, text: string) => Entry> = {
  started: () => entry("delegation.started", { lane: 0 }),
  attempt: (attempt) => entry("attempt.started", { attempt, from: oid("0") }),
  box: (attempt, sandbox, text) =>
    entry("sandbox.started", {
      sandbox,
      attempt,
      role: "executor",
      purpose: text.slice(0, 100),
      image: images.executor,
      engine: "docker",
      controls: { network: "none" },
    }),
  ended: (_, sandbox) =>
    entry("sandbox.ended", {
      sandbox,
      end: "exit",
      exit: 0,
      milliseconds: 5,
      output: { bytes: 1, digest: digest("a"), kept: 1 },
    }),
  wrote: (_, sandbox, text) => entry("sandbox.wrote", { sandbox, files: 1, bytes: 1, paths: [text, text] }),
  processes: (_, sandbox, text) =>
    entry("sandbox.processes", {
      sandbox,
      by: "kernel",
      from: new Date(begun).toISOString(),
      whole: true,
      total: 500,
      dropped: 0,
      names: [{ name: "node", count: 500, failed: 0 }],
      processes: Array.from({ length: 500 }, (_one, pid) => ({
        pid,
        ppid: 1,
        uid: 10001,
        name: "node",
        exit: 0,
        started: new Date(begun).toISOString(),
        elapsed: 1,
        cpu: 1,
        memory: 1,
        forked: false,
        core: false,
      })),
      gap: text.slice(0, 300) || "none",
    }),
  claimed: (_, sandbox, text) =>
    entry("sandbox.claimed", { sandbox, by: "harness", total: 1, cut: false, commands: [{ command: text, exit: 1 }] }),
  request: (_, sandbox, text) =>
    entry("request", {
      sandbox,
      method: text.slice(0, 50),
      url: `https://${text}/`,
      decision: text.length % 2 ? "allow" : "deny",
      code: "no-rule",
      rule: text,
      sent: 1,
      received: 2,
      milliseconds: 3,
      secret: text,
    }),
  verb: (_, sandbox, text) => entry("verb", { sandbox, verb: "note", status: 200, text: text.slice(0, 100) }),
  executed: (attempt) => entry("attempt.executed", { attempt, end: "exit" }),
  proposal: (attempt, _, text) =>
    entry("proposal.collected", {
      proposal: {
        attempt,
        commit: oid("c"),
        tree: oid("1"),
        patch: digest("3"),
        patchBytes: 9,
        changes: Array.from({ length: 700 }, (_one, n) => ({ path: `${n}${text}`, kind: "added" })),
        ignored: 0,
      },
    }),
  tests: (attempt, _, text) =>
    entry("tests.reported", {
      attempt,
      digest: digest("4"),
      report: reportOf({
        failToPass: Array.from({ length: 1000 }, (_one, n) => `${text}${n}`),
        checks: [
          {
            id: text,
            criterion: text,
            kind: "absent",
            ok: false,
            found: [{ path: text, line: 1 }],
            detail: text.slice(0, 500),
          },
        ],
        putBack: [{ path: text, why: text }],
        notes: [text],
      }),
    }),
  verdict: (attempt, _, text) =>
    entry("verdict.received", {
      attempt,
      digest: digest("5"),
      verdict: approval({
        decision: "reject",
        criteria: [
          {
            id: text.slice(0, 16),
            status: "unmet",
            evidence: [{ path: `a${text}`, line: 1 }, { check: `A${text}`.slice(0, 30) }],
            why: `w${text}`,
          },
        ],
        feedback: [{ what: `w${text}`, why: `w${text}`, path: text }],
      }),
    }),
  rejected: (attempt, _, text) =>
    entry("attempt.rejected", {
      attempt,
      by: "host",
      hard: false,
      findings: Array.from({ length: 150 }, () => ({
        reason: "tests-failed",
        message: text.repeat(20).slice(0, 4000),
        path: text,
        test: text,
        check: text.slice(0, 90),
        criterion: text,
        place: text.slice(0, 190),
      })),
    }),
  failed: (attempt, _, text) => entry("attempt.failed", { attempt, code: "internal", message: text }),
  stuck: (attempt, _, text) => entry("delegation.stuck", { attempt, reason: text }),
  noted: (attempt, sandbox, text) =>
    entry("budget.noted", { sandbox, role: "executor", attempt, share: 80, text: text.slice(0, 500) }),
};
const kinds = Object.keys(lines);

/** Every text in a page, but those of the approval, which are as they were signed. */
function* textsOf(value: unknown, at = ""): Generator<[string, string]> {
  if (typeof value === "string") yield [at, value];
  else if (value !== null && typeof value === "object")
    for (const [key, one] of Object.entries(value)) if (key !== "predicate") yield* textsOf(one, `${at}.${key}`);
}

function check(page: DelegationPage): void {
  const parsed = delegationPage.safeParse(page);
  expect(parsed.success ? [] : parsed.error.issues.slice(0, 3)).toEqual([]);
  const bad = [...textsOf(page)].filter(([, text]) => /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}]/u.test(text));
  expect(JSON.stringify(bad.slice(0, 3))).toBe("[]");
}

describe("the fold", () => {
  it("takes whatever lines come: each beginning has a page that its schema takes, printable and capped", () => {
    const text = fc.oneof(
      fc.constant(hostile.toWellFormed()),
      fc.string({ maxLength: 60, unit: "binary" }).map((t) => t.toWellFormed()),
    );
    const one = fc.tuple(fc.constantFrom(...kinds), fc.integer({ min: 1, max: 3 }), fc.constantFrom(...boxes), text);
    // Mostly in an order that gets somewhere.
    const orderly = [
      "started",
      "attempt",
      "box",
      "request",
      "processes",
      "wrote",
      "ended",
      "executed",
      "proposal",
      "tests",
      "verdict",
    ];
    fc.assert(
      fc.property(fc.array(one, { maxLength: 25 }), text, (rest, said) => {
        const fold = foldDelegation(id);
        expect(() => fold.page({ chain: unreadChain })).toThrow(/no delegation/);
        fold.add(accepted());
        check(fold.page({ chain: unreadChain }));
        const steps = [...orderly.map((kind) => [kind, 1, boxes[0] as string, said] as const), ...rest];
        let total = 1;
        for (const [kind, attempt, box, words] of steps) {
          try {
            fold.add((lines[kind] as (typeof lines)[string])(attempt, box, words));
            total += 1;
          } catch (error) {
            expect((error as { code?: string }).code).toBe("state-refused");
          }
        }
        const page = fold.page({ chain: unreadChain });
        check(page);
        expect(page.lines.total).toBe(total);
      }),
      { numRuns: 40 },
    );
  }, 120_000);

  it("keeps of very many the first and the last, and counts all", () => {
    const fold = foldDelegation(id);
    for (const one of [accepted(), lines["started"]?.(1, "", ""), lines["attempt"]?.(1, "", "")])
      fold.add(one as Entry);
    fold.add((lines["box"] as (typeof lines)[string])(1, boxes[0] as string, "execute"));
    const first = seq - 3;
    for (let n = 0; n < 5000; n++) {
      fold.add(
        entry("request", {
          sandbox: boxes[0],
          method: "GET",
          url: `https://h${n}.example/`,
          decision: n % 50 === 49 ? "deny" : "allow",
          code: "no-rule",
          rule: "none",
          sent: 1,
          received: 1,
          milliseconds: 1,
        }),
      );
    }
    const page = fold.page({ chain: unreadChain });
    check(page);
    expect(page.requests).toMatchObject({ total: 5000, denied: 100 });
    expect(page.requests.items).toHaveLength(pageCaps.requests);
    expect(page.requests.items.filter(({ decision }) => decision === "deny")).toHaveLength(100);
    expect(page.requests.hosts).toMatchObject({ total: 1001 });
    expect(page.requests.hosts.items).toHaveLength(pageCaps.hosts);
    expect(page.lines.total).toBe(5004);
    expect(page.lines.items[0]?.seq).toBe(first);
    expect(page.lines.items.at(-1)?.seq).toBe(seq);
    expect(page.ledger).toMatchObject({ from: first, to: seq, lines: 5004 });
  });
});

describe("the list", () => {
  it("answers for 10,000 delegations from memory, and its pages stay while new ones come", () => {
    const records = new Map<string, Delegation>();
    const order: { seq: number; id: string }[] = [];
    const add = (n: number) => {
      const named = `d-${n
        .toString(26)
        .replace(/[0-9]/g, (c) => String.fromCharCode(113 + Number(c)))
        .padStart(16, "q")}`;
      const line = accepted(named, `Work number ${n}`);
      apply(records, line);
      order.push({ seq: line.seq, id: named });
      return named;
    };
    for (let n = 0; n < 10_000; n++) add(n);
    const nobody = (): never => {
      throw new Error("not asked for");
    };
    const store = {
      accepted: () => order,
      find: (of: string) => records.get(of),
      record: (of: string) => records.get(of) ?? nobody(),
      plan: nobody,
      findPlan: () => undefined,
      mission: nobody,
    };
    const list = listSummaries({ store, viewPlan: nobody, viewMission: nobody });
    const first = list.page({ limit: 50 });
    expect(first).toMatchObject({ total: 10_000 });
    expect(first.summaries[0]?.title).toBe("Work number 9999");
    add(10_000);
    const second = list.page({ limit: 50, before: first.next as string });
    expect(second.summaries[0]?.title).toBe("Work number 9949");
    expect(second.total).toBe(10_001);
    // Every one once, over all pages.
    const seen = new Set<string>();
    for (let before: string | undefined = "9".repeat(15); before !== undefined; ) {
      const page = list.page({ limit: 200, before });
      for (const one of page.summaries) seen.add(one.id);
      before = page.next;
    }
    expect(seen.size).toBe(10_001);
    expect(list.page({ limit: 50, q: "NUMBER 77" }).total).toBe(280);
    const took: number[] = [];
    for (let run = 0; run < 9; run++) {
      const at = performance.now();
      list.page({ limit: 50, q: "work number 5", state: "accepted" });
      took.push(performance.now() - at);
    }
    // The median of a warm list; a machine under load may be ten times slower.
    expect(took.sort((a, b) => a - b)[4]).toBeLessThan(100);
  });
});
