// Refutations on the host's test report. It is the host's own evidence; what it does not say is not shown.

/** Findings where a run of the tests is not green, not believed, or lost something. */
export function testsNotGreen({ report }) {
  const findings = [];
  const say = (what, why) => findings.push({ what, why });
  for (const [name, run] of [
    ["the result tree", report.proposal],
    ["the result tree with the base's own tests", report.proven],
  ]) {
    if (!run) continue;
    if (run.forged)
      say(
        `the report of the tests on ${name} is not believed: ${run.forged}`,
        "code under test must not write its own report",
      );
    if (!run.green) {
      const failed = Object.entries(run.tests)
        .filter(([, status]) => status === "failed")
        .map(([id]) => id);
      say(
        `the tests on ${name} are not green${failed.length > 0 ? `: ${failed.slice(0, 5).join(", ")}` : ` (they ended with ${run.exit ?? run.ended})`}`,
        "every test must pass: make them pass without changing what they say",
      );
    }
  }
  if (report.tested && !report.proposal)
    say("the tests were not run on the result tree", "nothing shows that the change works");
  for (const id of report.broken)
    say(`the test ${id} passed before and fails now`, "the change broke it: mend the code, not the test");
  return findings;
}

/** Findings where a test is gone or no longer runs. */
export function lostTests({ report }) {
  return [
    ...report.disappeared.map((id) => ({
      what: `the test ${id} has disappeared`,
      why: "put it back: what it showed is shown no more",
    })),
    ...report.newlySkipped.map((id) => ({
      what: `the test ${id} is now skipped`,
      why: "let it run: a skipped test shows nothing",
    })),
  ];
}

/** Findings where a check of the planner's failed. */
export function failedChecks({ report }) {
  return report.checks
    .filter((check) => !check.ok)
    .flatMap((check) => {
      const say = {
        criterion: check.criterion,
        what: `check ${check.id} (${check.kind}) failed${check.detail ? `: ${check.detail}` : ""}`,
        why: `criterion ${check.criterion} is not met`,
      };
      return check.found.length > 0 ? check.found.slice(0, 5).map(({ path, line }) => ({ ...say, path, line })) : [say];
    });
}
