/** Whether anybody could tell that a criterion is met. Pure. */
import type { Criterion } from "../domain/brief.ts";

/** Words that praise without saying what would be seen. */
const praise =
  /\b(?:better|best|good|nice(?:ly)?|clean(?:er|ly)?|clear(?:er|ly)?|improv(?:e|es|ed|ement|ements)|robust(?:ly)?|proper(?:ly)?|correct(?:ly)?|appropriate(?:ly)?|efficient(?:ly)?|fast(?:er)?|readab(?:le|ility)|maintainab(?:le|ility)|modern|elegant|quality|simple|simpler|reasonable|sensible|works?|well|best practices?|user[- ]friendly|intuitive|solid|tidy|neat|idiomatic|high[- ]quality|as expected|makes? sense)\b/iu;

/** Something that can be looked at: code, a path, a number, a comparison, a name in quotes, a word that quantifies or forbids. */
const concrete =
  /`[^`]+`|"[^"]+"|'[^']+'|\b[\w$]+\([^)]*\)|\d|[\w-]+\/[\w.-]+|\b\w+\.(?:[cm]?[jt]sx?|py|rs|go|c|h|md|ya?ml|json|sh|sql|html|css)\b|\b[a-z]+[A-Z]\w*|\b\w+_\w+|[<>=]=?|\b(?:no|none|never|every|each|all|only|exactly|at least|at most|without|throws?|returns?|rejects?|exits?|prints?|fails?|pass(?:es)?|tests?)\b/u;

/** True where no check shows it and its words are praise with nothing in them to look at. */
export function isUncheckable(criterion: Criterion): boolean {
  if (criterion.checks.length > 0) return false;
  return praise.test(criterion.must) && !concrete.test(criterion.must);
}
