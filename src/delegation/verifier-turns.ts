/** How many turns of a verifier a delegation has had, told from its record alone, so that a crash changes nothing. Pure. */
import type { Delegation } from "../domain/delegation.ts";

/** Why no other turn may begin, or undefined where one may. A sandbox that a crash cut was a turn. */
export function verifierTurnsOver(record: Pick<Delegation, "policy" | "sandboxes">, more = 1): string | undefined {
  const { turns } = record.policy.verifier;
  if (turns === undefined) return undefined;
  const had = record.sandboxes.filter(({ role }) => role === "verifier").length;
  return had + more > turns ? `verifier turns: ${had} of ${turns} are used up` : undefined;
}
