// Refutation: the tests became weaker. A change is shown by tests, so what they lose the change must not gain from.
import { added, removed } from "./diff.mjs";
import { bareCodeOf, codeOf, isConfiguration, isTest } from "./language.mjs";

const assertion =
  /\b(?:expect|assert\w*|should|t\.(?:is|deepEqual|equal|true|false|ok|Error|Fatal)\w*|require\.\w+|XCTAssert\w*|EXPECT_\w+|ASSERT_\w+|verify)\s*[(!.]|^\s*assert\s/;
const weakAssertion =
  /\.(?:toBeTruthy|toBeDefined|toBeFalsy|toBeAny)\(|\bassert(?:\.ok)?\(\s*\w+\s*\)|\bassertTrue\(|\bassertIsNotNone\(|\bassertNotNull\(|\.not\.(?:toThrow|toBeNull|toBeUndefined)\(\s*\)/;
const emptyAssertion =
  /\bexpect\(\s*(true|1|""|null)\s*\)\.(?:toBe|toEqual|toStrictEqual)\(\s*\1\s*\)|\bassert(?:\.ok|True)?\(\s*(?:true|True|1)\s*[,)]|^\s*assert\s+True\b|\bassert(?:Equals?|\.equal|\.strictEqual|_eq!)\(\s*(\w+)\s*,\s*\2\s*\)/;
const declared =
  /\b(?:it|test|specify)(?:\.\w+)?\s*\(\s*["'`]|\bdef\s+test_?\w*|\bfunc\s+(?:\([^)]*\)\s*)?Test\w+|@Test\b|#\[test\]|\bTEST(?:_F|_P)?\(/;
const switchedOff =
  /\b(?:it|test|describe|context|suite|specify)\.(?:only|skip|todo|fixme|failing|fails)\b|\b(?:xit|xdescribe|xtest|xcontext|fit|fdescribe)\s*\(|@pytest\.mark\.(?:skip|skipif|xfail)|\bpytest\.(?:skip|xfail)\(|@unittest\.(?:skip\w*|expectedFailure)|@(?:Ignore|Disabled)\b|#\[ignore|\bt\.(?:Skip|SkipNow|Skipf|skip|todo)\(|\{\s*(?:skip|todo|only)\s*:\s*(?!false)/;
const runnerSwitch =
  /passWithNoTests|testPathIgnorePatterns|\bdeselect\b|--ignore\b|\bexclude\b|\bbail\b|\bretry\b|\bretries\b|continue-on-error|--exit-zero|\|\|\s*(?:true|:|exit 0)/;
const loaders = /\b(?:NODE_OPTIONS|LD_PRELOAD|PYTHONSTARTUP|BASH_ENV)\b\s*[=:]/;

/** Findings where tests are switched off, removed, emptied or weakened. */
export function weakenedTests({ files, report }) {
  return files.flatMap((file) => {
    if (!isTest(file.path)) return [];
    return [...switchedOffIn(file), ...emptiedIn(file), ...removedFrom(file, report)];
  });
}

function switchedOffIn(file) {
  const before = new Set(removed(file).map((l) => l.text.trim()));
  return added(file)
    .filter(({ text }) => switchedOff.test(bareCodeOf(text, file.path)) && !before.has(text.trim()))
    .map(({ line }) => ({
      path: file.path,
      line,
      what: "this switches a test off, or all others (.only)",
      why: "a test that does not run shows nothing: let every test run",
    }));
}

function emptiedIn(file) {
  return added(file)
    .filter(({ text }) => emptyAssertion.test(codeOf(text, file.path)))
    .map(({ line }) => ({
      path: file.path,
      line,
      what: "this assertion is true whatever the code does",
      why: "it tests nothing: assert on a value that the code under test made",
    }));
}

function removedFrom(file, report) {
  const knowsTests = Object.keys(report.base?.tests ?? {}).length > 0;
  if (file.status === "deleted") {
    // Where the host knows each test by name, its own answer counts: a moved test is not a lost one.
    if (knowsTests && report.disappeared.length === 0) return [];
    return [
      {
        path: file.path,
        what: `the test file ${file.path} was deleted`,
        why: "what it showed is shown no more: keep it",
      },
    ];
  }
  const code = (lines) => lines.map((l) => ({ ...l, code: codeOf(l.text, file.path).trim() }));
  const gone = withoutMoved(code(removed(file)), code(added(file)));
  const come = withoutMoved(code(added(file)), code(removed(file)));
  const findings = [];
  const count = (lines, pattern) => lines.filter((l) => pattern.test(l.code)).length;
  const lost = gone.find((l) => declared.test(l.code));
  if (lost && count(gone, declared) > count(come, declared) && !(knowsTests && report.disappeared.length === 0)) {
    findings.push({
      path: file.path,
      line: lost.line,
      what: "a test was removed here",
      why: "put it back: a test may change only when its meaning does",
    });
  }
  const dropped = gone.find((l) => assertion.test(l.code));
  if (dropped && count(gone, assertion) > count(come, assertion)) {
    findings.push({
      path: file.path,
      line: dropped.line,
      what: `assertions were removed here: ${count(gone, assertion)} went, ${count(come, assertion)} came`,
      why: "the tests show less than before: keep what they asserted",
    });
  } else if (dropped && count(come, weakAssertion) > count(gone, weakAssertion) && !weakAssertion.test(dropped.code)) {
    const weak = come.find((l) => weakAssertion.test(l.code));
    findings.push({
      path: file.path,
      line: weak.line,
      what: "an exact assertion became a vague one",
      why: "assert the exact value, as before",
    });
  }
  return findings;
}

/** The lines of one side whose text is not also on the other: what was only moved was not changed. */
function withoutMoved(lines, others) {
  const left = new Map();
  for (const { code } of others) left.set(code, (left.get(code) ?? 0) + 1);
  return lines.filter(({ code }) => {
    const count = left.get(code) ?? 0;
    if (count > 0) left.set(code, count - 1);
    return code !== "" && count === 0;
  });
}

/** Findings where the way tests are run was changed so that less runs, or so that code loads before them. */
export function changedRunner({ files }) {
  return files.flatMap((file) => {
    if (/(?:^|\/)(?:sitecustomize|usercustomize)\.py$/.test(file.path) && file.status !== "deleted") {
      return [
        {
          path: file.path,
          line: added(file)[0]?.line,
          what: `${file.path} runs before every program`,
          why: "code loaded before the tests can change them: remove it",
        },
      ];
    }
    return added(file)
      .filter(
        ({ text }) =>
          (isConfiguration(file.path) && runnerSwitch.test(text)) ||
          (!isTest(file.path) && loaders.test(codeOf(text, file.path))),
      )
      .map(({ line }) => ({
        path: file.path,
        line,
        what: "this changes how the tests are run or what is loaded before them",
        why: "the tests must run as they ran on the base: leave their configuration as it is",
      }));
  });
}
