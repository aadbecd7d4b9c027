import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import type { Brief } from "../../src/domain/brief.ts";
import { type NetworkRule, networkRule, type Policy } from "../../src/domain/policy.ts";
import { showAsked } from "../../src/policy/asked.ts";
import { compileRules, decideRequest } from "../../src/policy/decide.ts";
import { diffPolicies, widens } from "../../src/policy/diff.ts";
import { rulesBeyond } from "../../src/policy/diff-rules.ts";
import { explain } from "../../src/policy/explain.ts";
import { shadowedRules } from "../../src/policy/idle-rules.ts";
import { narrowPolicy } from "../../src/policy/narrow.ts";
import { ruleParts } from "../../src/policy/rule-parts.ts";
import { ruleProblems } from "../../src/policy/rules.ts";
import { hosts, policyWith, requests, rules } from "./arbitraries.ts";

const lists = fc.array(rules, { maxLength: 4 });
const asked = fc.array(requests, { minLength: 10, maxLength: 30 });
const brief = (network: NetworkRule[]): Brief => ({
  title: "A title",
  intent: "i",
  instructions: "x",
  accept: [{ id: "A1", must: "m", checks: [] }],
  executor: "codex",
  policy: "ceiling",
  breaks: [],
  network,
});

test("whatever a narrowed policy allows, its ceiling allows, and what it passes through unread too", () => {
  let narrowed = 0;
  fc.assert(
    fc.property(
      fc.array(rules, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 2 }),
      lists,
      asked,
      (parents, picks, own, tries) => {
        // Half of the children are the parents' own rules with something taken away, so that many are accepted.
        const children = picks.map((n) => {
          const { secret: _, ...rule } = parents[n % parents.length] as NetworkRule;
          return n % 2 === 0 || rule.tls === "passthrough"
            ? rule
            : { ...rule, methods: [rule.methods?.[0] ?? "GET"], query: rule.query ?? {} };
        });
        if (own[0] && picks[0] !== undefined && picks[0] % 5 === 0) children.push(own[0]);
        let result: Policy;
        try {
          result = narrowPolicy(policyWith(parents), brief(children));
        } catch (error) {
          expect((error as { code: string }).code).toBe("policy-widened");
          return;
        }
        narrowed += 1;
        const inner = compileRules(result.network);
        const outer = compileRules(parents);
        for (const request of tries) {
          const given = inner.decide(request);
          if (given.allow) expect(outer.decide(request).allow, showAsked({ request })).toBe(true);
        }
        for (const host of hosts) {
          for (const port of [80, 443, 8443]) {
            const tls = inner.intercept(host, port);
            const ceiling = outer.intercept(host, port);
            if (tls.allow) expect(ceiling.allow).toBe(true);
            if (tls.allow && tls.mode === "passthrough") expect(ceiling).toMatchObject({ mode: "passthrough" });
          }
        }
      },
    ),
    { numRuns: 1500 },
  );
  expect(narrowed).toBeGreaterThan(300);
}, 60_000);

test("the parts of a rule allow together what it allows", () => {
  fc.assert(
    fc.property(rules, asked, (rule, tries) => {
      const whole = compileRules([rule]);
      const parts = compileRules(ruleParts(rule));
      for (const request of tries) expect(parts.decide(request).allow).toBe(whole.decide(request).allow);
    }),
    { numRuns: 800 },
  );
}, 60_000);

test("diff: what it claims and what it is silent about agree with what is decided", () => {
  let claims = 0;
  let silent = 0;
  fc.assert(
    fc.property(
      lists,
      fc.oneof(lists, fc.constant<NetworkRule[]>([])),
      fc.boolean(),
      asked,
      (first, second, both, tries) => {
        // Half of the pairs share rules, cut differently, so that much is provably the same.
        const after = first;
        const before = both ? [...second, ...first.flatMap((rule) => ruleParts(rule)), ...first.slice(1)] : second;
        const old = compileRules(before);
        const now = compileRules(after);
        const found = rulesBeyond(after, before);
        claims += found.length;
        for (const { example, whole, parts, what } of found) {
          if (example) expect([old.decide(example).allow, now.decide(example).allow]).toEqual([false, true]);
          if (whole && what === "requests") {
            const claimed = compileRules(parts);
            for (const request of tries)
              if (claimed.decide(request).allow) expect(old.decide(request).allow).toBe(false);
          }
        }
        const claimed = new Set(found.map(({ index }) => index));
        for (const request of tries) {
          const decision = now.decide(request);
          if (!decision.allow || old.decide(request).allow) continue;
          // Newly allowed: some claim is about a rule that allows it.
          expect(
            [...claimed].some((index) => decideRequest([after[index] as NetworkRule], request).allow),
            showAsked({ request }),
          ).toBe(true);
        }
        if (found.length === 0 && after.length > 0) silent += 1;
        const changes = diffPolicies(policyWith(before), policyWith(after));
        if (!widens(changes))
          for (const request of tries) if (now.decide(request).allow) expect(old.decide(request).allow).toBe(true);
      },
    ),
    { numRuns: 1000 },
  );
  expect(claims).toBeGreaterThan(300);
  expect(silent).toBeGreaterThan(10);
}, 60_000);

