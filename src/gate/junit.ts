/** Reads a JUnit XML report. The file was written beside the code under test: a claim, bounded and parsed strictly. */
import { XMLParser, XMLValidator } from "fast-xml-parser";
import type { TestRun } from "../domain/test-report.ts";
import { cut } from "./printable.ts";

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

/** Bounds on what goes into the ledger: tests, and UTF-16 units of all their ids together. */
const mostTests = 50_000;
const mostText = 4 * 1024 * 1024;

const rank: Record<Status, number> = { passed: 0, skipped: 1, failed: 2 };

function statusOf(testcase: XmlCase): Status {
  if (testcase.failure || testcase.error) return "failed";
  return testcase.skipped ? "skipped" : "passed";
}

// Node's reporter escapes quotes twice; other runners do not write the entity.
function nameOf(element: { "@name"?: string }): string {
  return String(element["@name"] ?? "").replaceAll("&quot;", '"');
}

// As a key of a plain object this one name would be lost on the way through JSON.
const idOf = (names: readonly string[]) => {
  const id = cut(names.join(" > "), 990);
  return id === "__proto__" ? "> __proto__" : id;
};

/**
 * Test ids (`suite > suite > name`) with their status. `undefined` when the text is not a JUnit report, or one beyond all
 * bounds. Document type declarations are refused: they could define entities. Of several tests with one id, the worst
 * has it, and the others have `id #2`, `id #3`, ...: none of them can go without being missed.
 */
export function parseJunit(xml: string): Tests | undefined {
  if (/<!DOCTYPE/i.test(xml)) return undefined;
  try {
    return XMLValidator.validate(xml) === true ? readSuites(parser.parse(xml)) : undefined;
  } catch {
    // Nested deeper than the stack, or a name that the parser refuses: no runner writes that.
    return undefined;
  }
}

function readSuites(root: { testsuites?: XmlSuite | ""; testsuite?: XmlSuite[] }): Tests | undefined {
  if (root.testsuites === undefined && root.testsuite === undefined) return undefined;
  const found = new Map<string, Status[]>();
  let count = 0;
  let text = 0;
  const walk = (suite: XmlSuite, path: readonly string[]): boolean => {
    for (const testcase of suite.testcase ?? []) {
      const id = idOf([...path, nameOf(testcase)]);
      text += id.length;
      if (++count > mostTests || text > mostText) return false;
      const statuses = found.get(id);
      if (statuses) statuses.push(statusOf(testcase));
      else found.set(id, [statusOf(testcase)]);
    }
    return (suite.testsuite ?? []).every((inner) => walk(inner, [...path, nameOf(inner)]));
  };
  // An empty <testsuites/> parses to "".
  if (root.testsuites && !walk(root.testsuites, [])) return undefined;
  if (!(root.testsuite ?? []).every((suite) => walk(suite, [nameOf(suite)]))) return undefined;
  return numbered(found);
}

function numbered(found: ReadonlyMap<string, Status[]>): Tests {
  const tests = new Map<string, Status>();
  for (const [id, statuses] of found) {
    statuses.sort((a, b) => rank[b] - rank[a]);
    for (const [index, status] of statuses.entries()) {
      const key = index === 0 ? id : `${id} #${index + 1}`;
      const before = tests.get(key);
      if (before === undefined || rank[status] > rank[before]) tests.set(key, status);
    }
  }
  return Object.fromEntries(tests);
}
