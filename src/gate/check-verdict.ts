/**
 * Whether an answer is a verdict that the host can use, and if not, what is to be mended and how, so that a weak model can
 * follow it. Nothing here decides on the proposal, and no `use` ever leads to an approval. Pure.
 */
import type { RejectionReason } from "../domain/rejection.ts";
import type { TestReport } from "../domain/test-report.ts";
import { type Evidence, type Feedback, type Verdict, verdict as verdictSchema } from "../domain/verdict.ts";
import type { DiffLines } from "./diff-lines.ts";
import { fileOf, isLine, isPlace, missing, onlyContext, unresolved } from "./evidence.ts";
import { cut } from "./printable.ts";
import { countsAgain, type Review } from "./review.ts";
import { showName } from "./show-text.ts";

/** What the verifier was asked, and what its answer is resolved against. */
export interface Asked {
  criteria: readonly { id: string }[];
  lines: DiffLines;
  report: TestReport;
  /** From the second turn on: what was found before, and what has changed since. */
  review?: Review | undefined;
}

/** One thing to mend. `use` is a value that can stand at `at` instead; null: leave it out. */
export interface Problem {
  at: string;
  reason: RejectionReason;
  what: string;
  mend: string;
  use?: unknown;
}

/** The most problems that one answer names. */
const mostProblems = 20;

/** The verdict in a body, or what is wrong with it. */
export function checkVerdict(body: unknown, asked: Asked): { verdict: Verdict } | { problems: Problem[] } {
  const parsed = verdictSchema.safeParse(body);
  const problems = parsed.success
    ? [...meaning(parsed.data, asked)]
    : parsed.error.issues.flatMap((issue) => schemaProblems(issue as Issue));
  if (parsed.success && problems.length === 0) return { verdict: parsed.data };
  const fitted = problems.slice(0, mostProblems).map((one) => ({
    ...one,
    at: showName(one.at, 200),
    what: cut(one.what, 600),
    mend: cut(one.mend, 900),
  }));
  return { problems: fitted };
}

type Issue = { path: PropertyKey[]; message: string; code: string; keys?: readonly string[] };

/** What each part of a verdict looks like, by where it stands; and what it can be where nothing better is known. */
const forms: readonly (readonly [at: RegExp, form: string, use?: unknown])[] = [
  [/^decision$/, '"approve", "reject" or "reject-hard"', "reject"],
  [/^criteria$/, "a list with one answer for each criterion", []],
  [/^criteria\.\d+$/, '{"id", "status", "evidence", "why"}', null],
  [/^criteria\.\d+\.status$/, '"met", "unmet" or "unproven"', "unproven"],
  [/^criteria\.\d+\.evidence$/, "a list of pointers; it may be empty", []],
  [
    /^criteria\.\d+\.evidence\.\d+$/,
    'exactly one of {"path": "src/a.js", "line": 12}, {"test": "its id"} and {"check": "A1.1"}',
    null,
  ],
  [/^criteria\.\d+\.why$/, "a text that is not empty"],
  [/^refutations$/, "a list of what you tried; it may be empty in a rejection", []],
  [/^refutations\.\d+$/, '{"tried", "how", "found", "detail"}', null],
  [/^refutations\.\d+\.found$/, "true or false"],
  [/^refutations\.\d+\.(?:how|detail)$/, "a text; it may be left out", null],
  [/^feedback$/, "a list of what is to be mended", []],
  [/^feedback\.\d+$/, '{"path", "line", "what", "why"}; path and line may be left out', null],
  [/^feedback\.\d+\.(?:path|line|blocking|because)$/, "a path of the diff, a line number; it may be left out", null],
];

/** One problem for each thing that is not of the form; an unknown key is named by its place. */
function schemaProblems({ path, message, code, keys = [] }: Issue): Problem[] {
  const at = path.map(String).join(".");
  const reason = "verdict-malformed";
  // A key with a dot has no place of its own in this notation.
  if (code === "unrecognized_keys" && keys.every((key) => /^[^.]{1,100}$/.test(key))) {
    return keys.map((key) => ({
      at: at === "" ? key : `${at}.${key}`,
      reason,
      what: `the form has no ${JSON.stringify(showName(key, 100))} here`,
      mend: "Leave it out.",
      use: null,
    }));
  }
  const form = forms.find(([place]) => place.test(at));
  const mend = form
    ? `It is ${form[1]}.`
    : "Send it in the form of /case/verdict.schema.json; /case/README.md has an example.";
  const use = form?.[2];
  return [{ at, reason, what: showName(message, 500), mend, ...(use === undefined ? {} : { use }) }];
}

