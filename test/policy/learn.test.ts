import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type NetworkRule, networkRule } from "../../src/domain/policy.ts";
import { showAsked } from "../../src/policy/asked.ts";
import { pathReadings } from "../../src/policy/canonical-path.ts";
import { type CanonicalRequest, canonicalRequest } from "../../src/policy/canonical-request.ts";
import { compileRules } from "../../src/policy/decide.ts";
import { learn } from "../../src/policy/learn.ts";
import { learnedYaml } from "../../src/policy/learned-yaml.ts";
import { ruleProblems } from "../../src/policy/rules.ts";
import { policyWith, requests } from "./arbitraries.ts";
import { line, lineOf, recorded } from "./recorded.ts";

const rulesOf = (lines: ReturnType<typeof line>[], from?: NetworkRule[]) =>
  learn(recorded(lines), from).rules.map(({ rule }) => rule);
const left = (lines: ReturnType<typeof line>[]) => learn(recorded(lines)).left.map(({ why }) => why);

describe("learned rules", () => {
  test("say exactly what was asked for: host, methods, paths, and that there was no query", () => {
    const lines = [
      "GET https://a.org/x",
      "GET https://a.org/y",
      "GET https://a.org/x",
      "POST https://a.org/z?12",
      "GET http://a.org:8080/x",
    ].map((text) => line(text));
    expect(rulesOf(lines)).toEqual([
      { host: "a.org", scheme: "https", methods: ["GET"], paths: ["/x", "/y"], query: {} },
      { host: "a.org", scheme: "https", methods: ["POST"], paths: ["/z"] },
      { host: "a.org", port: 8080, scheme: "http", methods: ["GET"], paths: ["/x"], query: {} },
    ]);
    const yaml = learnedYaml(learn(recorded(lines)), "about");
    expect(yaml).toContain('      - "/x" # seen 2 times, denied\n      - "/y" # seen once, denied\n');
  });

  test("a path that more methods asked for has a rule of its own: their combinations were never seen", () => {
    expect(
      rulesOf(["GET https://a.org/x", "POST https://a.org/x", "GET https://a.org/y"].map((text) => line(text))),
    ).toEqual([
      { host: "a.org", scheme: "https", methods: ["GET", "POST"], paths: ["/x"], query: {} },
      { host: "a.org", scheme: "https", methods: ["GET"], paths: ["/y"], query: {} },
    ]);
  });

  test("a WebSocket is proposed as one whatever became of it, and a request never is", () => {
    const feed = { host: "a.org", scheme: "https", methods: ["GET"], paths: ["/feed"], query: {} };
    const asked = (more: Parameters<typeof line>[1]) => rulesOf([line("GET https://a.org/feed", more)]);
    for (const more of [
      { code: "no-rule" },
      { code: "path", rule: "network[0] a.org" },
      { code: "websocket-secret", rule: "network[0] a.org" },
      { decision: "allow", code: "allowed", status: 101 },
      { decision: "allow", code: "allowed", status: 403 },
      { decision: "allow", code: "lane-closed" },
    ] as const) {
      expect(asked({ ...more, upgrade: "websocket" })).toEqual([{ ...feed, websocket: true }]);
      if (!("status" in more) || more.status !== 101) expect(asked(more)).toEqual([feed]);
    }
  });

  test("a tunnel that was refused is opened for the least there is; one whose requests were seen is not named again", () => {
    expect(rulesOf([line("CONNECT a.org:443")])).toEqual([
      { host: "a.org", scheme: "https", methods: ["HEAD"], paths: ["/"], query: {} },
    ]);
    expect(
      rulesOf([
        line("CONNECT a.org:443", { decision: "allow", rule: "network[0] a.org" }),
        line("GET https://a.org/x"),
      ]),
    ).toEqual([{ host: "a.org", scheme: "https", methods: ["GET"], paths: ["/x"], query: {} }]);
    const pinned = recorded([line("CONNECT a.org:8443", { decision: "allow" })], {
      policy: policyWith([{ host: "a.org", port: 8443, tls: "passthrough" }]),
    });
    expect(learn(pinned).rules[0]?.rule).toEqual({ host: "a.org", port: 8443, scheme: "https", tls: "passthrough" });
  });

  test("what the policy to start from allows is not said again", () => {
    const lines = ["GET https://a.org/x", "GET https://b.org/x", "CONNECT a.org:443"].map((text) => line(text));
    expect(rulesOf(lines, [{ host: "a.org" }])).toEqual([
      { host: "b.org", scheme: "https", methods: ["GET"], paths: ["/x"], query: {} },
    ]);
    expect(learn(recorded(lines), [{ host: "a.org" }]).allowed).toBe(2);
  });

  test("never a private address, a private name, a secret, a method without a name, or what cannot be read", () => {
    expect(left([line("GET http://10.0.0.1/")])).toEqual([expect.stringMatching(/private address 10\.0\.0\.1/)]);
    expect(left([line("GET http://169.254.169.254/latest")])).toEqual([expect.stringMatching(/metadata address/)]);
    expect(left([line("GET http://0x7f.1/")])).toEqual([expect.stringMatching(/loopback address/)]);
    expect(left([line("CONNECT [::1]:443")])).toEqual([expect.stringMatching(/loopback address/)]);
    expect(left([line("GET https://db.a.org/", { decision: "allow", address: "10.0.0.1" })])).toEqual([
      expect.stringMatching(/private address/),
    ]);
    expect(left([line("GET https://a.org/", { code: "address-refused" })])).toEqual([
      expect.stringMatching(/not public/),
    ]);
    for (const host of ["localhost", "db", "db.internal", "x.local"])
      expect(left([line(`GET https://${host}/`)])).toEqual([expect.stringMatching(/private network/)]);
    expect(left([line("PROPFIND https://a.org/")])).toEqual([expect.stringMatching(/PROPFIND/)]);
    expect(left([line("GET https://u@a.org/")])).toEqual([expect.stringMatching(/user information/)]);
    expect(rulesOf([line("GET https://a.org/", { secret: "token" })])).toEqual([
      { host: "a.org", scheme: "https", methods: ["GET"], paths: ["/"], query: {} },
    ]);
    expect(left([line("GET https://a.org/", { secret: "token" })])).toEqual([expect.stringMatching(/secret token/)]);
    expect(
      rulesOf([
        line("GET http://10.0.0.1/"),
        line("POST http://sallyport/report/propose"),
        line("POST https://api.a.org/v1", { rule: "models.m" }),
      ]),
    ).toEqual([]);
    // The benign twin: a public address is one.
    expect(rulesOf([line("GET http://8.8.8.8/")])).toEqual([
      { host: "8.8.8.8", scheme: "http", methods: ["GET"], paths: ["/"], query: {}, addresses: ["8.8.8.8"] },
    ]);
  });

  test("what came out of a sandbox cannot break out of its line of YAML", () => {
    const lines = [
      'GET https://a.org/x"],\n- host: evil.org',
      "GET https://a.org/\u2028- x",
      "GET https://a.org/*",
      "GET https://a.org/%22]#x",
    ].map((text) => ({ ...line("GET x"), url: text.slice(4) }));
    lines.push({ ...line("GET x"), method: "GET\n- { host: evil.org }", url: "https://a.org/" });
    const learned = learn(recorded(lines));
    const yaml = learnedYaml(learned, "a\nb");
    const { network } = parse(yaml) as { network: NetworkRule[] | [] };
    expect(network).toEqual(learned.rules.map(({ rule }) => rule));
    expect(network.every(({ host }) => host === "a.org")).toBe(true);
    expect(yaml).not.toMatch(/^- |^ {2}- host: evil/m);
  });
});

