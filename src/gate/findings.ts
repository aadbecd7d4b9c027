/** Findings as the ledger can hold them. Their text comes from executors, verifiers and code under test. Pure. */
import type { Finding } from "../domain/rejection.ts";
import { cut, printable } from "./printable.ts";

/** The most findings that one rejection carries. */
const mostFindings = 100;

/**
 * Findings within the bounds of their schema: at most 100, texts cut, paths escaped. One that did not fit would be
 * refused by the ledger, and the host would end for what a sandbox wrote.
 */
export function fitFindings(findings: readonly Finding[]): Finding[] {
  return findings.slice(0, mostFindings).map((finding) => ({
    ...finding,
    message: cut(finding.message, 4000),
    ...(finding.path === undefined ? {} : { path: cut(printable(finding.path), 4200) }),
    ...(finding.test === undefined ? {} : { test: cut(finding.test, 1000) }),
    ...(finding.check === undefined ? {} : { check: cut(finding.check, 100) }),
    ...(finding.place === undefined ? {} : { place: cut(printable(finding.place), 200) }),
  }));
}
