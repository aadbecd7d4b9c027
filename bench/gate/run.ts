/**
 * `make gate-bench`: every case of the corpus through the real gate, under each judge. Ends with 1 where a goal is missed.
 *   --only REPOSITORY[/BRIEF[/CASE]]   --kind rule|semantic|good   --arm NAME (several times)   --without RULE   --json FILE   --list-rules
 *   --join FILE (several times)   nothing is run: the figures of what earlier runs wrote with --json, put together
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { kindOf } from "../../test/gate-corpus/classes.ts";
import { loadCorpus } from "../../test/gate-corpus/load.ts";
import { type Arm, ablate, arms, imageOf } from "./arms.ts";
import { hostRules } from "./decide.ts";
import { type Measured, measureCases, type Selected } from "./measure-cases.ts";
import { modelChoice } from "./model-choice.ts";
import { printAblation, printGoals, printMachine, printTable, printTimes } from "./print.ts";
import { openBenchRig } from "./rig.ts";
import { missedGoals, rowsOf } from "./score.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    kind: { type: "string" },
    arm: { type: "string", multiple: true },
    without: { type: "string" },
    json: { type: "string" },
    "list-rules": { type: "boolean" },
    join: { type: "string", multiple: true },
  },
});

function usage(message: string): never {
  console.error(message);
  process.exit(2);
}

if (values["list-rules"]) {
  console.log(hostRules.join("\n"));
  process.exit(0);
}
if (values.without !== undefined && !hostRules.includes(values.without))
  usage(`${values.without} is no rule of the host's: see --list-rules`);
for (const name of values.arm ?? []) if (!arms.includes(name as Arm)) usage(`${name} is no arm: ${arms.join(", ")}`);
const wanted = (values.arm as Arm[] | undefined) ?? [...arms];
const model = wanted.includes("model") ? modelChoice(process.env) : undefined;
const asked = wanted.filter((arm) => arm !== "model" || model);
const notRun =
  wanted.includes("model") && !model
    ? ["model: not run, neither ANTHROPIC_API_KEY nor OPENAI_API_KEY is in the environment"]
    : [];

const [repositoryName, briefName, caseName] = (values.only ?? "").split("/");
const corpus = await loadCorpus(undefined, repositoryName || undefined);
const selected: Selected[] = corpus.flatMap((repository) =>
  repository.briefs
    .filter((brief) => !briefName || brief.id === briefName)
    .flatMap((brief) =>
      brief.cases
        .filter((one) => (!caseName || one.id === caseName) && (!values.kind || kindOf(one.class) === values.kind))
        .map((one) => ({ repository, brief, one })),
    ),
);
if (selected.length === 0)
  usage(`no case is called ${values.only ?? "so"}${values.kind ? ` and of kind ${values.kind}` : ""}`);

function progress(measured: Measured, done: number, all: number): void {
  const line = `${String(done).padStart(String(all).length)}/${all} ${measured.evidence.name} ${(measured.took / 1000).toFixed(1)} s`;
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${done === all ? "" : line}`);
  else process.stderr.write(`${line}\n`);
}

const begun = performance.now();
const measured = values.join ? values.join.flatMap(recorded) : await measure();
const rows = rowsOf(measured, asked, values.without);
const missed = missedGoals(measured, asked, values.without);
const ablation = values.without === undefined ? ablate(measured) : undefined;
printMachine(measured.length, corpus, values.join ? undefined : (performance.now() - begun) / 1000);
if (values.without !== undefined) console.log(`WITHOUT THE RULE ${values.without}\n`);
printTable(rows, asked, notRun);
printTimes(measured);
if (ablation) printAblation(ablation);
printGoals(missed);
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ rows, missed, without: values.without, measured }, null, 1)}\n`);
process.exitCode = missed.length > 0 ? 1 : 0;

/** What a run wrote with `--json`. */
function recorded(file: string): Measured[] {
  return (JSON.parse(readFileSync(file, "utf8")) as { measured: Measured[] }).measured;
}

async function measure(): Promise<Measured[]> {
  const rig = await openBenchRig(model?.cap);
  // Mounts and sandboxes go with it: the error takes its way through everybody who holds one.
  let stopped = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      stopped = true;
      rig.stop();
    });
  try {
    const verifiers = asked.flatMap((arm) => imageOf[arm] ?? []);
    return await measureCases(selected, rig, { verifiers, model, without: values.without, onCase: progress });
  } catch (error) {
    if (!stopped) throw error;
    await rig.close();
    console.error("stopped: nothing is left behind, and nothing was measured to its end");
    process.exit(130);
  } finally {
    await rig.close();
  }
}
