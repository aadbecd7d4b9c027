/** `sallyport plan check|run|list`: several briefs with their order, judged before they run, and landed as one. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { collectFacts } from "../delegation/collect-facts.ts";
import { scopesOf } from "../delegation/plan-admit.ts";
import { noFacts, type PlanFacts } from "../delegation/plan-facts.ts";
import { lintPlan } from "../delegation/plan-lint.ts";
import { errorCodes } from "../domain/error.ts";
import { type Plan, type PlanFinding, plan as planSchema } from "../domain/plan.ts";
import { type PlanView, planExitCode, restingPlanStates } from "../domain/plan-record.ts";
import { loadConfig, policyDirectories } from "../host/config.ts";
import { checkSource, parseSource, readText, type Source } from "../policy/document.ts";
import { loadPolicy } from "../policy/load.ts";
import { openHostRepository, resolveCommit } from "../worktree/host-repository.ts";
import { openQuarantine } from "../worktree/quarantine.ts";
import { call, listAll, pathOf } from "./client.ts";
import { action, command, done, type Globals, print, say, sayNext } from "./context.ts";
import { readCheckFiles } from "./delegate.ts";
import { withId } from "./ids.ts";
import { describePlan, showPlan } from "./plan-show.ts";
import { stateStyle } from "./state-style.ts";
import { type Cell, fitTable } from "./table.ts";
import { watch } from "./watch.ts";
import { showTime } from "./when.ts";

interface Options {
  repo?: string;
  base?: string;
  onto?: string;
  wait?: boolean;
  strict?: boolean;
}

/** A plan's file, and the files of its checks that lie beside it. Throws `plan-invalid` with line and column. */
async function readPlan(path: string): Promise<{ source: Source; plan: Plan; checkFiles: Record<string, string> }> {
  const source = parseSource(await readText(path, "plan-invalid"), path, "plan-invalid");
  const plan = checkSource(source, planSchema, "plan-invalid");
  const accept = [...plan.briefs.flatMap((brief) => brief.accept), ...plan.accept];
  return { source, plan, checkFiles: await readCheckFiles(accept, path, "plan-invalid") };
}