test("explain: what it says next makes the request allowed, and without it the request is denied again", () => {
  let applied = 0;
  fc.assert(
    fc.property(lists, requests, (network, request) => {
      const shown = showAsked({ request });
      const [method = "", url = ""] = shown.split(" ");
      const answer = explain(policyWith(network), method, url);
      expect(answer.allow).toBe(decideRequest(network, request).allow);
      if (answer.allow || answer.next.startsWith("#")) return;
      applied += 1;
      const [rule] = parse(answer.next) as [NetworkRule];
      expect(networkRule.safeParse(rule).success, answer.next).toBe(true);
      expect(ruleProblems(rule, [])).toEqual([]);
      const place = /# in place of network\[(\d+)\]$/.exec(answer.next)?.[1];
      const changed = place === undefined ? [...network, rule] : network.with(Number(place), rule);
      expect(decideRequest(changed, request).allow, answer.next).toBe(true);
      // It gives nothing to another host, and no secret.
      expect(rule.secret).toBeUndefined();
      if (place === undefined) {
        expect(rule.host).toBe(request.host);
        expect(decideRequest(changed.slice(0, -1), request).allow).toBe(false);
      } else {
        // In place of a rule: all that it let pass, it lets pass still, and one thing more.
        expect(rulesBeyond([network[Number(place)] as NetworkRule], [rule])).toEqual([]);
        const more = rulesBeyond([rule], [network[Number(place)] as NetworkRule]);
        expect(more.filter(({ what }) => what === "requests")).toHaveLength(1);
      }
    }),
    { numRuns: 3000 },
  );
  expect(applied).toBeGreaterThan(500);
}, 60_000);

test("explain: a rule with a secret is never widened; the request gets a rule of its own", () => {
  const bound: NetworkRule = { host: "a.org", scheme: "https", methods: ["GET"], paths: ["/v1/**"], secret: "token" };
  const answer = explain(
    policyWith([bound], { secrets: { token: { from: "env:T", header: "x" } } }),
    "POST",
    "https://a.org/v1/x",
  );
  expect(answer).toMatchObject({
    allow: false,
    code: "method",
    next: '- { host: a.org, scheme: https, methods: [POST], paths: ["/v1/x"] }',
  });
});

test("explain: the nearest rule is named where another host was probably meant", () => {
  const policy = policyWith([{ host: "registry.npmjs.org" }, { host: "*.pypi.org" }]);
  expect(explain(policy, "GET", "https://registry.npmjs.com/").text.join("\n")).toMatch(
    /network\[0\] registry\.npmjs\.org/,
  );
  expect(explain(policy, "GET", "https://pypi.org/")).toMatchObject({ rule: "none", index: 1 });
  expect(explain(policy, "GET", "https://example.com/").index).toBeUndefined();
  expect(explain(policy, "CONNECT", "files.pypi.org:443")).toMatchObject({
    allow: true,
    text: expect.arrayContaining([expect.stringMatching(/each request inside/)]),
  });
  expect(explain(policy, "CONNECT", "files.pypi.org:8443")).toMatchObject({ allow: false, code: "port" });
  expect(explain(policyWith([{ host: "a.org", tls: "passthrough" }]), "CONNECT", "a.org:443").text.join("\n")).toMatch(
    /not read/,
  );
  expect(explain(policyWith([{ host: "a.org", websocket: true }]), "GET", "wss://a.org/feed")).toMatchObject({
    allow: true,
    request: { upgrade: "websocket" },
  });
});

test("a rule that is said to be shadowed can be taken out without a difference", () => {
  let shadowed = 0;
  fc.assert(
    fc.property(lists, fc.nat(), asked, (some, n, tries) => {
      const copied = some[n % (some.length + 1)];
      const network = copied
        ? [...some, { ...copied, methods: ["GET" as const], tls: "open" as const }].filter(
            (rule) => ruleProblems(rule, []).length === 0,
          )
        : some;
      const idle = shadowedRules(network);
      shadowed += idle.length;
      const [first] = idle;
      if (!first) return;
      const without = compileRules(network.toSpliced(Number(first.path[1]), 1));
      const all = compileRules(network);
      for (const request of tries) expect(without.decide(request).allow).toBe(all.decide(request).allow);
    }),
    { numRuns: 1500 },
  );
  expect(shadowed).toBeGreaterThan(50);
  expect(shadowedRules([{ host: "a.org" }, { host: "a.org", scheme: "https", secret: "t" }])[0]?.message).toMatch(
    /its secret t is never carried/,
  );
  expect(
    shadowedRules([
      { host: "a.org", methods: ["GET"] },
      { host: "a.org", methods: ["POST"] },
    ]),
  ).toEqual([]);
}, 60_000);

test("rules only add up: a request is allowed when one rule alone allows it, and the nearest is the one that fails last", () => {
  const depth = ["no-rule", "port", "scheme", "websocket", "method", "path", "query"];
  fc.assert(
    fc.property(fc.array(rules, { maxLength: 12 }), requests, (network, request) => {
      const alone = network.map((rule) => decideRequest([rule], request));
      const decision = decideRequest(network, request);
      const first = alone.findIndex(({ allow }) => allow);
      expect(decision.allow).toBe(first >= 0);
      if (decision.allow) expect(decision.index).toBe(first);
      else {
        const deepest = Math.max(0, ...alone.map((one) => (one.allow ? 0 : depth.indexOf(one.code))));
        expect(decision.code).toBe(depth[deepest]);
        const nearest = alone.findIndex((one) => !one.allow && one.code === depth[deepest] && one.code !== "no-rule");
        expect(decision.rule).toMatch(nearest < 0 ? /^none$/ : new RegExp(`^network\\[${nearest}\\] `));
      }
    }),
    { numRuns: 3000 },
  );
}, 60_000);
