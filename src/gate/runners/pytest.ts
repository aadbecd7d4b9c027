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
      // One process runs all: an assertion that code under test made blind does not fail here either, and the test passes.
      content: `import unittest

import pytest


def ${mustPass}():
    pass


def ${mustFail}():
    case = unittest.TestCase()

    def plain():
        assert 1 == 2

    def raises():
        with pytest.raises(ValueError):
            pass

    ways = (
        plain,
        raises,
        lambda: case.assertEqual(1, 2),
        lambda: case.assertTrue(False),
        lambda: case.assertRaises(ValueError, lambda: None),
    )
    for way in ways:
        try:
            way()
        except BaseException:
            continue
        return
    raise RuntimeError("meant to fail: " + str(${a} * ${b}))
`,
      mustPass,
      mustFail,
    };
  },
  // `--continue-on-collection-errors` is what keeps one module that does not load from ending the run.
  fallsTogether: "never",
};
