/** Planner, executor and verifier never see each other's context: words of one are looked for in the sandboxes of the others. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { openHost, type TestHost } from "./daemon.ts";
import { part, parts, planOf, planTurn, tested } from "./plan-turn.ts";

let host: TestHost;
beforeAll(async () => {
  host = await openHost({
    policies: { tested },
    missions: { harnesses: ["scripted"], executors: ["scripted"], policies: ["tested"] },
  });
}, 600_000);
afterAll(() => host?.close());

/**
 * Shell that exits 3 where one of the words is found: in the arguments and environment of every process, in every mount's
 * name, and in every file that the sandbox can read. A word is written with a hole, so that the search does not find itself.
 */
const search = (words: readonly string[]) => {
  const holed = words.map((word) => `${word.slice(0, 4)}""${word.slice(4)}`).join("|");
  return [
    `w="${holed}"`,
    // First written down, then searched: the search's own arguments are no find.
    "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ /proc/self/mountinfo > /tmp/seen 2>/dev/null",
    'grep -aqE "$w" /tmp/seen && exit 3',
    'grep -rlaE --exclude-dir=proc --exclude-dir=sys --exclude-dir=node_modules --exclude-dir=usr --exclude-dir=lib "$w" / 2>/dev/null | grep -q . && exit 3',
  ].join("\n");
};

const words = {
  mission: "mark-of-the-mission",
  plan: "mark-of-the-plan",
  check: "mark-of-the-check",
  instructions: "mark-of-the-instructions",
  intent: "mark-of-the-intent",
};

it("an executor sees its brief alone, a verifier its question alone", async () => {
  const change = (id: string, file: string, forbidden: readonly string[], found: readonly string[]) =>
    part(id, {
      // The benign twin: its own words are found by the same search.
      instructions: [
        `: ${words.instructions}-${id}`,
        `(\n${search(forbidden)}\nexit 0\n) || exit 1`,
        `(\n${search(found)}\nexit 0\n)\ntest $? = 3 || exit 1`,
        `echo '//${id}' >> src/${file}.js`,
      ].join("\n"),
      intent: [
        `: ${words.intent}-${id}`,
        `(\n${search([words.mission, words.plan, words.instructions])}\nexit 0\n) || exit 1`,
        `(\n${search([`${words.intent}-${id}`])}\nexit 0\n)\ntest $? = 3 || exit 1`,
        "verdict approve",
      ].join("\n"),
      accept: [
        {
          id: "A1",
          must: `${id} is done`,
          checks: [{ run: `: ${words.check}; true` }],
        },
      ],
      writable: [`src/${file}.js`],
    });
  const outside = [words.mission, words.plan, words.check, words.intent];
  const plan = planOf(
    [
      change("B1", "one", [...outside, `${words.instructions}-B2`], [`${words.instructions}-B1`]),
      change("B2", "two", [...outside, `${words.instructions}-B1`], [`${words.instructions}-B2`]),
    ],
    {
      title: `All parts, ${words.plan}`,
      // The verifier of the whole sees the plan's intent, and no instructions of anybody.
      intent: `(\n${search([words.mission, words.instructions])}\nexit 0\n) || exit 1\nverdict approve`,
    },
  );
  const view = await planTurn(host, host.repository(undefined, parts), plan);
  expect(view.state, JSON.stringify(view, null, 1)).toBe("approved");

  // The same plan by a planner whose mission carries a word of its own, and who looks for what is the others'.
  const mission = [
    `: ${words.mission}`,
    "#!attempt 1",
    "test ! -s /brief/brief.json || exit 1",
    "cat > /tmp/plan.json <<'PLAN'",
    JSON.stringify(plan),
    "PLAN",
    "report plan /tmp/plan.json",
    "#!report",
    // What the executors printed is not in the outcome.
    `(\n${search(["scripted: Work"])}\nexit 0\n) || exit 1`,
    "echo blind > /tmp/r; report summary /tmp/r",
  ].join("\n");
  const ran = await host.cli("run", mission, "--repo", host.repository(undefined, parts).path, "--onto", "whole");
  expect(ran.code, ran.stdout + ran.stderr).toBe(0);
  expect(ran.json()).toMatchObject({ state: "approved", report: { by: "planner", text: "blind" } });
}, 240_000);
