/**
 * Checks a proof pack again, offline: a table of checks, each of which makes claims. A claim is proved, failed, or cannot
 * be proved here and says why. To check more, add a row.
 */
import type { Claim } from "../../domain/proof.ts";
import type { HostRepository } from "../../worktree/host-repository.ts";
import type { Quarantine } from "../../worktree/quarantine.ts";
import { type HostPublicKey, publicKeyFrom } from "../keys.ts";
import { checkApprovals } from "./check-approvals.ts";
import { checkChain, checkHeads, checkLines } from "./check-chain.ts";
import { checkDecisions } from "./check-decisions.ts";
import { checkRepository } from "./check-repository.ts";
import { checkKey, checkSeal } from "./check-seal.ts";
import type { ReadProof } from "./read-proof.ts";

/** What a check may look at. */
export interface ProofContext extends ReadProof {
  /** The key that signatures are checked with: the one that was given, else the pack's own. */
  key: HostPublicKey;
  /** Whether `key` was given from outside. */
  given: boolean;
  /** The repository and a scratch quarantine over it, where one was named. */
  place?: { repository: HostRepository; quarantine: Quarantine };
}

export type Check = (context: ProofContext) => Claim[] | Promise<Claim[]>;

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
