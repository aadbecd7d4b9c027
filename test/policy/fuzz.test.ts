import fc from "fast-check";
import { expect, test } from "vitest";
import { SallyportError } from "../../src/domain/error.ts";
import { policyFile } from "../../src/domain/policy.ts";
import { canonicalAddress, classifyAddress } from "../../src/policy/address.ts";
import { canonicalHost } from "../../src/policy/canonical-host.ts";
import { canonicalTarget, pathReadings, urlPatternProblem } from "../../src/policy/canonical-path.ts";
import { canonicalRequest, splitAuthority } from "../../src/policy/canonical-request.ts";
import { patternCovered, requestsCovered } from "../../src/policy/cover.ts";
import { compileRules } from "../../src/policy/decide.ts";
import { parseDocument } from "../../src/policy/document.ts";
import { checkExpectations } from "../../src/policy/expect.ts";
import { explain } from "../../src/policy/explain.ts";
import { compileGlob, compileTextGlob, exactGlob, globProblem, textGlobProblem } from "../../src/policy/glob.ts";
import { learn } from "../../src/policy/learn.ts";
import { learnedYaml } from "../../src/policy/learned-yaml.ts";
import { pathPatternProblem, protectedMatcher } from "../../src/policy/paths.ts";
import { replayOf } from "../../src/policy/recorded.ts";
import { fileProblems, ruleProblems } from "../../src/policy/rules.ts";
import { secretReferences } from "../../src/policy/secret-reference.ts";
import { hostPattern } from "../../src/policy/wildcard.ts";
import { policyWith, rules } from "./arbitraries.ts";
import { line, recorded } from "./recorded.ts";

/** Any text, and texts out of the pieces that parsers trip over. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.string({ unit: "grapheme", maxLength: 100 }),
  fc
    .array(
      fc.constantFrom(
        "a",
        ".",
        "..",
        "/",
        "//",
        "\\",
        "%",
        "%2e",
        "%2F",
        "%25",
        "%00",
        "%c0%ae",
        "*",
        "**",
        "?",
        "[",
        "]",
        "[a-",
        "{",
        "}",
        ",",
        "!(",
        "@",
        ":",
        "[::1]",
        "::",
        "0x7f",
        "127.1",
        "https://",
        "wss://",
        "CONNECT ",
        "a.org",
        ":443",
        "#",
        ";",
        "=",
        "&",
        "\u0000",
        "\n",
        "\u202e",
        "\ud800",
        "xn--",
        "。",
        "１",
        "secret://",
        "-",
        "- ",
        "&a ",
        "*a",
        "!!js ",
        "\t",
        "'",
        '"',
        "|",
        ">",
        "~",
        "é",
      ),
      { maxLength: 40 },
    )
    .map((parts) => parts.join("")),
  fc.constantFrom(
    "*a".repeat(200),
    "%25".repeat(3000),
    "[".repeat(500),
    "{a,b}".repeat(40),
    "a.".repeat(600),
    "../".repeat(3000),
    ";a/".repeat(2000),
  ),
);

/** Milliseconds that one call may take on a busy machine: a loop that backtracks takes minutes. */
const slow = 3000;
function bounded<T>(work: () => T): T {
  const begin = performance.now();
  const result = work();
  expect(performance.now() - begin).toBeLessThan(slow);
  return result;
}

const pure: [string, (input: string) => unknown][] = [
  ["address", (input) => [classifyAddress(input), canonicalAddress(input)]],
  ["host", (input) => [canonicalHost(input), hostPattern(input), hostPattern(`*.${input}`), splitAuthority(input)]],
  [
    "path",
    (input) => [
      canonicalTarget(input),
      canonicalTarget(`/${input}`),
      pathReadings(`/${input}`),
      urlPatternProblem(input),
    ],
  ],
  [
    "request",
    (input) => [
      canonicalRequest({ method: "GET", url: input }),
      canonicalRequest({ method: input, url: "https://a.org/" }),
      canonicalRequest({ method: "GET", scheme: input, host: input, path: input }),
    ],
  ],
  [
    "pattern",
    (input) => [
      globProblem(input),
      textGlobProblem(input),
      pathPatternProblem(input),
      exactGlob(input),
      patternCovered(input, [input]),
    ],
  ],
  ["tunnel", (input) => compileRules([{ host: "*.a.org" }]).intercept(input, 443)],
  [
    "explanation",
    (input) => [
      explain(policyWith([{ host: "a.org", query: { a: "*" } }]), "GET", input),
      explain(policyWith([]), input, input),
      explain(policyWith([]), "CONNECT", input),
    ],
  ],
  ["expectation", (input) => checkExpectations(policyWith([{ host: "a.org" }]), [{ request: input, is: "deny" }])],
  ["secret reference", (input) => secretReferences({ [input]: [input] })],
  [
    "recorded line",
    (input) => [
      replayOf({ ...line("GET x"), url: input }),
      replayOf({ ...line("GET x"), method: "CONNECT", url: input }),
      learnedYaml(learn(recorded([{ ...line("GET x"), method: input, url: input }])), input),
    ],
  ],
];

