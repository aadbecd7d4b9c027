/**
 * The second half of `make demo`: one mission, on a real coding CLI in each role. A planner plans, executors execute, a
 * skeptic verifies, the host tests and lands, and the whole says what each tier cost. Ends red if anything went otherwise.
 */
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { call } from "../src/cli/client.ts";
import type { MissionView } from "../src/domain/mission-record.ts";
import { stateDirectory } from "../src/host/state-directory.ts";
import { startModel } from "../test/model/start-model.ts";
import { type Provider, providerOf, standInKey } from "./provider.ts";
import { scriptFor } from "./script.ts";
import { heading, paint, sallyport, untilUp } from "./stage.ts";
import { makeWorld, type World } from "./world.ts";

const begun = performance.now();
const mission = "Invoice totals drift by a cent. Money must round half to even everywhere: in the money module, and no caller may round on its own.";
const problems: string[] = [];
const expect = (what: string, holds: boolean) => {
  if (!holds) problems.push(what);
};

const world = makeWorld();
const model = await startModel();
const key = `key-${randomBytes(18).toString("hex")}`;
let provider: Provider;
try {
  provider = providerOf(process.env, model.url, world.directory);
} catch (error) {
  console.error(`error: ${(error as Error).message}`);
  process.exit(2);
}
if (provider.name === "stand-in") model.converse("", scriptFor(provider.harness));
configure(world, provider);
const environment = { ...process.env, [standInKey]: key, SALLYPORT_STATE: world.state, ...(provider.images ? { SALLYPORT_IMAGES: provider.images } : {}) };

heading(`A mission for ${provider.harness}: it plans, it executes, and a skeptic verifies`);
console.log(`  ${mission}`);
console.log(
  provider.name === "stand-in"
    ? "  Their model is scripted, behind the providers' real protocols. With a key, `make demo MODEL=anthropic` or MODEL=openai asks a real one."
    : `  Their model is ${provider.name}'s own: this costs money, at most three dollars.`,
);
execFileSync(sallyport, ["image", "build", provider.harness, "skeptic"], { stdio: ["ignore", "ignore", "inherit"], env: environment });
const daemon = spawn(sallyport, ["daemon"], { stdio: ["ignore", "ignore", "pipe"], env: { ...environment, SALLYPORT_LOG: "warn" } });
let daemonSaid = "";
daemon.stderr.on("data", (chunk) => {
  daemonSaid += String(chunk);
});
const ended = once(daemon, "exit");
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => daemon.kill("SIGTERM"));

const state = stateDirectory(world.state);
try {
  await untilUp(daemon, state, () => daemonSaid);
  const run = spawn(sallyport, ["run", mission, "--repo", world.repository, "--base", "main", "--planner", provider.harness, "--policy", "lead", "--land"], {
    stdio: ["ignore", "inherit", "inherit"], env: environment,
  });
  const [code] = (await once(run, "exit")) as [number];
  expect(`run ended with ${code}`, code === 0);
  const { missions } = await call<{ missions: { id: string }[] }>(state, "GET", "/v1/missions");
  const view = await call<MissionView>(state, "GET", `/v1/missions/${missions[0]?.id}`);
  examine(view);
  if (view.state === "landed") console.log(execFileSync("git", ["-C", world.repository, "log", "--stat", "-1", "main"], { encoding: "utf8" }).replace(/^/gm, "  ").trimEnd());
} catch (error) {
  problems.push(error instanceof Error ? error.message : String(error));
} finally {
  daemon.kill("SIGTERM");
  await ended;
  await model.close();
}
if (daemonSaid) console.log(daemonSaid);
const verified = execFileSync(sallyport, ["audit", "verify", "--state", world.state], { encoding: "utf8" });
console.log(verified.replace(/^/gm, "  ").trimEnd());

if (problems.length > 0) {
  heading("The mission went otherwise than it should");
  for (const problem of problems) console.log(paint(31, `  ${problem}`));
  process.exitCode = 1;
} else {
  heading(`Done in ${((performance.now() - begun) / 1000).toFixed(1)} s. To look further`);
  console.log(`  bin/sallyport daemon --state ${world.state}      # and in another terminal, with the same --state:
  bin/sallyport executors                          # what their record says
  rm -rf ${world.directory}                        # when you have seen enough`);
}

/** The operator's word on who may plan and execute, and two policies: the planner's, and the one that its briefs name. */
function configure({ state: directory, repository }: World, { harness, models, secrets }: Provider): void {
  const write = (name: string, content: object) => writeFileSync(join(directory, name), JSON.stringify(content, null, 1));
  const missions = { harnesses: [harness], executors: [harness], policies: ["team"] };
  write("config.yaml", { version: 1, calibration: { rate: 0 }, planners: { default: { repositories: [repository], refs: ["refs/heads/main"], missions } } });
  const box = { cpus: 2, memory: harness === "pi" ? "1GiB" : "2GiB", pids: 256 };
  write("policies/lead.yaml", { version: 1, extends: "planner", sandbox: box, models, secrets, budget: { usd: 1 } });
  write("policies/team.yaml", {
    version: 1, extends: "node-library", sandbox: box, network: [], models, secrets,
    verifier: { harness: "skeptic" }, budget: { wall: "5m", attempts: 3, usd: 1 },
  });
}

/** What must hold, looked up where it can be seen. */
function examine(view: MissionView): void {
  expect(`the mission is ${view.state}${view.reason ? `: ${view.reason}` : ""}`, view.state === "landed");
  if (provider.name !== "stand-in") return;
  expect("a plan that cut too fine was refused once", view.turns[0]?.refused.length === 1);
  expect("the first attempt was rejected, the second approved", view.plan?.briefs[0]?.attempts === 2);
  expect("the report is the planner's own", view.report?.by === "planner");
  const asked = model.requests.filter((request) => request.asked);
  expect("every request to a model carried the key", asked.length > 0 && asked.every(({ headers }) => `${headers.authorization} ${headers["x-api-key"]}`.includes(key)));
  expect("no sandbox could say the key", asked.every(({ raw }) => !raw.includes(key)));
  const ledger = join(world.state, "ledger");
  const kept = readdirSync(ledger).map((name) => readFileSync(join(ledger, name), "utf8")).join("\n");
  expect("the key is not in the ledger", !kept.includes(key));
}
