/** go test. A planted file is an external test of the package in its folder: it is part of that package's test program. */
import type { PlantSpot, Runner } from "./runner.ts";

const packageClause = /^package[ \t]+([A-Za-z_]\w*)/m;

/** The name of the package in a folder; undefined where there is none. */
async function packageOf({ paths, read }: PlantSpot): Promise<string | undefined> {
  const files = paths.filter((path) => path.endsWith(".go"));
  // A file that is no test names the package itself; an external test has `_test` at the end of its package.
  files.sort((a, b) => Number(a.endsWith("_test.go")) - Number(b.endsWith("_test.go")) || (a < b ? -1 : 1));
  for (const file of files) {
    const name = packageClause.exec(withoutComments(await read(file)))?.[1];
    if (name !== undefined) return file.endsWith("_test.go") ? name.replace(/_test$/, "") : name;
  }
  return undefined;
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
}

export const goTest: Runner = {
  junit: { suites: true, classnames: false },
  folder: "",
  isTest: (path) => path.endsWith("_test.go") && !/(?:^|\/)(?:vendor|testdata|[._][^/]*)\//.test(path),
  async plant(spot) {
    const name = await packageOf(spot);
    if (name === undefined) return undefined;
    const mustPass = `Test_${spot.word}_holds`;
    const mustFail = `Test_${spot.word}_fails`;
    const [a, b] = spot.factors;
    return {
      name: `${spot.word}_test.go`,
      content: `package ${name}_test

import "testing"

func ${mustPass}(t *testing.T) {}

func ${mustFail}(t *testing.T) {
	a, b := int64(${a}), int64(${b})
	t.Fatalf("meant to fail: %d", a*b)
}
`,
      mustPass,
      mustFail,
    };
  },
  fallsTogether: "package",
};
