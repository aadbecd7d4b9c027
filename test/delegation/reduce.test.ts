import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { isUnfinished, step } from "../../src/delegation/reduce.ts";
import type { Dated } from "../../src/delegation/refuse-event.ts";
import { type Attempt, type Delegation, endStates, type State, states } from "../../src/domain/delegation.ts";
import type { Event, EventType } from "../../src/domain/event.ts";
import { approval, digest, oid, policyOf, reportOf } from "../gate/samples.ts";
import { briefOf, images } from "./approved.ts";

const id = "d-aaaaaaaaaaaaaaaa";
const time = "2026-03-01T12:00:00.000Z";
const predicate = {
  repository: "/srv/repo",
  ref: "refs/heads/main",
  delegation: id,
  attempt: 1,
  base: oid("0"),
  tree: oid("1"),
  brief: digest("2"),
  patch: digest("3"),
  testReport: digest("4"),
  verdict: digest("5"),
  policy: digest("6"),
  images,
  verifier: { harness: "skeptic", image: images.verifier },
  issued: time,
  expires: time,
};
const envelope = {
  payloadType: "application/vnd.in-toto+json" as const,
  payload: "e30=",
  signatures: [{ keyid: "k", sig: "c2ln" }],
};
const finding = { reason: "tests-failed" as const, message: "red" };
const proposal = {
  attempt: 1,
  commit: oid("c"),
  tree: oid("1"),
  patch: digest("3"),
  patchBytes: 9,
  changes: [],
  ignored: 0,
};
const approvedData = { attempt: 1, approval: envelope, digest: digest("a"), predicate };
const intent = { attempt: 1, approval: digest("a"), ref: "refs/heads/main", from: oid("0"), commit: oid("d") };

/** One of each event that belongs to a delegation, of attempt 1. */
const samples = {
  "delegation.accepted": {
    repository: "/srv/repo",
    base: oid("0"),
    ref: "refs/heads/main",
    planner: "default",
    brief: briefOf(),
    checkFiles: {},
    policy: policyOf(),
    policyDigest: digest("6"),
    briefDigest: digest("2"),
    images,
  },
  "delegation.started": { lane: 0 },
  "attempt.started": { attempt: 1, from: oid("0") },
  "attempt.executed": { attempt: 1, end: "exit" },
  "proposal.collected": { proposal },
  "tests.reported": { attempt: 1, report: reportOf(), digest: digest("4") },
  "verdict.received": { attempt: 1, verdict: approval(), digest: digest("5") },
  "delegation.approved": approvedData,
  "landing.intended": intent,
  "landing.abandoned": { reason: "moved" },
  "delegation.landed": { ref: "refs/heads/main", commit: oid("d"), approval: digest("a") },
  "attempt.rejected": { attempt: 1, by: "host", hard: false, findings: [finding] },
  "attempt.failed": { attempt: 1, code: "internal", message: "cut" },
  "delegation.rejected": { hard: false, message: "no" },
  "delegation.stuck": { attempt: 1, reason: "cannot" },
  "delegation.over-budget": { attempt: 1, what: "wall time" },
  "delegation.discarded": { by: "planner" },
  "delegation.failed": { code: "internal", message: "broken" },
} as const satisfies Partial<Record<EventType, object>>;
type Sample = keyof typeof samples;
const names = Object.keys(samples) as Sample[];
const event = (type: Sample, data: object = {}): Dated =>
  ({ type, delegation: id, time, data: { ...samples[type], ...data } }) as Dated;

const fold = (events: Dated[]) => events.reduce<Delegation | undefined>(step, undefined);
const path: Sample[] = [
  "delegation.accepted",
  "delegation.started",
  "attempt.started",
  "attempt.executed",
  "proposal.collected",
  "tests.reported",
];
const reached: Partial<Record<State, Dated[]>> = {};
beforeAll(() => {
  const upTo = (count: number) => path.slice(0, count).map((type) => event(type));
  const verified = [...upTo(6), event("verdict.received")];
  const approved = [...verified, event("delegation.approved")];
  Object.assign(reached, {
    accepted: upTo(1),
    preparing: upTo(2),
    executing: upTo(3),
    collecting: upTo(4),
    testing: upTo(5),
    verifying: verified,
    approved,
    landed: [...approved, event("landing.intended"), event("delegation.landed")],
    rejected: [...upTo(2), event("delegation.rejected")],
    "rejected-hard": [...upTo(6), event("delegation.rejected", { hard: true })],
    stuck: [...upTo(4), event("delegation.stuck")],
    "over-budget": [...upTo(4), event("delegation.over-budget")],
    discarded: [...upTo(1), event("delegation.discarded")],
    failed: [...upTo(2), event("delegation.failed")],
  } satisfies Record<State, Dated[]>);
});

