/**
 * Checks a proof pack again, offline: a table of checks, each of which makes claims. A claim is proved, failed, or cannot
 * be proved here and says why. To check more, add a row.
 */
import type { Claim } from "../../domain/proof.ts";
import { type HostPublicKey, publicKeyFrom } from "../keys.ts";
import { checkApprovals } from "./check-approvals.ts";
import { checkChain, checkHeads, checkLines } from "./check-chain.ts";
import { checkDecisions } from "./check-decisions.ts";
import { checkRepository } from "./check-repository.ts";
import { checkKey, checkSeal } from "./check-seal.ts";
import type { Check, ProofContext } from "./proof-context.ts";
import type { ReadProof } from "./read-proof.ts";

/** In the order in which they are told. */
export const checks: readonly (readonly [name: string, check: Check])[] = [
  ["seal", checkSeal],
  ["key", checkKey],
  ["lines", checkLines],
  ["chain", checkChain],
  ["heads", checkHeads],
  ["decisions", checkDecisions],
  ["approvals", checkApprovals],
  ["repository", checkRepository],
];

/** Every claim about a pack. Errors: `proof-invalid` where its own key is none and no other was given. */
export async function verifyProof(
  proof: ReadProof,
  options: { key?: HostPublicKey; place?: ProofContext["place"] } = {},
): Promise<Claim[]> {
  const context: ProofContext = {
    ...proof,
    key: options.key ?? publicKeyFrom(proof.pack.host.publicKey),
    given: options.key !== undefined,
    ...(options.place ? { place: options.place } : {}),
  };
  const claims: Claim[] = [];
  for (const [, check] of checks) claims.push(...(await check(context)));
  return claims;
}