/** Facts of a repository, read by this process itself: no daemon is needed. */
async function factsOf(repo: string, base: string | undefined): Promise<PlanFacts> {
  const repository = await openHostRepository(resolve(repo));
  const { commit } = await resolveCommit(repository, base);
  const directory = await mkdtemp(join(tmpdir(), "sallyport-plan-"));
  try {
    return await collectFacts(await openQuarantine({ directory, repository }), commit);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function sayFinding(source: Source, { severity, rule, message, next, path }: PlanFinding): void {
  say(`${severity}: ${source.where(path)} ${message} (${rule})`);
  say(`  next: ${next}`);
}

async function check({ state, json }: Globals, file: string, options: Options): Promise<number> {
  const { source, plan } = await readPlan(resolve(file));
  const directories = policyDirectories(await loadConfig(state), state);
  const scopes = await scopesOf(
    plan,
    (name) => loadPolicy(name, directories),
    (index) => source.where(["briefs", index]),
  );
  const facts = options.repo === undefined ? noFacts : await factsOf(options.repo, options.base);
  const findings = lintPlan(plan, scopes, facts, { strict: options.strict === true });
  const errors = findings.filter((finding) => finding.severity === "error").length;
  if (json) print({ plan, findings: findings.map((finding) => ({ ...finding, at: source.where(finding.path) })) });
  else {
    for (const finding of findings) sayFinding(source, finding);
    const looked = options.repo === undefined ? "; with --repo its files and history are looked at too" : "";
    say(
      `${plan.briefs.length} briefs, ${errors} errors, ${findings.length - errors} warnings${errors === 0 ? looked : ""}`,
    );
  }
  return errors === 0 ? done : errorCodes["plan-invalid"];
}

/** Which brief of a plan a delegation runs; `whole` for the combined one. */
export function nameIn(view: PlanView, delegation: string): string {
  const brief = view.briefs.find((one) => one.delegation === delegation)?.id;
  return brief ?? (view.combined.delegation === delegation ? "whole" : "plan");
}

/** The whole turn of a plan, shown as it goes on. Gives what it came to. */
export async function watchPlan(shared: Globals, id: string): Promise<PlanView> {
  let known = await call<PlanView>(shared.state, "GET", pathOf(id));
  return watch<PlanView>(shared, {
    id,
    rests: ({ state }) => restingPlanStates.has(state),
    nameOf: (delegation) => nameIn(known, delegation),
    // A mended brief has another delegation than before.
    async meet({ type }) {
      if (type === "plan.mended") known = await call<PlanView>(shared.state, "GET", pathOf(id));
    },
  });
}

async function run({ state, json }: Globals, file: string, options: Options): Promise<number> {
  const { source, checkFiles } = await readPlan(resolve(file));
  const { id, findings } = await call<{ id: string; findings: PlanFinding[] }>(state, "POST", "/v1/plans", {
    repository: resolve(options.repo ?? "."),
    ...(options.base ? { base: options.base } : {}),
    ...(options.onto ? { onto: options.onto } : {}),
    ...(options.strict ? { strict: true } : {}),
    // As it was written: the host reads it again by itself.
    plan: source.raw,
    checkFiles,
  });
  if (!json) for (const finding of findings) sayFinding(source, finding);
  if (!options.wait) {
    if (json) print({ id, findings });
    else {
      say(id);
      sayNext(`sallyport log ${id} -f, then sallyport land ${id}`);
    }
    return done;
  }
  const view = await watchPlan({ state, json }, id);
  if (json) print(view);
  else {
    for (const line of describePlan(view)) say(line);
    const next = view.state === "approved" ? `sallyport diff ${id}, then sallyport land ${id}` : `sallyport show ${id}`;
    sayNext(`${next} or sallyport discard ${id}`);
  }
  return planExitCode[view.state];
}

async function list({ state, json }: Globals): Promise<number> {
  const plans = await listAll<PlanView>(state, "plans");
  if (json) print(plans);
  else if (plans.length === 0) say("no plans yet; next: sallyport plan run PLAN --repo DIR");
  else {
    const rows = plans.map((plan): Cell[] => [
      plan.id,
      [plan.state, stateStyle(plan.state)],
      `${plan.briefs.filter((brief) => brief.state === "approved").length}/${plan.briefs.length}`,
      showTime(plan.accepted),
      plan.title,
    ]);
    const columns = [
      { title: "ID" },
      { title: "STATE" },
      { title: "APPROVED", gives: 2 },
      { title: "ACCEPTED", gives: 1 },
      { title: "TITLE", gives: 3, least: 12 },
    ];
    for (const line of fitTable(columns, rows)) say(line);
  }
  return done;
}

export function planCommand(): Command {
  const repo = ["--repo <dir>", "the host repository (default: this folder)"] as const;
  const base = ["--base <ref>", "what to start from (default: HEAD)"] as const;
  const strict = ["--strict", "refuse a plan with warnings too"] as const;
  return command("plan", "Several briefs with their order, one verdict on all of them together.", [
    "sallyport plan check plan.yaml --repo /srv/git/money.git",
    "sallyport plan run plan.yaml --repo /srv/git/money.git --wait",
  ])
    .addCommand(
      command("check", "Judge a plan before it runs: is its order sound, is the work cut where it can be cut?", [
        "sallyport plan check plan.yaml",
        "sallyport plan check plan.yaml --repo /srv/git/money.git --strict",
      ])
        .argument("<plan>", "the plan's YAML file; the files its checks name lie beside it")
        .option("--repo <dir>", "the host repository: its files, imports and history are looked at")
        .option(...base)
        .option(...strict)
        .action(action(check)),
    )
    .addCommand(
      command("run", "Run a plan: each brief as soon as what it comes after is approved, then the combined whole.", [
        "sallyport plan run plan.yaml --repo /srv/git/money.git --base main --wait",
        "sallyport plan run plan.yaml --repo . --onto sallyport/money",
      ])
        .argument("<plan>", "the plan's YAML file; the files its checks name lie beside it")
        .option(...repo)
        .option(...base)
        .option("--onto <branch>", "the branch it is meant to land on (default: the branch that --base names)")
        .option("--wait", "show the whole turn; the exit code is the outcome")
        .option(...strict)
        .action(action(run)),
    )
    .addCommand(command("list", "List the plans.", ["sallyport plan list"]).action(action(list)))
    .addCommand(
      command("show", "Show one plan; the exit code is its outcome.", ["sallyport plan show p-abcdefgh23456722"])
        .argument("<id>")
        .action(action(withId(showPlan))),
    );
}
