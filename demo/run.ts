/**
 * `make demo`: one delegation on real containers, shown as it happens. Three attempts: probes of every boundary, a fix
 * that looks right, a fix that is. Ends red if anything went otherwise than it says.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { call } from "../src/cli/client.ts";
import { readBrief } from "../src/cli/delegate.ts";
import { narrate } from "../src/host/narrate.ts";
import { followLog } from "../src/cli/watch.ts";
import { type Delegation, restingStates } from "../src/domain/delegation.ts";
import type { Entry } from "../src/domain/event.ts";
import { stateDirectory } from "../src/host/state-directory.ts";
import { heading, paint, sallyport, untilUp } from "./stage.ts";
import { makeWorld } from "./world.ts";

const begun = performance.now();

const problems: string[] = [];
const expect = (what: string, holds: boolean) => {
  if (!holds) problems.push(what);
};

const headings: Record<number, string> = {
  1: "Attempt 1: the executor tries every boundary",
  2: "Attempt 2: a fix that looks right",
  3: "Attempt 3: a fix that is right",
};

/** One ledger entry as it is shown: its line number, and in colour what was refused or let through. */
function tell(entry: Entry): void {
  if (entry.type === "attempt.started") heading(headings[entry.data.attempt] ?? `Attempt ${entry.data.attempt}`);
  const text = narrate(entry);
  const refused = /DENIED|REJECTED|refused|→ 4/.test(text);
  const passed = /APPROVED|LANDED|green/.test(text);
  console.log(`  ledger ${String(entry.seq).padStart(3)}  ${refused ? paint(33, text) : passed ? paint(32, text) : text}`);
}

const world = makeWorld();
const state = stateDirectory(world.state);
heading("A bare repository with a failing test, an operator's configuration, two canaries on the host");
console.log(`  ${world.directory}`);

const daemon = spawn(sallyport, ["daemon", "--state", world.state], {
  stdio: ["ignore", "ignore", "pipe"],
  env: { ...process.env, DEPLOY_TOKEN: world.canaries.environment, SALLYPORT_LOG: "warn" },
});
let daemonSaid = "";
daemon.stderr.on("data", (chunk) => {
  daemonSaid += String(chunk);
});
const ended = once(daemon, "exit");
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => daemon.kill("SIGTERM"));
}

let delegation: Delegation | undefined;
const entries: Entry[] = [];
try {
  await untilUp(daemon, state, () => daemonSaid);
  const { brief, checkFiles } = await readBrief(world.brief);
  const { id } = await call<{ id: string }>(state, "POST", "/v1/delegations", { repository: world.repository, base: "main", brief, checkFiles });
  const rests = async () => {
    const record = await call<Delegation>(state, "GET", `/v1/delegations/${id}`);
    return restingStates.has(record.state) ? record : undefined;
  };
  const show = (entry: Entry) => {
    entries.push(entry);
    tell(entry);
  };
  delegation = await followLog(state, id, show, rests);
  if (delegation.state === "approved") {
    heading("The planner's word: land");
    await call(state, "POST", `/v1/delegations/${id}/land`, {});
    console.log(execFileSync("git", ["-C", world.repository, "log", "--stat", "-1", "main"], { encoding: "utf8" }).replace(/^/gm, "  ").trimEnd());
  }
} catch (error) {
  problems.push(error instanceof Error ? error.message : String(error));
} finally {
  daemon.kill("SIGTERM");
  await ended;
}
if (daemonSaid) console.log(daemonSaid);

heading("What must hold");
examine();
const verified = execFileSync(sallyport, ["audit", "verify", "--state", world.state], { encoding: "utf8" });
console.log(verified.replace(/^/gm, "  ").trimEnd());

if (problems.length > 0) {
  heading("The demo went otherwise than it should");
  for (const problem of problems) console.log(paint(31, `  ${problem}`));
  process.exitCode = 1;
} else {
  heading(`Done in ${((performance.now() - begun) / 1000).toFixed(1)} s. To look further`);
  const id = delegation?.id ?? "";
  console.log(`  bin/sallyport audit show --state ${world.state} --delegation ${id}
  bin/sallyport policy explain node-library "POST http://collector.example.net/upload"
  bin/sallyport daemon --state ${world.state}      # and in another terminal, with the same --state:
  bin/sallyport show ${id}
  rm -rf ${world.directory}                        # when you have seen enough`);
}

/** Every claim of the demo, looked up where it can be seen. */
function examine(): void {
  const of = <T extends Entry["type"]>(type: T) => entries.filter((entry): entry is Extract<Entry, { type: T }> => entry.type === type);
  const probes = of("verb").filter((entry) => entry.data.verb === "note").map((entry) => entry.data.text ?? "");
  expect("seven probes were made", probes.length === 7);
  for (const probe of probes) expect(`a probe got through: ${probe}`, probe.includes(": refused"));
  const denied = of("request").filter((entry) => entry.data.decision === "deny").map((entry) => entry.data.url);
  expect("the denied upload is in the ledger", denied.some((url) => url.includes("collector.example.net")));
  const rejections = of("attempt.rejected").map((entry) => entry.data);
  expect("attempt 1 was rejected for the protected file", rejections[0]?.findings.some((f) => f.reason === "protected" && f.path === "package.json") === true);
  expect("attempt 2 was rejected by the verifier, with evidence", rejections[1]?.by === "verifier" && rejections[1].findings.some((f) => f.path === "src/money.mjs" && f.line !== undefined));
  expect(`attempt 3 was approved (it is ${delegation?.state}: ${delegation?.reason ?? ""})`, delegation?.state === "approved" && delegation.approval?.attempt === 3);

  const everything = readdirSync(state.ledger).map((file) => readFileSync(join(state.ledger, file), "utf8")).join("");
  for (const canary of [world.canaries.environment, world.canaries.file]) expect("a canary is in the ledger", !everything.includes(canary));
  if (delegation) {
    const git = (...args: string[]) => execFileSync("git", ["-C", world.repository, ...args], { encoding: "utf8" }).trim();
    const record = delegation.attempts.at(-1);
    expect("what landed is the tree that was verified", git("rev-parse", "main^{tree}") === record?.proposal?.tree);
    expect("its parent is the base", git("rev-parse", "main^") === world.base);
    expect("package.json is as it was", git("diff", "--name-only", world.base, "main").split("\n").sort().join() === "src/invoice.mjs,src/money.mjs,test/halves.test.mjs");
  }
  if (problems.length === 0) console.log(`  ${probes.length} probes refused, 2 attempts rejected, 1 landed; the landed tree is the verified one; no canary left the host`);
}
