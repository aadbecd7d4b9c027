/**
 * What the gateway needs of the policy. The decision is made by pure functions of src/policy and handed in, so that
 * enforcement has one question to ask and no rule of its own.
 */
import type { NetworkRule } from "../domain/policy.ts";

/** A request in the one form that is decided on and forwarded. */
export interface CanonicalRequest {
  scheme: "http" | "https";
  host: string;
  port: number;
  method: string;
  path: string;
  query: string;
}

/** The policy's answer to a request or a tunnel. `addresses` are the private ones that the rule names. */
export type Decision =
  | { allow: true; rule: string; addresses: readonly string[] }
  | { allow: false; code: string; rule: string; why: string; next: string };

/** The rules of one lane, compiled once. */
export interface Rules {
  decide(request: CanonicalRequest): Decision;
  tunnel(host: string, port: number): Decision;
}

/** The functions of src/policy that the gateway is given. */
export interface Decisions {
  canonicalRequest(request: {
    method: string;
    url: string;
  }): { ok: true; request: CanonicalRequest } | { ok: false; code: string; why: string };
  compileRules(rules: readonly NetworkRule[]): Rules;
  classifyAddress(text: string): { ok: true; canonical: string } | { ok: false; kind: string };
  sameAddress(a: string, b: string): boolean;
}
