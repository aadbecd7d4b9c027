/** What is decided about a request, and a rule made ready for deciding. */
import type { RuleDenial as DenialCode } from "../domain/denial.ts";
import type { NetworkRule } from "../domain/policy.ts";
import type { Glob } from "./glob.ts";
import type { QueryTest } from "./query.ts";

export type { RuleDenial as DenialCode } from "../domain/denial.ts";

export interface Denial {
  allow: false;
  code: DenialCode;
  /** The nearest rule, such as `network[2] registry.npmjs.org`, or `none`. */
  rule: string;
  why: string;
  /** A line of YAML that would allow it, or a comment that says why none can. */
  next: string;
}

/** What an allowing rule says. `addresses` are the exact addresses beside the public ones that the name may resolve to. */
export interface Allowance {
  allow: true;
  rule: string;
  /** The rule's place in `network`. */
  index: number;
  addresses: readonly string[];
  /** The secret that a request under this rule may carry. */
  secret?: string;
}

export type Decision = Allowance | Denial;

/** TLS to a host: opened, so that each request in it is decided anew, or passed through unread. */
export type Interception = (Allowance & { mode: "open" | "passthrough" }) | Denial;

/** A rule made ready. */
export interface Compiled {
  rule: NetworkRule;
  index: number;
  name: string;
  globs: Glob[] | undefined;
  /** The first segments that its paths can have, where all of them are written out: most rules are passed over by these. */
  first: ReadonlySet<string> | undefined;
  query: QueryTest | undefined;
}
