import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NetworkRule } from "../../src/domain/policy.ts";
import { decideRequest } from "../../src/policy/decide.ts";
import { differs, simulate } from "../../src/policy/simulate.ts";
import { policyWith, requests, rules } from "./arbitraries.ts";
import { line, lineOf, recorded } from "./recorded.ts";

const allowed = { decision: "allow", code: "allowed", rule: "network[0] a.org" } as const;
const changes = (network: NetworkRule[], lines: ReturnType<typeof line>[]) => {
  const { changed, unknown } = simulate(policyWith(network), recorded(lines)).requests;
  return [...changed, ...unknown].map(({ request, times, would }) => `${would} ${request} ${times}`);
};

describe("a recorded delegation against another policy", () => {
  test("the same decisions are no difference", () => {
    const same = simulate(
      policyWith([{ host: "a.org" }]),
      recorded([line("GET https://a.org/", allowed), line("GET https://b.org/")]),
    );
    expect(same).toEqual({
      requests: { same: 2, changed: [], unknown: [] },
      writes: { same: 0, changed: [] },
      spend: [],
    });
    expect(differs(same)).toBe(false);
  });

  test("requests that would be denied, or allowed, are named once with how often they were made", () => {
    const lines = [
      line("GET https://a.org/x", allowed),
      line("GET https://a.org/x", allowed),
      line("GET https://b.org/"),
      line("CONNECT b.org:443"),
    ];
    expect(changes([{ host: "b.org" }], lines)).toEqual([
      "deny GET https://a.org/x 2",
      "allow GET https://b.org/ 1",
      "allow CONNECT b.org:443 1",
    ]);
  });

  test("a WebSocket that was refused is asked about as one", () => {
    const lines = [line("GET https://a.org/x", { upgrade: "websocket" }), line("GET https://a.org/x")];
    expect(changes([{ host: "a.org" }], lines)).toEqual(["allow GET https://a.org/x 1"]);
    expect(changes([{ host: "a.org", websocket: true }], lines)).toEqual([
      "allow GET wss://a.org/x 1",
      "allow GET https://a.org/x 1",
    ]);
  });

  test("what was denied for its address, framing or budget is not said to pass", () => {
    for (const code of ["address-refused", "host-mismatch", "requests-used-up", "upstream-failed"]) {
      expect(changes([{ host: "a.org" }], [line("GET https://a.org/", { code })])).toEqual([]);
    }
  });

  test("a query is not recorded: where it decides, that cannot be told", () => {
    const lines = [line("GET https://a.org/x?4", allowed)];
    expect(changes([{ host: "a.org", query: { q: "*" } }], lines)).toEqual(["unknown GET https://a.org/x?… 1"]);
    expect(changes([{ host: "a.org", query: { q: "*" } }, { host: "a.org" }], lines)).toEqual([]);
    expect(changes([{ host: "a.org", query: { q: "*" }, methods: ["POST"] }], lines)).toEqual([
      "deny GET https://a.org/x?… 1",
    ]);
    expect(changes([{ host: "a.org", query: {} }], [line("GET https://a.org/x", allowed)])).toEqual([]);
  });

  test("model routes by their name; verbs of the role and unreadable lines are no policy's", () => {
    const call = line("POST https://api.example.org/v1/messages", { ...allowed, rule: "models.m" });
    expect(changes([], [call])).toEqual(["deny POST /model/m/ 1"]);
    expect(
      simulate(policyWith([], { models: { m: { base: "https://api.example.org/v1" } } }), recorded([call])).requests
        .changed,
    ).toEqual([]);
    const denied = line("POST http://sallyport/model/m/v1", { code: "model-unknown", rule: "models" });
    expect(
      simulate(policyWith([], { models: { m: { base: "https://api.example.org/v1" } } }), recorded([denied])).requests
        .changed,
    ).toMatchObject([{ would: "allow" }]);
    expect(
      changes(
        [{ host: "a.org" }],
        [
          line("POST http://sallyport/report/propose", { ...allowed, rule: "verbs" }),
          line("GET -"),
          line("CONNECT a.org:80", { ...allowed, rule: "plain-http" }),
        ],
      ),
    ).toEqual([]);
  });

  test("written paths, and spending over the other policy's budget", () => {
    const other = policyWith([], {
      filesystem: { visible: ["**"], writable: ["docs/**"], protected: ["package.json"] },
    });
    const past = recorded([], {
      changes: [{ path: "src/a.ts" }, { path: "docs/a.md" }, { path: "package.json" }, { path: "src/a.ts" }],
      spend: { wall: 700_000, requests: 10, attempts: 4, patch: 1, output: 1 },
    });
    const result = simulate(other, past);
    expect(result.writes).toEqual({
      same: 0,
      changed: [
        { path: "src/a.ts", was: "writable", would: "not writable" },
        { path: "docs/a.md", was: "not writable", would: "writable" },
        { path: "package.json", was: "not writable", would: "protected" },
      ],
    });
    expect(result.spend).toEqual([
      { what: "budget.wall", used: "11 m 40 s", limit: "10 m 0 s" },
      { what: "budget.attempts", used: "4", limit: "3" },
    ]);
    expect(differs(result)).toBe(true);
  });

  test("a brief that the policy would refuse is said first, and a brief narrows the other policy too", () => {
    const past = recorded([line("GET https://a.org/x", allowed)]);
    past.brief.network = [{ host: "a.org", methods: ["GET"] }];
    expect(simulate(policyWith([{ host: "a.org" }]), past).refused).toBeUndefined();
    expect(simulate(policyWith([{ host: "b.org" }]), past).refused).toMatch(/network\[0\]/);
    past.brief.network = [];
    expect(simulate(policyWith([{ host: "a.org" }]), past).requests.changed).toMatchObject([{ would: "deny" }]);
  });

  test("what it says agrees with what is decided", () => {
    fc.assert(
      fc.property(
        fc.array(rules, { maxLength: 4 }),
        fc.array(requests, { minLength: 1, maxLength: 10 }),
        fc.boolean(),
        (network, made, was) => {
          const lines = made.map((request) => lineOf(request, was ? allowed : {}));
          const { changed, unknown } = simulate(policyWith(network), recorded(lines)).requests;
          for (const [index, request] of made.entries()) {
            const would = decideRequest(network, request).allow ? "allow" : "deny";
            const single = simulate(policyWith(network), recorded([lines[index] as ReturnType<typeof line>])).requests;
            if (single.unknown.length > 0) continue;
            expect(single.changed.map((change) => change.would)).toEqual(
              would === (was ? "allow" : "deny") ? [] : [would],
            );
          }
          expect(changed.length + unknown.length).toBeLessThanOrEqual(made.length);
        },
      ),
      { numRuns: 500 },
    );
  }, 60_000);
});
