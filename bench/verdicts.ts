/**
 * `node bench/verdicts.ts [TURNS]`: the share of turns of the verifier with a model that end in a verdict the host can use,
 * while its model misbehaves. Exit code 1 below the goal. Valid is not approved: a rejection that says so is valid.
 */
import { runVerdicts } from "../test/gate/verdict-rate.ts";

const goal = 0.995;
const turns = Number(process.argv[2] ?? 600);
const seed = Number(process.argv[3] ?? 1);
let below = false;
for (const share of [0.25, 0.5, 0.9, 1]) {
  const outcomes = await runVerdicts({ turns, share, seed });
  const valid = outcomes.filter((one) => one.valid).length;
  const first = outcomes.filter((one) => one.valid && one.refused === 0).length;
  const used = outcomes.filter((one) => one.verdict?.criteria.every((c) => c.status !== "unproven")).length;
  // One-sided 95 % bound where none failed: the rule of three.
  const atMost = valid === turns ? `, so at most ${((300 / turns) * 1).toFixed(2)} % invalid (95 %)` : "";
  const percent = (count: number) => `${((100 * count) / turns).toFixed(2)} %`;
  console.log(
    `${Math.round(share * 100)} % of the answers misbehave: ${percent(valid)} of ${turns} verdicts are valid${atMost}; ` +
      `${percent(first)} at the first post, ${percent(used)} decide every criterion`,
  );
  for (const { faults, error, protocol } of outcomes.filter((one) => !one.valid).slice(0, 10))
    console.log(`  not valid (${protocol}): ${error ?? "refused"}; ${faults.join(", ")}`);
  if (valid / turns < goal) below = true;
}
console.log(`goal: ${goal * 100} % valid: ${below ? "MISSED" : "met"}`);
process.exitCode = below ? 1 : 0;
