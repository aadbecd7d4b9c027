/** How a check says what it found. Pure. */
import type { Claim } from "../../domain/proof.ts";

export const proved = (claim: string, why: string): Claim => ({ claim, outcome: "proved", why });
export const failed = (claim: string, why: string): Claim => ({ claim, outcome: "failed", why });
export const notProvable = (claim: string, why: string): Claim => ({ claim, outcome: "not-provable", why });

/** Proved where there is no problem, else failed with it. */
export const holds = (claim: string, problem: string | undefined, why: string): Claim =>
  problem === undefined ? proved(claim, why) : failed(claim, problem);
