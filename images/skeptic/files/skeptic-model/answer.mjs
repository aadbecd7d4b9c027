// From the model's text to an answer that can be used, or to what is wrong with it. No prose is read for a decision.

const statuses = ["met", "unmet", "unproven"];
const most = { evidence: 50, refutations: 20, why: 4000, tried: 2000, detail: 4000 };

/**
 * The answer in a model's text: `{ answer }` or `{ problems }`. The whole text is one JSON object, at most within one
 * code fence: an object among words could be one that the diff put there.
 */
export function readAnswer(text, subject) {
  const bare = /^\s*```(?:json)?\s*\n([\s\S]*?)\n\s*```\s*$/.exec(text)?.[1] ?? text;
  let value;
  try {
    value = JSON.parse(bare);
  } catch {
    return { problems: ["the answer is not one JSON object and nothing else"] };
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    return { problems: ["the answer is not a JSON object"] };
  }
  const problems = [...shapeProblems(value)];
  if (problems.length > 0) return { problems };
  const answer = {
    status: value.status,
    evidence: value.evidence.map(pointerOf),
    why: cut(value.why.trim(), most.why),
    refutations: value.refutations.map(({ tried, found, detail }) => ({
      tried: cut(tried.trim(), most.tried),
      found,
      detail: cut(String(detail ?? ""), most.detail),
    })),
    ...(typeof value.blocking === "string" && value.blocking.trim() !== ""
      ? { blocking: cut(value.blocking.trim(), 1900) }
      : {}),
  };
  problems.push(...meaningProblems(answer, subject));
  return problems.length > 0 ? { problems } : { answer };
}

/** The start of a text. Half a character is no JSON that anybody takes. */
function cut(text, limit) {
  return text.slice(0, limit).toWellFormed();
}

function* shapeProblems(value) {
  if (!statuses.includes(value.status)) yield `"status" is not one of ${statuses.join(", ")}`;
  if (typeof value.why !== "string" || value.why.trim() === "") yield '"why" is not a text';
  if (!Array.isArray(value.evidence)) yield '"evidence" is not a list';
  else {
    if (value.evidence.length > most.evidence) yield `"evidence" has more than ${most.evidence} pointers`;
    for (const [at, one] of value.evidence.entries()) {
      if (pointerOf(one) === undefined) yield `"evidence"[${at}] is not {"path","line"}, {"test"} or {"check"}`;
    }
  }
  if (!Array.isArray(value.refutations)) yield '"refutations" is not a list';
  else {
    if (value.refutations.length > most.refutations) yield `"refutations" has more than ${most.refutations} attempts`;
    for (const [at, one] of value.refutations.entries()) {
      if (typeof one?.tried !== "string" || one.tried.trim() === "" || typeof one.found !== "boolean") {
        yield `"refutations"[${at}] is not {"tried": text, "found": boolean, "detail": text}`;
      }
    }
  }
}

function pointerOf(one) {
  if (one === null || typeof one !== "object") return undefined;
  if (typeof one.path === "string" && Number.isSafeInteger(one.line) && one.line > 0) {
    return { path: one.path, line: one.line };
  }
  if (typeof one.test === "string" && one.test !== "") return { test: one.test };
  if (typeof one.check === "string" && one.check !== "") return { check: one.check };
  return undefined;
}

/** What contradicts itself, or points to what is not there. */
function* meaningProblems({ status, evidence, refutations, blocking }, subject) {
  const found = refutations.some((one) => one.found);
  if (status === "met") {
    if (subject.diff.left > 0) yield 'not all of the diff was shown: the status cannot be "met"';
    if (evidence.length === 0) yield '"met" needs evidence';
    if (refutations.length === 0) yield '"met" needs at least one attempt to refute it';
    if (found) yield 'an attempt found something, so the status cannot be "met"';
    for (const pointer of evidence) {
      const why = unresolved(pointer, subject);
      if (why !== undefined) yield why;
    }
    if (evidence.length > 0 && evidence.every((pointer) => isContext(pointer, subject))) {
      yield 'all of the evidence is code that the change left as it was: point to a line with "+", a test or a check';
    }
  }
  if (status === "unmet" && !found) yield '"unmet" needs an attempt that found something';
  if (status === "unmet" && blocking === undefined && isLate(evidence, subject)) {
    yield 'this is new, and about code that has not changed since the last verdict: where it must be mended all the same, add "blocking": "why"';
  }
}

/** A line that was there before the change and is still. */
function isContext(pointer, { diff }) {
  return "path" in pointer && !diff.changed.get(pointer.path)?.has(pointer.line);
}

/** Whether something is said of a place that could have been said before: neither changed since, nor found then. */
function isLate(evidence, { review, diff }) {
  const place = evidence.find((pointer) => "path" in pointer && diff.cited.get(pointer.path)?.has(pointer.line));
  if (review === undefined || place === undefined) return false;
  return !review.delta.get(place.path)?.has(place.line) && !review.findings.some(({ path }) => path === place.path);
}

/** Why a pointer shows nothing, or undefined when it resolves: the same rules as the host's. */
export function unresolved(pointer, { diff, report }) {
  if ("path" in pointer) {
    const lines = diff.cited.get(pointer.path);
    if (lines === undefined) return `${JSON.stringify(pointer.path)} is not a file of the diff`;
    return lines.has(pointer.line) ? undefined : `line ${pointer.line} of ${pointer.path} is not a numbered line of it`;
  }
  if ("test" in pointer) {
    const tests = report.proposal?.tests ?? {};
    const status = Object.hasOwn(tests, pointer.test) ? tests[pointer.test] : undefined;
    if (status === undefined) return `the report has no test ${JSON.stringify(pointer.test)}`;
    if (report.unproven.includes(pointer.test)) return `test ${JSON.stringify(pointer.test)} passes without the change`;
    return status === "passed" ? undefined : `test ${JSON.stringify(pointer.test)} ${status}`;
  }
  const check = report.checks.find((one) => one.id === pointer.check);
  if (check === undefined) return `the report has no check ${JSON.stringify(pointer.check)}`;
  return check.ok ? undefined : `check ${JSON.stringify(pointer.check)} failed`;
}
