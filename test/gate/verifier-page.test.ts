/** docs/verifier.md says what the host does: its examples are sent, its verifier is run. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { caseReadme } from "../../src/gate/case-readme.ts";
import { openDesk } from "../../src/gate/verdict-desk.ts";
import { askedOf } from "../../src/gate/verifier.ts";
import { openTheatre, type Theatre } from "../delegation/live-loop.ts";
import { faults } from "./misbehaving-model.ts";
import { reportOf, runOf } from "./samples.ts";

const page = readFileSync(new URL("../../docs/verifier.md", import.meta.url), "utf8");
const block = (kind: string) => new RegExp(`\`\`\`${kind}\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1] ?? "";
const answers = [...page.matchAll(/<!-- answer: (\d+) ?(\S*) -->\n```json\n([\s\S]*?)```/g)];
const accept = [{ id: "A1", must: "cents() rounds", checks: [] }];
const report = reportOf({
  proposal: runOf({ rounds: "passed" }),
  checks: [{ id: "A1.1", criterion: "A1", kind: "run", ok: true, found: [], detail: "" }],
});

test.each(answers.map(([, status, at, json]) => [Number(status), at ?? "", json ?? ""] as const))(
  "an example that is answered %d %s",
  (status, at, json) => {
    const desk = openDesk(askedOf({ accept }, Buffer.from(block("diff")), report, undefined));
    const answer = desk.take(JSON.parse(json));
    expect(answer.status).toBe(status);
    const { problems = [] } = answer.body as { problems?: { at: string }[] };
    expect(problems.map((one) => one.at)).toEqual(at ? [at] : []);
  },
);

test("has examples of both, names every file of a case, and counts the ways to misbehave", () => {
  expect(answers.length).toBeGreaterThanOrEqual(4);
  for (const name of caseReadme(true).match(/`[a-z.]+\.(?:json|txt|patch)`/g) ?? [])
    expect(page).toContain(`| ${name} |`);
  expect(page).toContain(`misbehaves in ${Object.keys(faults).length} ways`);
});

test("the README of a case has examples that are taken", () => {
  const diff = block("diff").replaceAll("src/money.js", "src/a.js");
  const examples = [...caseReadme(false).matchAll(/```json\n([\s\S]*?)```/g)].map(([, json]) => JSON.parse(json ?? ""));
  expect(examples.map((one) => one.decision)).toEqual(["approve", "reject"]);
  for (const one of examples)
    expect(openDesk(askedOf({ accept }, Buffer.from(diff), report, undefined)).take(one).status).toBe(200);
});

let theatre: Theatre;
beforeAll(async () => {
  theatre = await openTheatre("export const sum = (a, b) => a - b;\n");
});
afterAll(() => theatre?.close());

test("the verifier of the page judges in a sandbox", { timeout: 90_000 }, async () => {
  const command = ["node", "--input-type=module", "-e", block("js")];
  const { record, reasons } = await theatre.play({
    executor: "sed -i s/-/+/ src/sum.mjs",
    verifiers: {},
    harnesses: { skeptic: { command } },
    policy: { budget: { wall: 30_000, requests: 10, attempts: 1, patch: 65_536, output: 65_536 } },
  });
  expect([record.state, reasons[0]]).toEqual(["rejected", ["verdict-reject", "verdict-unproven"]]);
});
