/** Reads a JUnit XML report. The file was written beside the code under test: a claim, bounded and parsed strictly. */
import { XMLParser, XMLValidator } from "fast-xml-parser";
import type { TestRun } from "../domain/test-report.ts";

type Tests = TestRun["tests"];
type Status = Tests[string];

interface XmlSuite {
  "@name"?: string;
  testsuite?: XmlSuite[];
  testcase?: XmlCase[];
}
interface XmlCase {
  "@name"?: string;
  failure?: unknown[];
  error?: unknown[];
  skipped?: unknown[];
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  parseAttributeValue: false,
  parseTagValue: false,
  isArray: (name) => ["testsuite", "testcase", "failure", "error", "skipped"].includes(name),
});

// Of two tests with one id the worse result counts.
const rank: Record<Status, number> = { passed: 0, skipped: 1, failed: 2 };

function statusOf(testcase: XmlCase): Status {
  if (testcase.failure || testcase.error) return "failed";
  return testcase.skipped ? "skipped" : "passed";
}

// Node's reporter escapes quotes twice; other runners do not write the entity.
function nameOf(element: { "@name"?: string }): string {
  return (element["@name"] ?? "").replaceAll("&quot;", '"');
}

/**
 * Test ids (`suite > suite > name`) with their status. `undefined` when the text is not a JUnit report.
 * Document type declarations are refused: they could define entities.
 */
export function parseJunit(xml: string): Tests | undefined {
  if (/<!DOCTYPE/i.test(xml) || XMLValidator.validate(xml) !== true) return undefined;
  const root = parser.parse(xml) as { testsuites?: XmlSuite | ""; testsuite?: XmlSuite[] };
  if (root.testsuites === undefined && root.testsuite === undefined) return undefined;
  const tests = new Map<string, Status>();
  const walk = (suite: XmlSuite, path: string[]) => {
    for (const testcase of suite.testcase ?? []) {
      const id = [...path, nameOf(testcase)].join(" > ").slice(0, 1000);
      const status = statusOf(testcase);
      const before = tests.get(id);
      if (before === undefined || rank[status] > rank[before]) tests.set(id, status);
    }
    for (const inner of suite.testsuite ?? []) walk(inner, [...path, nameOf(inner)]);
  };
  // An empty <testsuites/> parses to "".
  if (root.testsuites) walk(root.testsuites, []);
  for (const suite of root.testsuite ?? []) walk(suite, [nameOf(suite)]);
  return Object.fromEntries(tests);
}
