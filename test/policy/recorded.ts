/** Recorded requests for tests, as the gateway writes them: a query by its length, a tunnel by its authority. */
import type { CanonicalRequest } from "../../src/policy/canonical-request.ts";
import { requestUrl } from "../../src/policy/canonical-request.ts";
import type { Recorded, RecordedRequest } from "../../src/policy/recorded.ts";
import { policyWith } from "./arbitraries.ts";

export const sandbox = `s-${"a".repeat(16)}`;

/** One recorded request out of `METHOD URL`. */
export function line(text: string, more: Partial<RecordedRequest> = {}): RecordedRequest {
  const [method = "", url = ""] = text.split(" ");
  return {
    sandbox,
    method,
    url,
    decision: "deny",
    code: "no-rule",
    rule: "none",
    sent: 0,
    received: 0,
    milliseconds: 1,
    ...more,
  };
}

/** A canonical request as the gateway records it. */
export function lineOf(request: CanonicalRequest, more: Partial<RecordedRequest> = {}): RecordedRequest {
  const url = requestUrl({ ...request, query: "" });
  const query = request.query === "" ? "" : `?${Buffer.byteLength(request.query)}`;
  return line(`${request.method} ${url}${query}`, {
    ...(request.upgrade ? { upgrade: request.upgrade } : {}),
    ...more,
  });
}

export function recorded(requests: readonly RecordedRequest[], more: Partial<Recorded> = {}): Recorded {
  return {
    id: "d-abcdefgh23456722",
    policy: policyWith([]),
    brief: {
      title: "A title",
      intent: "i",
      instructions: "x",
      accept: [{ id: "A1", must: "m", checks: [] }],
      executor: "codex",
      policy: "ceiling",
      breaks: [],
    },
    requests,
    changes: [],
    spend: { wall: 1000, requests: requests.length, attempts: 1, patch: 100, output: 100 },
    ...more,
  };
}
