/** `sallyport policy diff|simulate|learn`: what a change of policy does, before anybody works under it. */
import { exitCode } from "../domain/error.ts";
import { type Change, diffPolicies, widens } from "../policy/diff.ts";
import { learn as learnRules } from "../policy/learn.ts";
import { learnedYaml } from "../policy/learned-yaml.ts";
import { differs, type RequestChange, simulate as simulatePolicy } from "../policy/simulate.ts";
import { done, type Globals, print, say } from "./context.ts";
import { openPolicy } from "./policy-open.ts";
import { recordedDelegation } from "./policy-record.ts";

export async function diff({ state, json }: Globals, a: string, b: string): Promise<number> {
  const before = (await openPolicy(state, a)).policy;
  const after = (await openPolicy(state, b)).policy;
  const changes = diffPolicies(before, after);
  if (json) print({ before: before.name, after: after.name, widens: widens(changes), changes });
  else {
    const groups: [Change["effect"], string][] = [
      ["allows", "becomes allowed, or more:"],
      ["denies", "becomes denied, or less:"],
      ["changes", "becomes another:"],
    ];
    for (const [effect, title] of groups) {
      const own = changes.filter((change) => change.effect === effect);
      if (own.length > 0) say(title);
      for (const { text, certain, example } of own)
        say(`  ${text}${certain ? "" : " (possibly: not proved)"}${example ? `, such as ${example}` : ""}`);
    }
    if (changes.length === 0) say(`${before.name} and ${after.name} allow the same`);
    else if (!widens(changes)) say(`${after.name} provably allows nothing that ${before.name} does not`);
  }
  return widens(changes) ? exitCode.rejected : done;
}

export async function simulate({ state, json }: Globals, which: string, id: string): Promise<number> {
  const { policy } = await openPolicy(state, which);
  const recorded = await recordedDelegation(state, id);
  const simulation = simulatePolicy(policy, recorded);
  if (json)
    print({
      delegation: id,
      recorded: recorded.policy.name,
      policy: policy.name,
      differs: differs(simulation),
      ...simulation,
    });
  else {
    const { refused, requests, writes, spend } = simulation;
    const times = ({ times: n }: RequestChange) => (n === 1 ? "" : ` (${n} times)`);
    if (refused !== undefined) say(`the brief would be refused: ${refused}`);
    for (const change of requests.changed)
      say(
        `would be ${change.would === "allow" ? "allowed" : "denied"}: ${change.request}${times(change)}: ${change.why}`,
      );
    for (const change of requests.unknown) say(`cannot be told: ${change.request}${times(change)}: ${change.why}`);
    for (const { path, was, would } of writes.changed) say(`was ${was}, would be ${would}: ${path}`);
    for (const { what, used, limit } of spend) say(`over ${what}: it used ${used}, and ${policy.name} gives ${limit}`);
    say(
      `the same: ${requests.same} request${requests.same === 1 ? "" : "s"}, ${writes.same} written path${writes.same === 1 ? "" : "s"}`,
    );
  }
  return differs(simulation) ? exitCode.rejected : done;
}

export async function learn({ state, json }: Globals, id: string, options: { from?: string }): Promise<number> {
  const from = options.from === undefined ? undefined : (await openPolicy(state, options.from)).policy;
  const recorded = await recordedDelegation(state, id);
  const learned = learnRules(recorded, from?.network);
  const beside = from ? ` beside what ${from.name} allows` : "";
  const yaml = learnedYaml(learned, `What ${id} asked for${beside}, and nothing else. Read it before you paste it.`);
  if (json) print({ delegation: id, ...(from ? { from: from.name } : {}), ...learned, yaml });
  else process.stdout.write(yaml);
  return done;
}
