/** What a check of a proof pack is given. */
import type { Claim } from "../../domain/proof.ts";
import type { HostRepository } from "../../worktree/host-repository.ts";
import type { Quarantine } from "../../worktree/quarantine.ts";
import type { HostPublicKey } from "../keys.ts";
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
