/**
 * A review of a delta: from the verifier's second turn on it judges what has changed since its last verdict. A new finding
 * on code that has not changed could have been made before; it counts only where it is marked as blocking, so that a
 * verifier in another mood does not keep a delegation going for ever. Pure.
 */
import type { Finding } from "../domain/rejection.ts";
import type { Feedback } from "../domain/verdict.ts";
import type { DiffLines } from "./diff-lines.ts";
import { fileOf, placeOf } from "./evidence.ts";
import { readShown } from "./show-text.ts";

/** What was found before, and what has changed since. */
export interface Review {
  /** The attempt that was judged last. */
  attempt: number;
  /** The findings of that rejection. */
  findings: readonly Finding[];
  /** From the tree that was judged last to this one. */
  delta: DiffLines;
  /** From the base to this tree. */
  lines: DiffLines;
}

/** Whether an item of feedback can reject: it is about what changed, was said before, concerns the whole, or is blocking. */
export function countsAgain(item: Feedback, review: Review): boolean {
  if (item.path === undefined || item.blocking === true) return true;
  const changed = fileOf(review.delta, item.path);
  if (changed && (item.line === undefined || changed.has(item.line))) return true;
  // Said before and not heeded: the code stands as it did.
  const path = readShown(item.path);
  const place = placeOf(item.path, item.line, review.lines);
  return review.findings.some(
    (before) =>
      before.path !== undefined &&
      readShown(before.path) === path &&
      (before.place === undefined || item.line === undefined || before.place === place),
  );
}
