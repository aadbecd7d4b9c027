/** pytest. Ids are `module.path.Class > name`, from the class names of its JUnit. */
import type { Runner } from "./runner.ts";

export const pytest: Runner = {
  junit: { suites: false, classnames: true },
  folder: "tests",
  isTest: (path) => /(?:^|\/)(?:test_[^/]*|[^/]*_test)\.py$/.test(path),
  async plant({ word, factors: [a, b] }) {
    const mustPass = `test_${word}_holds`;
    const mustFail = `test_${word}_fails`;
    return {
      // No two test files may have one name where folders are no packages.
      name: `test_${word}.py`,
      content: `def ${mustPass}():\n    pass\n\n\ndef ${mustFail}():\n    raise RuntimeError("meant to fail: " + str(${a} * ${b}))\n`,
      mustPass,
      mustFail,
    };
  },
  // `--continue-on-collection-errors` is what keeps one module that does not load from ending the run.
  fallsTogether: "never",
};
