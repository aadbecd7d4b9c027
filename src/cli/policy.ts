/** `sallyport policy check|explain|test|schema`: for the person who writes policies. */
import type { Command } from "commander";
import { exitCode } from "../domain/error.ts";
import { loadConfig, policyDirectories } from "../host/config.ts";
import type { StateDirectory } from "../host/state-directory.ts";
import { checkExpectations } from "../policy/expect.ts";
import { explain as explainRequest } from "../policy/explain.ts";
import { findPolicy, type LoadedPolicy, loadPolicyFile } from "../policy/load.ts";
import { policySchemaText } from "../policy/schema.ts";
import { action, command, done, type Globals, print, say } from "./context.ts";

/** A policy by its file, or by the name that a brief uses. */
async function open(state: StateDirectory, which: string): Promise<LoadedPolicy> {
  const directories = policyDirectories(await loadConfig(state), state);
  const path = which.includes("/") || which.endsWith(".yaml") ? which : await findPolicy(which, directories);
  return loadPolicyFile(path, directories);
}

async function check({ state, json }: Globals, which: string): Promise<number> {
  const { policy, expect } = await open(state, which);
  const failures = checkExpectations(policy, expect);
  if (json) print({ policy, failures });
  else {
    say(
      `${policy.name} is valid: ${policy.network.length} network rules, ${Object.keys(policy.models).length} model routes, ${policy.filesystem.protected.length} protected patterns`,
    );
    say(`writable: ${policy.filesystem.writable.join(", ") || "nothing"}`);
    say(`expectations: ${expect.length - failures.length} of ${expect.length} hold`);
    for (const failure of failures)
      say(`  expect[${failure.index}] ${failure.request} is not ${failure.expected}: ${failure.decided.why}`);
  }
  return failures.length === 0 ? done : exitCode.rejected;
}

async function explain({ state, json }: Globals, which: string, request: string): Promise<number> {
  const { policy } = await open(state, which);
  const [, method = "GET", url = ""] = /^(?:([A-Za-z]+)\s+)?(\S+)$/.exec(request.trim()) ?? [];
  const answer = explainRequest(policy, method, url);
  if (json) print(answer);
  else for (const line of answer.text) say(line);
  return answer.allow ? done : exitCode.refused;
}

async function test({ state, json }: Globals, which: string): Promise<number> {
  const { policy, expect } = await open(state, which);
  const failures = checkExpectations(policy, expect);
  if (json) print({ passed: expect.length - failures.length, failures });
  else {
    for (const [index, { request, is }] of expect.entries()) {
      const failure = failures.find((f) => f.index === index);
      say(`${failure ? "FAIL" : "ok  "} ${request} is ${is}${failure ? `: ${failure.decided.why}` : ""}`);
    }
    say(`${expect.length - failures.length} hold, ${failures.length} do not`);
  }
  return failures.length === 0 ? done : exitCode.rejected;
}

async function schema(): Promise<number> {
  process.stdout.write(policySchemaText());
  return done;
}

export function policyCommand(): Command {
  return command("policy", "Write, check and understand policies.", [
    "sallyport policy check node-library",
    'sallyport policy explain node-library "POST https://registry.npmjs.org/left-pad"',
  ])
    .addCommand(
      command("check", "Check a policy: every problem with line and column.")
        .argument("<policy>", "a name or a file")
        .action(action(check)),
    )
    .addCommand(
      command("explain", "Why a request is allowed or denied, and the smallest change that would allow it.")
        .argument("<policy>", "a name or a file")
        .argument("<request>", '"METHOD URL"')
        .action(action(explain)),
    )
    .addCommand(
      command("test", "Run the policy's own expectations.")
        .argument("<policy>", "a name or a file")
        .action(action(test)),
    )
    .addCommand(command("schema", "Print the JSON schema for editors.").action(action(schema)));
}
