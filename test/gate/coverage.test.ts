import { describe, expect, test } from "vitest";
import { changedCoverage } from "../../src/gate/coverage/changed.ts";
import { readCoverage } from "../../src/gate/coverage/lines.ts";
import { addedLines } from "../../src/gate/diff-lines.ts";
import { patch } from "./samples.ts";

const lcov = "TN:\nSF:/workspace/src/sum.mjs\nFN:1,sum\nDA:1,4\nDA:2,4\nDA:3,0\nend_of_record\n";
const cobertura = `<?xml version="1.0" ?>
<!DOCTYPE coverage SYSTEM 'http://cobertura.sourceforge.net/xml/coverage-04.dtd'>
<coverage><sources><source>/workspace</source></sources><packages><package><classes>
<class filename="src/sum.mjs"><methods/><lines><line number="2" hits="1"/><line number="3" hits="0"/></lines></class>
</classes></package></packages></coverage>`;
const goProfile = "mode: set\nexample.org/m/src/sum.mjs:1.13,2.5 1 1\nexample.org/m/src/sum.mjs:3.1,3.9 1 0\n";

describe("how much of what a patch adds was run", () => {
  test("lines that are added, not their context", () => {
    expect(addedLines(patch)).toEqual(new Map([["src/sum.mjs", new Set([2, 3])]]));
  });

  test.each([
    ["lcov", lcov],
    ["cobertura", cobertura],
    ["go", goProfile],
  ] as const)("%s", (form, text) => {
    expect(changedCoverage(form, text, patch)).toEqual({
      lines: 2,
      covered: 1,
      uncovered: [{ path: "src/sum.mjs", lines: [3] }],
    });
  });

  test("a line that one block ran has run", () => {
    const twice = `${goProfile}example.org/m/src/sum.mjs:3.1,3.5 1 1\n`;
    expect(changedCoverage("go", twice, patch)).toMatchObject({ covered: 2, uncovered: [] });
  });

  test("files that the patch does not touch, and lines that no tool measures, do not count", () => {
    expect(changedCoverage("lcov", "SF:other.mjs\nDA:2,1\nend_of_record\n", patch)).toMatchObject({ lines: 0 });
  });

  test.each([
    ["lcov", "DA:1,1\n"],
    ["lcov", "SF:a\nDA:1,x\n"],
    ["lcov", "SF:a\nDA:99999999,1\n"],
    ["lcov", ""],
    ["go", "mode: set\nno block\n"],
    ["go", "a.go:1.1,2.2 1 1\n"],
    ["go", "mode: set\na.go:1.1,99999999.2 1 1\n"],
    ["cobertura", "<coverage>"],
    ["cobertura", '<!DOCTYPE c [<!ENTITY a "b">]><coverage/>'],
    ["cobertura", "<html/>"],
  ] as const)("not a %s file: %j", (form, text) => {
    expect(readCoverage(form, text)).toBeUndefined();
    expect(changedCoverage(form, text, patch)).toBeUndefined();
  });

  test("no file is no coverage", () => {
    expect(changedCoverage("lcov", undefined, patch)).toBeUndefined();
  });
});
