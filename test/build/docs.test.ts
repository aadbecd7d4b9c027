import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { errorCodes } from "../../src/domain/error.ts";
import { rejectionReason } from "../../src/domain/rejection.ts";

const house = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(house, path), "utf8");
const rows = [...read("docs/errors.md").matchAll(/^\| `([^`]+)` \| (\d|[^|]+) \|/gm)].map(
  ([, code, second]) => [code, second] as const,
);

it("docs/errors.md lists every error code with its exit code, and no other", () => {
  const documented = Object.fromEntries(
    rows.filter(([, second]) => /^\d$/.test(second ?? "")).map(([code, exit]) => [code, Number(exit)]),
  );
  expect(documented).toEqual({ ...errorCodes });
});

it("docs/errors.md lists every reason for a rejection, and no other", () => {
  const documented = rows.filter(([, second]) => !/^\d$/.test(second ?? "")).map(([code]) => code);
  expect(documented.sort()).toEqual([...rejectionReason.options].sort());
});

it("every file that docs and README name is there", () => {
  const named = ["README.md", "AGENTS.md", "SPECIFICATION.md", "docs/security.md"].flatMap((file) =>
    [...read(file).matchAll(/`((?:src|test|docs|images|policies|tools|demo|bench)\/[A-Za-z0-9_./-]+)`/g)].map(
      ([, path]) => path ?? "",
    ),
  );
  expect(named.length).toBeGreaterThan(10);
  for (const path of named) expect(() => readFileSync(join(house, path)), path).not.toThrow(/ENOENT/);
});
