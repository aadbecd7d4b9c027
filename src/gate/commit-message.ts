/**
 * The message of a landed commit: title, intent, and trailers that say under which approval it landed. Title and intent
 * are somebody else's words: no line of theirs can be taken for a trailer of ours, or hide one (git-interpret-trailers(1)).
 */
import type { ApprovalPredicate } from "../domain/approval.ts";
import type { Delegation } from "../domain/delegation.ts";

/**
 * Lines that git, or whoever reads a message after it, takes for more than text: a trailer; `---`, after which nothing
 * counts any more; a comment or scissors line, which is cut with what follows; the beginning of a patch or of another mail.
 */
const meaning =
  /^(?:---|#|;|[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)+\s*[:=#]|diff -|Index: |From |>From |Conflicts:|\(cherry picked from commit )/;
/** Control characters but the line break and tab; marks that turn text around; what some tools take for a line's end. */
const unseen = /[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]|(?![\n\t])\p{Cc}/gu;

/** Text as a paragraph of a message: each line that would mean something begins with a space, and means nothing. */
function plain(text: string): string {
  return text
    .replace(/\r\n?/g, "\n")
    .replace(unseen, "")
    .trim()
    .split("\n")
    .map((line) => (meaning.test(line) ? ` ${line}` : line).trimEnd())
    .join("\n");
}

/** The message of the commit that an approval lands as: nothing but the record, the approval and its digest decides it. */
export function commitMessage(record: Delegation, digest: string, predicate: ApprovalPredicate): string {
  const moved = predicate.base !== record.base;
  return [
    // The first paragraph is never read for trailers; a title that looks like one is still only a title.
    plain(record.brief.title).replace(/\s+/g, " "),
    "",
    plain(record.brief.intent),
    "",
    `Sallyport-Delegation: ${record.id} attempt ${predicate.attempt}`,
    `Sallyport-Approval: sha256:${digest}`,
    `Sallyport-Verifier: ${predicate.verifier.harness} ${predicate.verifier.image}`,
    `Sallyport-Policy: ${record.policy.name} sha256:${predicate.policy}`,
    `Sallyport-Report: sha256:${predicate.testReport}`,
    ...(moved ? [`Sallyport-Merged: from ${record.base} onto ${predicate.base}`] : []),
    "",
  ].join("\n");
}
