/** `make bench`: every figure of SPECIFICATION.md, each beside a named peer in the same run. `--json` prints data. */
import { cpus, release, totalmem } from "node:os";
import { showSize } from "../src/domain/units.ts";
import { apiFigures } from "./api.ts";
import { auditFigures } from "./audit.ts";
import { coldStart } from "./cold-start.ts";
import { collectFigures } from "./collect.ts";
import { consoleFigures } from "./console.ts";
import { gatewayFigures } from "./gateway.ts";
import { harnessFigures } from "./harness-start.ts";
import { ledgerFigures } from "./ledger.ts";
import { type Figure, printFigures } from "./measure.ts";
import { modelRouteFigures } from "./model-route.ts";
import { pageFigures } from "./pages.ts";
import { policyFigures } from "./policy.ts";
import { processFigures } from "./processes.ts";

const machine = {
  cpus: cpus().length,
  model: cpus()[0]?.model ?? "unknown",
  memory: showSize(totalmem()),
  kernel: release(),
  node: process.version,
};
const figures: Figure[] = [];
const parts = [
  coldStart,
  pageFigures,
  processFigures,
  () => collectFigures(1_000),
  () => collectFigures(20_000),
  ledgerFigures,
  () => auditFigures(),
  policyFigures,
  apiFigures,
  gatewayFigures,
  modelRouteFigures,
  harnessFigures,
  consoleFigures,
];
for (const part of parts) {
  try {
    const made = await part();
    for (const figure of made) process.stderr.write(`  ${figure.name} ...\n`);
    figures.push(...made);
  } catch (error) {
    // What could not be measured is missing from the table, said, and no success.
    process.stderr.write(`NOT MEASURED: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
if (process.argv.includes("--json")) console.log(JSON.stringify({ machine, figures }, null, 2));
else {
  console.log(
    `${machine.cpus} × ${machine.model}, ${machine.memory}, kernel ${machine.kernel}, Node ${machine.node}\n`,
  );
  printFigures(figures);
}
