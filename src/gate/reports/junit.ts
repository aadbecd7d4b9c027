/** Reads a JUnit XML report. The file was written beside the code under test: a claim, bounded and parsed strictly. */
import { XMLParser, XMLValidator } from "fast-xml-parser";
import { type Collector, collector, type SaidReport, type Status } from "./collect.ts";

interface XmlSuite {
  "@name"?: string;
  testsuite?: XmlSuite[];
  testcase?: XmlCase[];
}
interface XmlCase {
  "@name"?: string;
  "@classname"?: string;
  failure?: unknown[];
  error?: unknown[];
  skipped?: unknown[];
}

/** Which of a report's names make an id. Every runner fills them in its own way. */
export interface JunitNames {
  suites: boolean;
  /** Used where it says something that the suites and the name do not. */
  classnames: boolean;
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  parseAttributeValue: false,
  parseTagValue: false,
  isArray: (name) => ["testsuite", "testcase", "failure", "error", "skipped"].includes(name),
});

function statusOf(testcase: XmlCase): Status {
  if (testcase.failure || testcase.error) return "failed";
  return testcase.skipped ? "skipped" : "passed";
}

// Node's reporter escapes quotes twice; other runners do not write the entity.
const plain = (text: unknown): string => String(text ?? "").replaceAll("&quot;", '"');

/**
 * Test ids (`suite > suite > name`) with their status. `undefined` when the text is not a JUnit report, or one beyond all
 * bounds. Document type declarations are refused: they could define entities.
 */
export function parseJunit(
  xml: string,
  names: JunitNames = { suites: true, classnames: false },
  mark = "",
): SaidReport | undefined {
  if (/<!DOCTYPE/i.test(xml)) return undefined;
  try {
    return XMLValidator.validate(xml) === true ? readSuites(parser.parse(xml), names, collector(mark)) : undefined;
  } catch {
    // Nested deeper than the stack, or a name that the parser refuses: no runner writes that.
    return undefined;
  }
}

function readSuites(
  root: { testsuites?: XmlSuite | ""; testsuite?: XmlSuite[] },
  names: JunitNames,
  into: Collector,
): SaidReport | undefined {
  if (root.testsuites === undefined && root.testsuite === undefined) return undefined;
  const walk = (suite: XmlSuite, path: readonly string[]): boolean => {
    for (const testcase of suite.testcase ?? []) {
      const own = plain(testcase["@name"]);
      const way = names.suites ? [...path] : [];
      const classname = names.classnames ? plain(testcase["@classname"]) : "";
      if (classname !== "" && classname !== way.at(-1)) way.push(classname);
      const said = testcase.failure ?? testcase.error;
      if (!into.add([...way, own], statusOf(testcase), said && JSON.stringify(said))) return false;
    }
    return (suite.testsuite ?? []).every((inner) => walk(inner, [...path, plain(inner["@name"])]));
  };
  // An empty <testsuites/> parses to "".
  if (root.testsuites && !walk(root.testsuites, [])) return undefined;
  if (!(root.testsuite ?? []).every((suite) => walk(suite, [plain(suite["@name"])]))) return undefined;
  return into.report();
}
