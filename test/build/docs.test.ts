import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import * as denials from "../../src/domain/denial.ts";
import { errorCodes } from "../../src/domain/error.ts";
import { modelException } from "../../src/domain/model.ts";
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
  const named = [
    "README.md",
    "AGENTS.md",
    "SPECIFICATION.md",
    "docs/security.md",
    "docs/architecture.md",
    "docs/threat-model.md",
  ].flatMap((file) =>
    [...read(file).matchAll(/`((?:src|test|docs|images|policies|tools|demo|bench)\/[A-Za-z0-9_./-]+)`/g)].map(
      ([, path]) => path ?? "",
    ),
  );
  expect(named.length).toBeGreaterThan(10);
  for (const path of named) expect(() => readFileSync(join(house, path)), path).not.toThrow(/ENOENT/);
});

const sections: [title: string, codes: readonly string[]][] = [
  ["The policy's rules", denials.ruleDenials],
  // Those that a rule can say too stand with the rules.
  [
    "The form of a request",
    denials.framingDenials.filter((code) => !(denials.ruleDenials as readonly string[]).includes(code)),
  ],
  ["Tunnels", denials.tunnelDenials],
  ["Where it leads, and what it carries", denials.carriageDenials],
  ["The gateway's own paths", denials.ownDenials],
  ["Model routes", denials.modelDenials],
  ["What the host answers to a verb", denials.verbDenials],
  ["Only in the record", denials.recordedEnds],
];

const lists = Object.values(denials).filter((one) => typeof one !== "function");

it("docs/denials.md lists every code of a denial in its section, and no other", () => {
  const documented = read("docs/denials.md")
    .split(/^## /m)
    .slice(1)
    .map((section) => [
      section.split("\n")[0],
      [...section.matchAll(/^\| `([^`]+)` \| [^|]+ \| [^|]*\|$/gm)].map(([, code]) => code),
    ]);
  expect(documented).toEqual(sections);
  expect(lists.flat().length).toBe(sections.flatMap(([, codes]) => codes).length + 2);
});

it("every code of a denial is one that the source says", () => {
  const source = readdirSync(join(house, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && file !== "domain/denial.ts")
    .map((file) => read(`src/${file}`))
    .join("\n");
  const unsaid = lists
    .flat()
    .filter(
      (code) =>
        !source.includes(`"${code}"`) && !(modelException.options as string[]).includes(code.replace(/^model-/, "")),
    );
  expect(unsaid).toEqual([]);
});
