/** The states that a list can be asked for. The type checker compares them with those of the ledger's fold. */
import type { State } from "../../domain/delegation.ts";

const known: Readonly<Record<State, true>> = {
  accepted: true,
  preparing: true,
  executing: true,
  collecting: true,
  testing: true,
  verifying: true,
  approved: true,
  landed: true,
  rejected: true,
  "rejected-hard": true,
  stuck: true,
  "over-budget": true,
  discarded: true,
  failed: true,
};

export const states = Object.keys(known) as State[];