const live: State[] = ["preparing", "executing", "collecting", "testing", "verifying"];
/** Which event may come in which state, beside what it says. */
const allowed: Record<Sample, State[]> = {
  "delegation.accepted": [],
  "delegation.started": ["accepted", "preparing"],
  "attempt.started": ["preparing"],
  "attempt.executed": ["executing"],
  "proposal.collected": ["collecting"],
  "tests.reported": ["testing"],
  "verdict.received": [],
  "delegation.approved": ["verifying"],
  "landing.intended": ["approved"],
  "landing.abandoned": [],
  "delegation.landed": [],
  "attempt.rejected": ["executing", "collecting", "testing", "verifying"],
  "attempt.failed": ["executing", "collecting", "testing", "verifying"],
  "delegation.rejected": live,
  "delegation.stuck": ["preparing", "executing", "collecting"],
  "delegation.over-budget": live,
  "delegation.discarded": ["accepted", ...live, "approved"],
  "delegation.failed": ["accepted", ...live],
};

const outcome = (record: Delegation | undefined, next: Dated): string => {
  try {
    return step(record, next)?.state ?? "none";
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe("every event in every state", () => {
  test.each(states)("%s is reached", (state) => {
    const record = fold(reached[state] ?? []);
    expect(record?.state).toBe(state);
    if (record) expect(isUnfinished(record)).toBe(!endStates.has(state) && state !== "approved");
  });

  test.each(states.flatMap((state) => names.map((name) => [state, name] as const)))("%s: %s", (state, name) => {
    const found = outcome(fold(reached[state] ?? []), event(name));
    if (allowed[name].includes(state)) expect(found).not.toBe("state-refused");
    else expect(found).toBe("state-refused");
  });

  test.each(names.filter((name) => name !== "delegation.accepted"))("no delegation: %s is refused", (name) => {
    expect(outcome(undefined, event(name))).toBe("state-refused");
  });
});

describe("an event that speaks of something else is refused", () => {
  const at = (state: State, ...more: Dated[]) => fold([...(reached[state] ?? []), ...more]);
  const unverified = () => fold(path.map((type) => event(type)));
  const second = "refs/heads/other";
  const carried = (data: object = {}) =>
    event("delegation.approved", {
      digest: digest("b"),
      predicate: { ...predicate, ref: second, replaces: digest("a"), ...data },
    });

  test.each<[string, () => Delegation | undefined, Dated]>([
    ["another attempt's end", () => at("executing"), event("attempt.executed", { attempt: 2 })],
    ["the third attempt after the first", () => at("preparing"), event("attempt.started", { attempt: 3 })],
    [
      "another attempt's proposal",
      () => at("collecting"),
      event("proposal.collected", { proposal: { ...proposal, attempt: 2 } }),
    ],
    ["another attempt's report", () => at("testing"), event("tests.reported", { attempt: 2 })],
    ["a second verdict", () => at("verifying"), event("verdict.received")],
    ["an approval without a verdict", unverified, event("delegation.approved")],
    [
      "an approval against the verdict",
      () => step(unverified(), event("verdict.received", { verdict: approval({ decision: "reject" }) })),
      event("delegation.approved"),
    ],
    [
      "an approval of another tree",
      () => at("verifying"),
      event("delegation.approved", { predicate: { ...predicate, tree: oid("e") } }),
    ],
    [
      "an approval of another base",
      () => at("verifying"),
      event("delegation.approved", { predicate: { ...predicate, base: oid("e") } }),
    ],
    [
      "an approval of another repository",
      () => at("verifying"),
      event("delegation.approved", { predicate: { ...predicate, repository: "/srv/x" } }),
    ],
    [
      "an approval of another delegation",
      () => at("verifying"),
      event("delegation.approved", { predicate: { ...predicate, delegation: "d-bbbbbbbbbbbbbbbb" } }),
    ],
    ["the same approval again", () => at("approved"), event("delegation.approved")],
    ["one carried over that names no other", () => at("approved"), carried({ replaces: undefined })],
    ["one carried over from another", () => at("approved"), carried({ replaces: digest("f") })],
    ["one carried over while the first lands", () => at("approved", event("landing.intended")), carried()],
    ["a landing under another approval", () => at("approved"), event("landing.intended", { approval: digest("f") })],
    ["a landing on another target", () => at("approved"), event("landing.intended", { ref: second })],
    ["a second landing", () => at("approved", event("landing.intended")), event("landing.intended")],
    ["landed without an intent", () => at("approved"), event("delegation.landed")],
    [
      "landed something else",
      () => at("approved", event("landing.intended")),
      event("delegation.landed", { commit: oid("e") }),
    ],
    [
      "landed somewhere else",
      () => at("approved", event("landing.intended")),
      event("delegation.landed", { ref: second }),
    ],
    ["discarded while it lands", () => at("approved", event("landing.intended")), event("delegation.discarded")],
    ["a landing abandoned that was not begun", () => at("approved"), event("landing.abandoned")],
  ])("%s", (_, record, next) => {
    expect(outcome(record(), next)).toBe("state-refused");
  });

  test.each<[string, Dated[], State]>([
    ["landed as intended", [event("landing.intended"), event("delegation.landed")], "landed"],
    [
      "intended again after it was abandoned",
      [event("landing.intended"), event("landing.abandoned"), event("landing.intended"), event("delegation.landed")],
      "landed",
    ],
    [
      "carried over, then landed there",
      [
        carried(),
        event("landing.intended", { ref: second, approval: digest("b") }),
        event("delegation.landed", { ref: second, approval: digest("b") }),
      ],
      "landed",
    ],
    [
      "discarded after an abandoned landing",
      [event("landing.intended"), event("landing.abandoned"), event("delegation.discarded")],
      "discarded",
    ],
  ])("and the benign twin: %s", (_, more, state) => {
    expect(at("approved", ...more)?.state).toBe(state);
  });
});

test("the models that an executor asks are all known, each once", () => {
  const asks = (model: string, role: "executor" | "verifier" = "executor"): Dated => ({
    type: "budget.reserved",
    delegation: id,
    time,
    data: {
      sandbox: "s-aaaaaaaaaaaaaaaa",
      role,
      attempt: 1,
      reservation: "r-aaaaaaaaaaaaaaaa",
      route: "m",
      model,
      accounts: [],
      tokens: 1,
      microusd: 1,
      list: 1,
    },
  });
  let record: Delegation | undefined;
  const lived = [event("delegation.accepted"), event("delegation.started"), event("attempt.started")];
  for (const one of [...lived, asks("a"), asks("b"), asks("a"), asks("b"), asks("c"), asks("z", "verifier")])
    record = step(record, one);
  expect(record?.attempts[0]).toMatchObject({ model: "a", others: ["b", "c"] });
});

describe("a panel", () => {
  const judge = (harness: string) => ({ harness, image: images.verifier });
  const panel = ["ada", "bob", "eve"].map(judge);
  const policy = policyOf({
    verifier: { harness: "skeptic", intent: true, panel: { of: ["ada", "bob", "eve"], approve: 2 } },
  });
  const accepted = {
    ...event("delegation.accepted"),
    data: { ...samples["delegation.accepted"], policy, panel },
  } as Dated;
  const says = (harness: string, decision: "approve" | "reject" = "approve") =>
    event("verdict.received", { member: judge(harness), verdict: approval({ decision }) });
  const from = (first: Dated, more: Dated[]) => {
    const order = [
      "delegation.started",
      "attempt.started",
      "attempt.executed",
      "proposal.collected",
      "tests.reported",
    ] as const;
    let record: Delegation | undefined;
    for (const one of [first, ...order.map((name) => event(name)), ...more]) record = step(record, one);
    return record;
  };
  const judged = (...more: Dated[]) => from(accepted, more);
  const whole = event("verdict.received");

  test("approves with so many of its members, each once, and then as a whole", () => {
    const record = judged(says("ada"), says("bob", "reject"), says("eve"), whole, event("delegation.approved"));
    expect(record?.state).toBe("approved");
    expect(record?.attempts[0]?.panel?.map((one) => [one.harness, one.verdict.decision])).toEqual([
      ["ada", "approve"],
      ["bob", "reject"],
      ["eve", "approve"],
    ]);
  });

  test.each<[string, Dated[]]>([
    ["a member twice", [says("ada"), says("ada")]],
    ["a stranger", [says("mallory")]],
    ["the whole before any member", [whole]],
    ["a member after the whole", [says("ada"), whole, says("bob")]],
    ["an approval by too few", [says("ada"), says("bob", "reject"), whole, event("delegation.approved")]],
    ["an approval without the whole", [says("ada"), says("bob"), event("delegation.approved")]],
  ])("refuses %s", (_, more) => expect(() => judged(...more)).toThrow(/not possible now/));

  test("a merge that was judged anew is approved by enough of those who judged it, whoever approved the attempt", () => {
    const before = judged(says("ada"), says("bob"), whole, event("delegation.approved")) as Delegation;
    const { proposal: made, report } = before.attempts[0] as Attempt;
    const verdict = approval();
    const panelOf = (...decisions: ("approve" | "reject")[]) =>
      decisions.map((decision, at) => ({ ...panel[at], verdict: approval({ decision }) }));
    const approve = (...decisions: ("approve" | "reject")[]) => {
      const preparing = {
        attempt: 1,
        ref: before.approval?.predicate.ref,
        onto: "a".repeat(40),
        commit: made?.commit,
        tree: made?.tree,
        patch: digest("4"),
        verify: true,
        report,
        reportDigest: digest("5"),
        verdict,
        verdictDigest: digest("6"),
        panel: panelOf(...decisions),
      };
      const said = { base: preparing.onto, patch: digest("4"), testReport: digest("5"), verdict: digest("6") };
      const next = { ...predicate, ...said, replaces: before.approval?.digest };
      const data = { ...samples["delegation.approved"], predicate: next, digest: digest("7") };
      return () => step({ ...before, preparing } as Delegation, { ...event("delegation.approved"), data } as Dated);
    };
    expect(approve("approve", "approve", "reject")).not.toThrow();
    expect(approve("approve", "reject", "reject")).toThrow(/approved by 1 of its panel/);
    expect(approve()).toThrow(/approved by 0 of its panel/);
  });

  test("a member's verdict is refused where there is no panel", () => {
    expect(() => from(event("delegation.accepted"), [says("ada")])).toThrow(/another panel/);
  });
});

describe("any sequence of events", () => {
  const any = fc
    .tuple(fc.constantFrom(...names), fc.integer({ min: 1, max: 3 }), fc.boolean())
    .map(([name, attempt, vary]) => {
      const own = samples[name] as { attempt?: number };
      const data: Record<string, unknown> = own.attempt === undefined ? {} : { attempt };
      if (name === "proposal.collected") data["proposal"] = { ...proposal, attempt };
      if (name === "delegation.approved")
        data["predicate"] = { ...predicate, attempt, ...(vary ? { replaces: digest("a") } : {}) };
      if (name === "verdict.received" && vary) data["verdict"] = approval({ decision: "reject" });
      return event(name, data);
    });

  test("never lands without an approval of an approving verdict, never twice, and ends stay ends", {
    timeout: 60_000,
  }, () => {
    const steered = fc.array(
      fc.oneof({ weight: 1, arbitrary: any }, { weight: 12, arbitrary: fc.constant(undefined) }),
      { maxLength: 60 },
    );
    let landedRuns = 0;
    fc.assert(
      fc.property(steered, (choices) => {
        let record: Delegation | undefined;
        const taken: Event["type"][] = [];
        for (const choice of choices) {
          // Left open, it is what would come next in an ordinary life: so that deep states are reached.
          const next = choice ?? event(ordinary(record));
          const before = record;
          try {
            record = step(record, next);
          } catch (error) {
            expect((error as { code: string }).code).toBe("state-refused");
            continue;
          }
          if (record === before) continue;
          taken.push(next.type);
          if (before && endStates.has(before.state)) throw new Error(`${before.state} was left by ${next.type}`);
          if (record?.state === "approved") expect(record.attempts.at(-1)?.verdict?.decision).toBe("approve");
        }
        if (record?.state !== "landed") return;
        landedRuns += 1;
        const of = (type: Event["type"]) => taken.filter((t) => t === type).length;
        expect(of("delegation.landed")).toBe(1);
        expect(of("landing.intended") - of("landing.abandoned")).toBe(1);
        expect(taken.indexOf("delegation.approved")).toBeLessThan(taken.indexOf("landing.intended"));
        expect(taken.lastIndexOf("verdict.received")).toBeLessThan(taken.indexOf("delegation.approved"));
      }),
      { numRuns: 3000 },
    );
    expect(landedRuns).toBeGreaterThan(20);
  });

  function ordinary(record: Delegation | undefined): Sample {
    const next: Partial<Record<State, Sample>> = {
      accepted: "delegation.started",
      preparing: "attempt.started",
      executing: "attempt.executed",
      collecting: "proposal.collected",
      testing: "tests.reported",
    };
    if (!record) return "delegation.accepted";
    if (record.state === "verifying")
      return record.attempts.at(-1)?.verdict ? "delegation.approved" : "verdict.received";
    if (record.state === "approved") return record.intent ? "delegation.landed" : "landing.intended";
    return next[record.state] ?? "delegation.discarded";
  }
});
