/** A policy's own tests: what its file expects to be allowed and denied, against what is decided. */
import type { Policy } from "../domain/policy.ts";
import { type Explanation, explain } from "./explain.ts";
import type { Expectation } from "./load.ts";

/** One expectation that the policy does not meet. */
export interface ExpectationFailure {
  /** Its place in the `expect` list. */
  index: number;
  request: string;
  expected: "allow" | "deny";
  decided: Explanation;
}

/** The expectations that are not met; none is the passing answer. */
export function checkExpectations(policy: Policy, expect: readonly Expectation[]): ExpectationFailure[] {
  return expect.flatMap(({ request, is }, index) => {
    const space = request.indexOf(" ");
    const decided = explain(policy, request.slice(0, space), request.slice(space + 1));
    return decided.allow === (is === "allow") ? [] : [{ index, request, expected: is, decided }];
  });
}
