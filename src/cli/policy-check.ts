/** `sallyport policy check|test|explain|schema`: is it right, does it do what it says, and why is this denied? */
import { exitCode, SallyportError } from "../domain/error.ts";
import type { StateDirectory } from "../host/state-directory.ts";
import { checkExpectations } from "../policy/expect.ts";
import { explain as explainRequest } from "../policy/explain.ts";
import { shadowedRules, unusedHosts, type Warning } from "../policy/idle-rules.ts";
import type { LoadedPolicy } from "../policy/load.ts";
import { policySchemaText } from "../policy/schema.ts";
import { done, type Globals, print, say } from "./context.ts";
import { openPolicy } from "./policy-open.ts";
import { recordedHosts } from "./policy-record.ts";

export async function check({ state, json }: Globals, which: string): Promise<number> {
  const loaded = await openPolicy(state, which);
  const { policy, expect } = loaded;
  const failures = checkExpectations(policy, expect);
  const warnings = [...shadowedRules(policy.network), ...(await idleHosts(state, loaded))].map(({ path, message }) => ({
    at: loaded.where(path) ?? "",
    message,
  }));
  if (json) print({ policy, failures, warnings });
  else {
    const count = (record: object, one: string) =>
      `${Object.keys(record).length} ${one}${Object.keys(record).length === 1 ? "" : "s"}`;
    say(
      `${policy.name} is valid: ${count(policy.network, "network rule")}, ${count(policy.models, "model route")}, ${count(policy.secrets, "secret")}, ${count(policy.filesystem.protected, "protected pattern")}`,
    );
    say(`writable: ${policy.filesystem.writable.join(", ") || "nothing"}`);
    say(`expectations: ${expect.length - failures.length} of ${expect.length} hold`);
    for (const { index, request, expected, decided } of failures)
      say(`  ${loaded.whereExpected(index)} ${request} is not ${expected}: ${decided.why}`);
    for (const { at, message } of warnings) say(`warning: ${at} ${message}`);
  }
  return failures.length === 0 ? done : exitCode.rejected;
}

/** Hosts that no recorded work asked for; none where there is no ledger to look at. */
async function idleHosts(state: StateDirectory, { policy }: LoadedPolicy): Promise<Warning[]> {
  if (policy.network.length === 0) return [];
  try {
    const { hosts, delegations } = await recordedHosts(state, policy.name);
    return delegations === 0 ? [] : unusedHosts(policy.network, hosts, delegations);
  } catch {
    // A policy is checked on machines that have no ledger, and by people who may not read it.
    return [];
  }
}

export async function explain({ state, json }: Globals, which: string, request: string): Promise<number> {
  const loaded = await openPolicy(state, which);
  const found = /^(?:([A-Za-z]{1,20})\s+)?(\S+)$/.exec(request.trim());
  if (!found)
    throw new SallyportError("usage", `${JSON.stringify(request)} is not a request`, {
      next: 'Write "METHOD URL", "GET wss://…" for a WebSocket, or "CONNECT host:port".',
    });
  const answer = explainRequest(loaded.policy, found[1] ?? "GET", found[2] ?? "");
  const at = answer.index === undefined ? undefined : loaded.where(["network", answer.index]);
  if (json) print({ ...answer, ...(at ? { at } : {}) });
  else {
    for (const line of answer.text) say(line);
    if (at) say(`network[${answer.index}] is at ${at}`);
  }
  return answer.allow ? done : exitCode.refused;
}

export async function test({ state, json }: Globals, which: string): Promise<number> {
  const loaded = await openPolicy(state, which);
  const { policy, expect } = loaded;
  const failures = checkExpectations(policy, expect);
  if (json) print({ passed: expect.length - failures.length, failures });
  else {
    for (const [index, { request, is }] of expect.entries()) {
      const failure = failures.find((f) => f.index === index);
      say(
        `${failure ? "FAIL" : "ok  "} ${request} is ${is}${failure ? `: ${failure.decided.why} (${loaded.whereExpected(index)})` : ""}`,
      );
    }
    say(`${expect.length - failures.length} hold, ${failures.length} do not`);
  }
  return failures.length === 0 ? done : exitCode.rejected;
}

export async function schema(): Promise<number> {
  process.stdout.write(policySchemaText());
  return done;
}
