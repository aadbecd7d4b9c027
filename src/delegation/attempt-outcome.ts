/** What an attempt comes to, where the host itself did not fail. */
import type { Finding } from "../domain/rejection.ts";

export type AttemptOutcome =
  | { is: "approved" }
  | { is: "rejected"; by: "host" | "verifier"; hard: boolean; findings: Finding[]; tree?: string; notes?: Finding[] }
  | { is: "stuck"; by: "executor" | "host"; reason: string }
  | { is: "over-budget"; what: string };
