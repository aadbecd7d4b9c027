/** cargo test. A planted file is a test program of its own (`tests/<word>.rs`) beside those of the crate. */
import type { Runner } from "./runner.ts";

export const cargo: Runner = {
  junit: { suites: true, classnames: false },
  folder: "tests",
  // Only what lies directly in a crate's `tests` is a test program; unit tests are in the sources, where none is planted.
  isTest: (path) => /^tests\/[^/]+\.rs$/.test(path),
  async plant({ word, factors: [a, b] }) {
    const mustPass = `${word}_holds`;
    const mustFail = `${word}_fails`;
    return {
      name: `${word}.rs`,
      content: `#[test]
fn ${mustPass}() {}

#[test]
fn ${mustFail}() {
    let (a, b): (u64, u64) = (${a}, ${b});
    panic!("meant to fail: {}", a * b);
}
`,
      mustPass,
      mustFail,
    };
  },
  fallsTogether: "all",
};
