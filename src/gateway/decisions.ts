/**
 * What the gateway needs of the policy. The decision is made by pure functions of src/policy and handed in, so that
 * enforcement has one question to ask and no rule of its own.
 */
import type { DenialCode } from "../domain/denial.ts";
import type { NetworkRule } from "../domain/policy.ts";

/** A request in the one form that is decided on and forwarded. */
export interface CanonicalRequest {
  scheme: "http" | "https";
  host: string;
  port: number;
  method: string;
  path: string;
  query: string;
  /** The request asks to become a WebSocket. */
  upgrade?: "websocket";
}

type Denied = { allow: false; code: DenialCode; rule: string; why: string; next: string };

/** The policy's answer to a request. `addresses` are the private ones that the rule names, `index` its place. */
export type Decision = { allow: true; rule: string; index: number; addresses: readonly string[] } | Denied;

/** The policy's answer to TLS for a host: opened, so that each request is decided, or passed through as it is. */
export type Interception =
  | { allow: true; mode: "open" | "passthrough"; rule: string; index: number; addresses: readonly string[] }
  | Denied;

/** The rules of one lane, compiled once. */
export interface Rules {
  decide(request: CanonicalRequest): Decision;
  intercept(host: string, port: number): Interception;
}

/** The functions of src/policy that the gateway is given. */
export interface Decisions {
  canonicalRequest(request: {
    method: string;
    url: string;
  }): { ok: true; request: CanonicalRequest } | { ok: false; code: DenialCode; why: string };
  compileRules(rules: readonly NetworkRule[]): Rules;
  classifyAddress(text: string): { ok: true; canonical: string } | { ok: false; kind: string };
  sameAddress(a: string, b: string): boolean;
}
