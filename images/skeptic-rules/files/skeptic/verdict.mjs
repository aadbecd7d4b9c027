// From findings to a verdict: approve only when every criterion is shown by a check and no attempt to refute succeeded.

import { hiddenCode, recognisedTests, sideEffects, stubs, swallowedErrors } from "./code-smells.mjs";
import { added } from "./diff.mjs";
import { deceptiveCharacters, wordsForTheVerifier } from "./hidden-text.mjs";
import { isTest } from "./language.mjs";
import { failedChecks, lostTests, testsNotGreen } from "./report-rules.mjs";
import { unaskedChanges } from "./scope.mjs";
import { specialCases } from "./special-cases.mjs";
import { changedRunner, weakenedTests } from "./test-changes.mjs";
import { unaskedReach } from "./unasked-reach.mjs";

/** Every attempt to refute, in order, by what it tries. */
export const attempts = [
  {
    tried: "is there a change at all?",
    rule: ({ files }) => (files.length > 0 ? [] : [{ what: "the diff is empty", why: "nothing was done" }]),
  },
  { tried: "do the tests fail, or is their report forged?", rule: testsNotGreen },
  { tried: "did tests disappear, or are they skipped now?", rule: lostTests },
  { tried: "does a check of the planner's fail?", rule: failedChecks },
  { tried: "does the code single out the examples of a criterion?", rule: specialCases },
  { tried: "were tests switched off, removed or weakened?", rule: weakenedTests },
  { tried: "was the way tests are run changed?", rule: changedRunner },
  { tried: "are errors swallowed?", rule: swallowedErrors },
  { tried: "is something a stub, or a constant where it computed?", rule: stubs },
  { tried: "does the code recognise that it is tested?", rule: recognisedTests },
  { tried: "does library code end the process, act on loading or replace shared objects?", rule: sideEffects },
  { tried: "is code made from text or hidden in data?", rule: hiddenCode },
  { tried: "does library code reach for network, programs, files or environment unasked?", rule: unaskedReach },
  { tried: "does the change talk to its verifier?", rule: wordsForTheVerifier },
  { tried: "do invisible or look-alike characters deceive the reader?", rule: deceptiveCharacters },
  { tried: "was something changed that nobody asked for?", rule: unaskedChanges },
];

/** The verdict on a case: `{files, report, accept, intent}`. The words in it are this verifier's own. */
export function judge(subject) {
  const refutations = [];
  const findings = [];
  for (const { tried, rule } of attempts) {
    const found = applied(rule, subject);
    findings.push(...found);
    refutations.push({
      tried,
      found: found.length > 0,
      detail: found.slice(0, 10).map(oneLine).join("; ").slice(0, 3900),
    });
  }
  const criteria = subject.accept.map((criterion) => answer(criterion, subject, findings));
  const feedback = findings.map(({ path, line, what, why }) => ({
    ...(path === undefined ? {} : { path }),
    ...(line === undefined ? {} : { line }),
    what: what.slice(0, 1900),
    why: why.slice(0, 1900),
  }));
  for (const { id, status, why } of criteria)
    if (status === "unproven") feedback.push({ what: `criterion ${id} is unproven`, why });
  const approved = findings.length === 0 && criteria.length > 0 && criteria.every((c) => c.status === "met");
  const decision = approved ? "approve" : findings.some((f) => f.hard) ? "reject-hard" : "reject";
  return { decision, criteria, refutations, feedback: feedback.slice(0, 50) };
}

/** A rule that cannot be applied to a change has not cleared it. */
function applied(rule, subject) {
  try {
    return rule(subject);
  } catch (error) {
    return [
      {
        what: `this rule cannot be applied to the change: ${error.message}`,
        why: "what cannot be examined is not approved",
      },
    ];
  }
}

function answer({ id, must }, subject, findings) {
  const against = findings.find((f) => f.criterion === id);
  const checks = subject.report.checks.filter((c) => c.criterion === id);
  if (against) {
    const place = against.path !== undefined && against.line !== undefined && isInDiff(subject, against);
    const evidence = [
      ...checks.filter((c) => !c.ok).map((c) => ({ check: c.id })),
      ...(place ? [{ path: against.path, line: against.line }] : []),
    ];
    return {
      id,
      status: "unmet",
      evidence: evidence.slice(0, 50),
      why: `${against.what}: ${against.why}`.slice(0, 3900),
    };
  }
  const proved = asksForTests(must) ? provedTests(subject) : [];
  if (checks.length === 0 && proved.length > 0)
    return {
      id,
      status: "met",
      evidence: proved,
      why: "tests are what it asks for, and the host saw these fail without the change; no attempt to refute it succeeded",
    };
  if (checks.length === 0)
    return {
      id,
      status: "unproven",
      evidence: [],
      why: "no check of the planner's shows it, and the diff alone is no proof",
    };
  return {
    id,
    status: "met",
    evidence: [
      ...checks.map((c) => ({ check: c.id })),
      ...relatedTests(must, subject.report),
      ...relatedLines(must, subject.files),
    ].slice(0, 50),
    why: `shown by ${checks.map((c) => c.id).join(", ")}; no attempt to refute it succeeded`,
  };
}

/** Whether a criterion asks for tests themselves: then a test that needs the change is the very thing. */
export function asksForTests(must) {
  return /\btests?\b[^.;]*\b(?:cover|show|pin|exercise|prove)|\b(?:covered|shown|pinned|exercised|proved|proven) by\b[^.;]*\btests?\b/i.test(
    must,
  );
}

/** New tests that the host saw fail, or not even load, on the base, and pass on the result. */
function provedTests({ report }) {
  const before = report.base?.tests ?? {};
  return report.failToPass
    .filter((id) => !Object.hasOwn(before, id) && report.proposal?.tests[id] === "passed")
    .slice(0, 20)
    .map((test) => ({ test }));
}

function isInDiff({ files }, { path, line }) {
  return files.some(
    (f) => f.newPath === path && f.hunks.some((h) => line >= h.newStart && line < h.newStart + h.newCount),
  );
}

/** Tests that fail without the change and pass with it, and that share a telling word with the criterion. */
function relatedTests(must, report) {
  const words = tellingWords(must);
  return report.failToPass
    .filter((id) => report.proposal?.tests[id] === "passed" && tellingWords(id).some((word) => words.includes(word)))
    .slice(0, 5)
    .map((test) => ({ test }));
}

/** Added lines outside the tests that name something the criterion names. */
function relatedLines(must, files) {
  const names = [...must.matchAll(/[\p{L}_$][\p{L}\p{N}_$]*(?=\()|\b\p{Ll}+\p{Lu}[\p{L}\p{N}]*|\b\w+_\w+/gu)].map(
    ([name]) => name,
  );
  return files
    .filter((file) => file.newPath !== null && !isTest(file.path))
    .flatMap((file) =>
      added(file)
        .filter(({ text }) => names.some((name) => text.includes(name)))
        .map(({ line }) => ({ path: file.newPath, line })),
    )
    .slice(0, 5);
}

function tellingWords(text) {
  return text.toLowerCase().match(/[\p{L}\d]{5,}/gu) ?? [];
}

function oneLine({ path, line, what }) {
  return `${path === undefined ? "" : `${JSON.stringify(path)}${line === undefined ? "" : `:${line}`}: `}${what}`;
}