function* meaning(verdict: Verdict, asked: Asked): Generator<Problem> {
  yield* answered(verdict, asked);
  for (const [index, criterion] of verdict.criteria.entries()) yield* evidenced(criterion, index, asked);
  if (verdict.decision === "approve") yield* approval(verdict);
  else yield* rejection(verdict, asked);
  for (const [index, item] of verdict.feedback.entries()) yield* actionable(item, `feedback.${index}`, asked);
}

/** Each criterion that was asked has one answer, and nothing else has. */
function* answered({ criteria }: Verdict, asked: Asked): Generator<Problem> {
  const ids = asked.criteria.map(({ id }) => id);
  const reason = "verdict-incomplete";
  const seen = new Set<string>();
  for (const [index, { id }] of criteria.entries()) {
    const at = `criteria.${index}`;
    if (!ids.includes(id)) {
      const what = `${showName(id)} was not asked`;
      yield { at, reason, what, mend: `Take it out: the criteria are ${ids.join(", ")}.`, use: null };
    } else if (seen.has(id)) {
      yield { at, reason, what: `${id} is answered twice`, mend: "Take out one of the two.", use: null };
    }
    seen.add(id);
  }
  for (const id of ids.filter((one) => !seen.has(one))) {
    const use = { id, status: "unproven", evidence: [], why: "It was not examined." };
    const mend = `Add an answer for ${id} to criteria. Where nothing shows that it is met, its status is "unproven".`;
    yield { at: `criteria.${criteria.length}`, reason, what: `${id} has no answer`, mend, use };
  }
}

/** Pointers name what is there; those of a met criterion show it, and not by what was there before. */
function* evidenced(criterion: Verdict["criteria"][number], index: number, asked: Asked): Generator<Problem> {
  const { lines, report } = asked;
  const { id, evidence } = criterion;
  const met = criterion.status === "met";
  let wrong = false;
  for (const [n, pointer] of evidence.entries()) {
    const why = met ? unresolved(pointer, lines, report) : missing(pointer, lines, report);
    if (why === undefined) continue;
    wrong = true;
    const at = `criteria.${index}.evidence.${n}`;
    yield { at, reason: "verdict-unresolved", what: `${id}: ${why}`, mend: otherPointer(pointer, asked), use: null };
  }
  if (!met || wrong) return;
  const at = `criteria.${index}.status`;
  if (evidence.length === 0) {
    const mend = `Point to what shows it (a changed line, a test or a check that passed), or say "unproven".`;
    yield { at, reason: "verdict-unproven", what: `${id} is called met without evidence`, mend, use: "unproven" };
  } else if (onlyContext(evidence, lines)) {
    const what = `${id}: all its evidence is code that the change left as it was`;
    const mend = `Point to a line that was added, a removed one ("side": "old"), a test or a check; or say "unproven".`;
    yield { at, reason: "verdict-unresolved", what, mend, use: "unproven" };
  }
}

function otherPointer(pointer: Evidence, { lines, report }: Asked): string {
  const or = "or leave this pointer out";
  if ("check" in pointer) return `The checks are ${listed(report.checks.map((c) => c.id))}; name one of them, ${or}.`;
  if ("test" in pointer) return `Name a test of report.proposal.tests that passed, by its whole id, ${or}.`;
  const file = fileOf(lines, pointer.path);
  if (!file) return `The files of the diff are ${listed([...lines.keys()])}; name one of them, ${or}.`;
  if (pointer.side === "old") return `Its removed lines are ${ranges(file.removed)}; name one of them, ${or}.`;
  return `The diff shows its lines ${ranges(file)}; name one of them, ${or}.`;
}