test.each(pure)(
  "any text as %s: an answer, never an exception, never a loop",
  (_, parse) => {
    fc.assert(
      fc.property(text, (input) => void bounded(() => parse(input))),
      { numRuns: 1500 },
    );
  },
  60_000,
);

/** Patterns out of the language's own pieces, so that most are in it or nearly. */
const patterns = fc
  .array(
    fc.constantFrom(
      "a",
      "**",
      "*",
      "?",
      "/",
      "/",
      "{a,b}",
      "{a,}",
      "[a-z]",
      "[*]",
      ".",
      ".git",
      " ",
      "\u200b",
      "é",
      "A",
    ),
    {
      minLength: 1,
      maxLength: 7,
    },
  )
  .map((parts) => parts.join(""));

test("any pattern: either refused in words, or it matches any text in bounded time", () => {
  fc.assert(
    fc.property(fc.oneof(text, patterns), fc.oneof(text, patterns), (pattern, input) => {
      if (globProblem(pattern) === undefined) bounded(() => compileGlob(pattern).some((glob) => glob.matches(input)));
      else expect(() => compileGlob(pattern)).toThrow(RangeError);
      if (textGlobProblem(pattern) === undefined) bounded(() => compileTextGlob(pattern)(input));
      else expect(() => compileTextGlob(pattern)).toThrow(RangeError);
      if (pathPatternProblem(pattern) === undefined) bounded(() => protectedMatcher([pattern])(input));
      const exact = exactGlob(input);
      if (exact !== undefined && textGlobProblem(exact) === undefined) expect(compileTextGlob(exact)(input)).toBe(true);
    }),
    { numRuns: 4000 },
  );
}, 60_000);

test("any rule: refused in words or compiled, and what is broken matches nothing", () => {
  const anyRule = fc.record(
    {
      host: text,
      paths: fc.array(text, { minLength: 1, maxLength: 2 }),
      query: fc.dictionary(text, text, { maxKeys: 2 }),
      addresses: fc.array(text, { minLength: 1, maxLength: 2 }),
      secret: text,
    },
    { requiredKeys: ["host"] },
  );
  fc.assert(
    fc.property(anyRule, rules, (rule, good) => {
      bounded(() => ruleProblems(rule, []));
      bounded(() => compileRules([rule, good]).intercept("a.org", 443));
      bounded(() => requestsCovered(rule, good) || requestsCovered(good, rule));
    }),
    { numRuns: 1000 },
  );
}, 60_000);

test("any document: a value or one coded error, in bounded time", () => {
  const piece = fc.constantFrom(
    "version: 1\n",
    "extends: base\n",
    "network:\n",
    "  - host: a.org\n",
    "    paths: [/a]\n",
    "secrets: { a: { from: 'env:A', header: x } }\n",
    "  ",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a\n",
    "!!map ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "? ",
    "<<: ",
    "__proto__: 1\n",
    "\t",
    '"',
    "'",
    "|\n",
    ">\n",
    "#",
    "\n",
    "0x1f",
    "~",
    "2M",
    "1e999",
  );
  const document = fc.oneof(
    text,
    fc.array(piece, { maxLength: 40 }).map((parts) => parts.join("")),
    fc.json().map(String),
  );
  fc.assert(
    fc.property(document, (input) => {
      try {
        const file = bounded(() => parseDocument(input, "p.yaml", policyFile, "policy-invalid"));
        bounded(() => fileProblems(file, {}));
      } catch (error) {
        if (!(error instanceof SallyportError)) throw error;
        expect(error.code).toBe("policy-invalid");
        expect(error.next).not.toBe("");
      }
    }),
    { numRuns: 3000 },
  );
}, 120_000);