test("the rules allow exactly what was seen, and nothing that a neighbour tries", () => {
  fc.assert(
    fc.property(
      fc.array(requests, { minLength: 1, maxLength: 6 }),
      fc.array(requests, { maxLength: 30 }),
      (seen, others) => {
        const learned = learn(recorded(seen.map((request) => lineOf(request))));
        const network = learned.rules.map(({ rule }) => rule);
        for (const rule of network) {
          expect(networkRule.safeParse(rule).success).toBe(true);
          expect(ruleProblems(rule, [])).toEqual([]);
        }
        expect((parse(learnedYaml(learned, "x")) as { network: NetworkRule[] }).network).toEqual(network);
        const compiled = compileRules(network);
        // A path such as /%2541 is named by no pattern in all its readings: it is left to a person, with the reason.
        const left = new Set(learned.left.map(({ request }) => request));
        const named = (request: CanonicalRequest) => !left.has(showAsked({ request: { ...request, query: "" } }));
        for (const request of seen.filter(named))
          expect(compiled.decide(request).allow, showAsked({ request })).toBe(true);
        for (const request of [...others, ...seen.flatMap(neighbours)]) {
          if (compiled.decide(request).allow)
            expect(wasSeen(request, seen.filter(named)), showAsked({ request })).toBe(true);
        }
      },
    ),
    { numRuns: 800 },
  );
}, 60_000);

/** Seen as it is, or a spelling that some server reads as one that was; a query that was there is not recorded. */
function wasSeen(request: CanonicalRequest, seen: readonly CanonicalRequest[]): boolean {
  const like = seen.filter(
    (one) =>
      one.scheme === request.scheme &&
      one.host === request.host &&
      one.port === request.port &&
      pathReadings(one.path).includes(request.path),
  );
  return (
    like.some(({ method }) => method === request.method) &&
    (request.query === "" || like.some(({ query }) => query !== "")) &&
    (request.upgrade === undefined || like.some(({ upgrade }) => upgrade !== undefined))
  );
}

function neighbours(request: CanonicalRequest): CanonicalRequest[] {
  const changed: Partial<CanonicalRequest>[] = [
    { path: `${request.path}x` },
    { path: `${request.path}/x` },
    { path: request.path.slice(0, -1) || "/x" },
    { path: request.path.replace("*", "b") },
    { path: request.path.replace("(", "b") },
    { query: "added=1" },
    { host: `x.${request.host}` },
    { host: request.host.replace(/^[^.]*\./, "") },
    { port: request.port + 1 },
    { scheme: request.scheme === "http" ? "https" : "http" },
    { method: "PUT" },
  ];
  return changed.flatMap((change) => {
    const { scheme, host, port, method, path, query } = { ...request, ...change };
    const made = canonicalRequest({ scheme, host, port, method, path: query === "" ? path : `${path}?${query}` });
    return made.ok ? [made.request] : [];
  });
}
