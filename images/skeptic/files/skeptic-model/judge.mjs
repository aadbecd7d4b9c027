// The verdict: one conversation with the model for each criterion, and approval only out of answers that hold.
import { randomBytes } from "node:crypto";
import { readAnswer, unresolved } from "./answer.mjs";
import { cutDiff, readDiff } from "./diff.mjs";
import { questionFor, reportShown, rules } from "./question.mjs";

/** The most characters of a provider's error that are kept, for the auditor. */
const mostDetail = 1000;

/**
 * The subject of the questions: what the host mounted, read. `limit` is the most characters of the diff; `delta` is what
 * has changed since the last verdict, where there was one.
 */
export function subjectOf(question, patch, report, limit, delta) {
  const { lines, cited, changed } = readDiff(patch);
  const subject = { intent: question.intent, diff: { ...cutDiff(lines, limit), cited, changed }, report };
  if (question.review === undefined || delta === undefined) return subject;
  const since = readDiff(delta);
  const shown = cutDiff(since.lines, limit).shown;
  return { ...subject, review: { findings: question.review.findings, delta: since.cited, shown } };
}

/**
 * The verdict on a case. `ask(system, messages)` gives the model's text; `rounds` bounds the answers for one criterion.
 * A model that cannot be asked proves nothing: the verdict then is a rejection that says so.
 */
export async function judge(question, subject, { ask, rounds, say = () => {} }) {
  const criteria = [];
  const refutations = [];
  const blocked = new Map();
  for (const criterion of question.accept) {
    let answer;
    try {
      answer = await answerFor(criterion, subject, { ask, rounds, say });
    } catch (error) {
      // What a provider says of itself is for whoever runs this, and not for whoever mends the change.
      say(`${criterion.id}: no answer: ${error.message}`);
      const detail = error.message.slice(0, mostDetail).toWellFormed();
      answer = unproven("its verifier got no answer that could be used");
      answer.refutations.push({ tried: "asking the model", found: false, detail });
    }
    say(`${criterion.id}: ${answer.status}: ${answer.why}`);
    // What does not resolve is no evidence, whatever the status.
    const evidence = answer.evidence.filter((pointer) => unresolved(pointer, subject) === undefined);
    const { status, why, blocking } = answer;
    criteria.push({ id: criterion.id, status, evidence, why: why.slice(0, 3900).toWellFormed() });
    if (blocking !== undefined) blocked.set(criterion.id, blocking);
    refutations.push(
      ...answer.refutations.map((one) => ({
        ...one,
        tried: `${criterion.id}: ${one.tried}`.slice(0, 1900).toWellFormed(),
      })),
    );
  }
  return verdictOf(question, subject, criteria, refutations.slice(0, 100), blocked);
}

async function answerFor(criterion, subject, { ask, rounds, say }) {
  // Drawn anew for each criterion: whoever wrote the diff cannot have known it.
  const nonce = randomBytes(12).toString("hex");
  const shown = { ...subject, report: reportShown(subject.report) };
  const messages = [{ role: "user", text: questionFor(criterion, shown, nonce) }];
  let problems = [];
  for (let round = 0; round < rounds; round++) {
    const text = await ask(rules, messages);
    const read = readAnswer(text, subject);
    if (read.answer) return read.answer;
    problems = read.problems;
    say(`${criterion.id}: answer ${round + 1} cannot be used: ${problems.join("; ")}`);
    messages.push(
      { role: "assistant", text: text.slice(0, 20_000) || "(nothing)" },
      {
        role: "user",
        text: `This answer cannot be used:\n- ${problems.slice(0, 10).join("\n- ")}\nAnswer again with the JSON object alone.`,
      },
    );
  }
  return unproven(`${rounds} answers of its verifier could not be used; the last: ${problems.slice(0, 3).join("; ")}`);
}

function unproven(why) {
  return { status: "unproven", evidence: [], why, refutations: [] };
}

function verdictOf(question, subject, criteria, refutations, blocked) {
  const { report, diff } = subject;
  const feedback = [];
  for (const { id, status, why, evidence } of criteria) {
    if (status === "met") continue;
    const { must } = question.accept.find((one) => one.id === id);
    const place = evidence.find((pointer) => "path" in pointer) ?? {};
    feedback.push({
      ...place,
      what: `${id} (${must}) is ${status}`.slice(0, 1900).toWellFormed(),
      why: why.slice(0, 1900).toWellFormed(),
      ...(blocked.has(id) ? { blocking: true, because: blocked.get(id) } : {}),
    });
  }
  // The host's own evidence is above any model's word.
  const red = [
    ...(report.proposal && !report.proposal.green ? ["the tests on the result tree are not green"] : []),
    ...(report.proven && !report.proven.green ? ["the base's own tests on the result tree are not green"] : []),
    ...report.checks.filter((check) => !check.ok).map((check) => `check ${check.id} failed`),
  ];
  for (const what of red) feedback.push({ what, why: "the host's own report shows it" });
  if (diff.left > 0) {
    feedback.push({ what: "the diff is too long to be read whole", why: `${diff.left} lines of it were not judged` });
  }
  const approved = feedback.length === 0 && criteria.length > 0;
  return { decision: approved ? "approve" : "reject", criteria, refutations, feedback: feedback.slice(0, 50) };
}

/** The verdict without what the host's answer complains about: a pointer or a place is dropped, never guessed. */
export function mended(verdict, problems) {
  const wrong = problems.map((problem) => String(problem?.at ?? ""));
  const about = (start) => wrong.some((at) => at === start || at.startsWith(`${start}.`));
  const criteria = verdict.criteria.map((one, at) => {
    if (!about(`criteria.${at}`)) return one;
    // An answer that had to be mended shows nothing any more.
    return { id: one.id, status: one.status === "met" ? "unproven" : one.status, evidence: [], why: one.why };
  });
  const refutations = verdict.refutations.filter((_, at) => !about(`refutations.${at}`));
  const feedback = verdict.feedback.map((one, at) => {
    return about(`feedback.${at}`) ? { what: one.what, why: one.why } : one;
  });
  const holds = criteria.every((one) => one.status === "met") && refutations.length > 0;
  const decision = holds && !about("decision") ? verdict.decision : "reject";
  return {
    decision,
    criteria,
    refutations,
    feedback: decision === "approve" ? feedback : withWords(feedback, criteria),
  };
}

/** A rejection says what is to be mended: what is not shown to be met, where nothing else was said. */
function withWords(feedback, criteria) {
  if (feedback.length > 0) return feedback;
  const open = criteria.filter((one) => one.status !== "met");
  const said = open.map(({ id, status, why }) => ({
    what: `${id} is ${status}`,
    why: why.slice(0, 1900).toWellFormed(),
  }));
  return said.length > 0 ? said : [{ what: "the change is not approved", why: "its verifier's answers do not hold" }];
}

/** The verdict that is left when nothing else is taken: nothing is shown to be met. */
export function nothingShown(question) {
  const why = "its verifier could not show that it is met";
  return {
    decision: "reject",
    criteria: question.accept.map(({ id }) => ({ id, status: "unproven", evidence: [], why })),
    refutations: [],
    feedback: question.accept.slice(0, 50).map(({ id }) => ({ what: `${id} is unproven`, why })),
  };
}
