/** Names and digests that the rest of the house passes around, as checked strings. */
import { z } from "zod";

/** A delegation's id: `d-` and 16 lower-case base-32 characters. Safe as a file name and in a ref. */
export const delegationId = z.string().regex(/^d-[a-z2-7]{16}$/, "expected a delegation id such as d-abcdefgh23456722");
/** A plan's id: `p-` and 16 lower-case base-32 characters. */
export const planId = z.string().regex(/^p-[a-z2-7]{16}$/, "expected a plan's id such as p-abcdefgh23456722");
/** A mission's id: `m-` and 16 lower-case base-32 characters. */
export const missionId = z.string().regex(/^m-[a-z2-7]{16}$/, "expected a mission's id such as m-abcdefgh23456722");
/** A canary's id: `c-` and 16 lower-case base-32 characters. Nothing that lands can have one. */
export const canaryId = z.string().regex(/^c-[a-z2-7]{16}$/, "expected a canary's id such as c-abcdefgh23456722");
/** What a ledger line is about: a delegation, a plan, a mission, or a canary of the gate. */
export const subjectId = z.string().regex(/^[cdpm]-[a-z2-7]{16}$/, "expected an id such as d-abcdefgh23456722");
/** SHA-256 in lower-case hex. */
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hex digits");
/** A git object id, SHA-1 or SHA-256. */
export const objectId = z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, "expected a git object id");
/** A short name of a harness, policy, model route or criterion: letters, digits, `.`, `_`, `-`. */
export const shortName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "expected a short name: letters, digits, . _ -");
/** An image as the engine names it by content. */
export const imageDigest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "expected sha256:<64 hex digits>");

/** The roles a sandbox can have. */
export const role = z.enum(["executor", "verifier", "tester", "planner", "action"]);
export type Role = z.infer<typeof role>;

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";

/** A delegation id out of 10 random bytes (80 bits) that the caller drew. */
export function delegationIdFrom(random: Uint8Array): string {
  let id = "d-";
  for (let bit = 0; bit < 80; bit += 5) {
    const byte = bit >> 3;
    const pair = ((random[byte] ?? 0) << 8) | (random[byte + 1] ?? 0);
    id += alphabet[(pair >> (11 - (bit & 7))) & 31];
  }
  return id;
}

/** A canary's id, drawn like a delegation's. */
export function canaryIdFrom(random: Uint8Array): string {
  return `c-${delegationIdFrom(random).slice(2)}`;
}

/** A mission's id, drawn like a delegation's. */
export function missionIdFrom(random: Uint8Array): string {
  return `m-${delegationIdFrom(random).slice(2)}`;
}

/** A plan's id, drawn like a delegation's. */
export function planIdFrom(random: Uint8Array): string {
  return `p-${delegationIdFrom(random).slice(2)}`;
}