/** An approval says of everything that it is met, and that it was tried to refute it. */
function* approval({ criteria, refutations }: Verdict): Generator<Problem> {
  const mend = 'Decide "reject" and say in feedback what is to be mended.';
  for (const { id, status } of criteria.filter((one) => one.status !== "met")) {
    const reason = status === "unmet" ? "verdict-unmet" : "verdict-unproven";
    yield { at: "decision", reason, what: `${id} is ${status}: that is no approval`, mend, use: "reject" };
  }
  if (refutations.length === 0) {
    const what = "an approval needs at least one attempt to refute, with what was tried and what came out";
    const how = 'Try to refute the change and write down what you tried; or decide "reject".';
    yield { at: "decision", reason: "verdict-without-refutation", what, mend: how, use: "reject" };
  }
  for (const [index, one] of refutations.entries()) {
    if (!one.found) continue;
    const what = `attempt ${index + 1} found something, so this is no approval`;
    yield { at: "decision", reason: "verdict-unmet", what, mend, use: "reject" };
  }
}

/** A rejection says what is to be mended, and in a review of a delta it is about what may still be found. */
function* rejection({ criteria, feedback }: Verdict, asked: Asked): Generator<Problem> {
  const open = criteria.filter((one) => one.status !== "met");
  if (feedback.length === 0) {
    const all = open.length === 0;
    yield {
      at: "feedback",
      reason: all ? "verdict-contradictory" : "verdict-not-actionable",
      what: all
        ? "every criterion is met, and nothing is to be mended: that is no rejection"
        : "nothing is to be mended",
      mend: 'Add {"path", "line", "what", "why"} for each thing to mend; without path and line it is about the whole change.',
      ...(all
        ? {}
        : {
            use: open.slice(0, 20).map(({ id, status, why }) => ({ what: `${id} is ${status}`, why: cut(why, 2000) })),
          }),
    };
    return;
  }
  const { review } = asked;
  if (review && !feedback.some((item) => countsAgain(item, review))) {
    yield {
      at: "feedback",
      reason: "verdict-not-actionable",
      what: "all of it is new, and about code that has not changed since your last verdict",
      mend: 'Where it must be mended all the same, add "blocking": true and "because"; else leave it as notes, and decide by the rest.',
    };
  }
}

/** Feedback says something, about a place that its reader can find. */
function* actionable(item: Feedback, at: string, { lines, report }: Asked): Generator<Problem> {
  const reason = "verdict-not-actionable";
  const says = (text: string) => (text.match(/[\p{L}\p{N}]/gu) ?? []).length >= 2;
  for (const key of ["what", "why"] as const) {
    if (says(item[key])) continue;
    const mend = key === "what" ? "Say what is to be changed." : "Say what goes wrong with it as it is.";
    yield { at: `${at}.${key}`, reason, what: `"${key}" says nothing`, mend };
  }
  if (item.blocking === true && item.because === undefined) {
    const mend = 'Say in "because" why it must be mended although the code has not changed since.';
    yield { at: `${at}.because`, reason, what: '"blocking" needs a reason', mend };
  }
  if (item.path === undefined) {
    if (item.line === undefined) return;
    yield {
      at: `${at}.line`,
      reason,
      what: "a line without its file",
      mend: 'Add "path", or leave "line" out.',
      use: null,
    };
  } else if (!isPlace(item.path, lines, report)) {
    const mend = `The files of the diff are ${listed([...lines.keys()])}. About another file, leave "path" and "line" out and name it in "what".`;
    yield { at: `${at}.path`, reason, what: `${showName(item.path)} is not in the diff`, mend, use: null };
  } else if (item.line !== undefined && !isLine(item.path, item.line, lines, report)) {
    const file = fileOf(lines, item.path);
    const mend = file?.size
      ? `The diff shows its lines ${ranges(file)}; name one of them, or leave "line" out.`
      : 'Leave "line" out: no line of it is shown.';
    const what = `${showName(item.path)}:${item.line} is not shown by the diff`;
    yield { at: `${at}.line`, reason, what, mend, use: null };
  }
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => JSON.stringify(showName(name, 120)));
  if (shown.length === 0) return "(none)";
  return names.length > shown.length ? `${shown.join(", ")} and ${names.length - shown.length} more` : shown.join(", ");
}

/** `2-5, 9`, at most a dozen of them. */
function ranges(numbers: ReadonlySet<number>): string {
  const parts: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = parts.at(-1);
    if (last && number === last[1] + 1) last[1] = number;
    else parts.push([number, number]);
  }
  const shown = parts.slice(0, 12).map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`));
  return `${shown.join(", ") || "(none)"}${parts.length > 12 ? ", …" : ""}`;
}
