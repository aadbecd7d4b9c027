/** `list`, `show`, `diff`, `log`: look at delegations. */
import type { Command } from "commander";
import { costReport } from "../delegation/cost.ts";
import { dossierOf, showDossier } from "../delegation/dossier.ts";
import { type Delegation, stateExitCode } from "../domain/delegation.ts";
import type { Entry } from "../domain/event.ts";
import { showDuration } from "../domain/units.ts";
import { judgesOf } from "../gate/panel.ts";
import { call, callRaw, lines, listAll, pathOf } from "./client.ts";
import { action, command, done, type Globals, print, safe, say, table } from "./context.ts";
import { describeCost } from "./cost.ts";
import { showMission } from "./mission-show.ts";
import { narrate } from "./narrate.ts";
import { showPlan } from "./plan-show.ts";

async function list({ state, json }: Globals): Promise<number> {
  const delegations = await listAll<Delegation>(state, "delegations");
  if (json) print(delegations);
  else if (delegations.length === 0) say("no delegations yet; next: sallyport delegate BRIEF --repo DIR");
  else {
    const rows = delegations.map((d) => [
      d.id,
      d.state,
      `${d.attempts.length}/${d.policy.budget.attempts}`,
      d.accepted.slice(0, 19),
      d.brief.title,
    ]);
    say(table([["ID", "STATE", "ATTEMPTS", "ACCEPTED", "TITLE"], ...rows]));
  }
  return done;
}

function describe(d: Delegation): string[] {
  const lines = [
    `${d.id}  ${d.state}${d.reason ? `: ${d.reason}` : ""}`,
    ...(d.held ? [`  HELD        ${d.held}; it goes on when an operator opens it: sallyport gate status`] : []),
    `  title       ${d.brief.title}`,
    ...(d.plan ? [`  plan        ${d.plan.id}, ${d.plan.brief ?? "the combined whole"}`] : []),
    `  repository  ${d.repository}`,
    `  base        ${d.base}`,
    `  target      ${d.ref}`,
    `  policy      ${d.policy.name} (${d.policyDigest.slice(0, 12)})`,
    d.images.executor
      ? `  executor    ${d.executor} ${d.images.executor.slice(0, 19)}`
      : "  executor    none: the host combined what was approved",
    `  verifier    ${judgesOf(d)
      .map(({ harness, image }) => `${harness} ${image.slice(0, 19)}`)
      .join(", ")}`,
    `  requests    ${d.sandboxes.reduce((sum, s) => sum + s.requests, 0)}, denied ${d.denials}`,
  ];
  for (const attempt of d.attempts) {
    const time = d.sandboxes
      .filter((s) => s.attempt === attempt.number)
      .reduce((sum, s) => sum + (s.milliseconds ?? 0), 0);
    const outcome = attempt.failure
      ? "failed"
      : attempt.rejection
        ? `rejected by the ${attempt.rejection.by}`
        : attempt.verdict
          ? `verdict ${attempt.verdict.decision}`
          : "running";
    lines.push(
      `  attempt ${attempt.number}   ${d.candidates ? `${attempt.executor}: ` : ""}${outcome}, ${showDuration(time)} in sandboxes`,
    );
    for (const finding of attempt.rejection?.findings ?? []) {
      lines.push(
        `    ${finding.reason}: ${finding.path ? `${finding.path}${finding.line ? `:${finding.line}` : ""}: ` : ""}${finding.message.split("\n")[0]}`,
      );
    }
    if (attempt.failure) lines.push(`    ${attempt.failure.code}: ${attempt.failure.message}`);
    for (const answer of attempt.verdict?.criteria ?? [])
      lines.push(`    ${answer.id} ${answer.status}: ${answer.why.split("\n")[0]}`);
  }
  lines.push(...describeApprovals(d));
  for (const one of d.actions ?? [])
    lines.push(
      `  action      ${one.action}: ${one.outcome ?? "runs"}${one.message ? `: ${one.message.split("\n")[0]}` : ""}, begun ${one.intended}`,
    );
  if (d.landed) lines.push(`  landed      ${d.landed.commit} on ${d.landed.ref}`);
  lines.push(...describeCost(costReport([d])));
  const dossier = dossierOf(d);
  if (dossier) lines.push("", ...showDossier(dossier).split("\n"));
  return lines;
}

/** The approval that counts, and those whose place it took, newest first; and what is under way with it. */
function describeApprovals(d: Delegation): string[] {
  const [last, ...before] = [...(d.approvals ?? [])].reverse();
  if (!last) return [];
  const isOver = Date.parse(last.expires) <= Date.now() && d.state === "approved";
  const over = isOver ? `; OVER: sallyport verify ${d.id}` : "";
  return [
    `  approval    ${last.digest} for ${last.ref}, until ${last.expires}${over}`,
    ...before.map(
      (step) =>
        `    in place of ${step.digest.slice(0, 12)} for ${step.ref} at ${step.base.slice(0, 12)}, issued ${step.issued}, until ${step.expires}`,
    ),
    ...(d.asked ? [`  landing     asked for on ${d.asked.ref}; under way, or it waits for its turn`] : []),
    ...(d.refusedMerges ?? []).map(
      (one) => `  not landed  merged with ${one.onto.slice(0, 12)}: ${one.reason.split("\n")[0]}`,
    ),
  ];
}

async function show({ state, json }: Globals, id: string): Promise<number> {
  if (id.startsWith("p-")) return showPlan({ state, json }, id);
  if (id.startsWith("m-")) return showMission({ state, json }, id);
  const record = await call<Delegation>(state, "GET", pathOf(id));
  if (json) print({ ...record, cost: costReport([record]), dossier: dossierOf(record) });
  else for (const line of describe(record)) say(line);
  return stateExitCode[record.state];
}

async function diff({ state, json }: Globals, id: string, options: { attempt?: string }): Promise<number> {
  const query = options.attempt ? `?attempt=${encodeURIComponent(options.attempt)}` : "";
  const patch = await callRaw(state, "GET", `${pathOf(id)}/diff${query}`);
  if (json) print({ id, patch: patch.toString("utf8") });
  // A file or pipe gets the patch as it is; a terminal must not be told to do things by it.
  else if (process.stdout.isTTY) process.stdout.write(safe(patch.toString("utf8")));
  else process.stdout.write(patch);
  return done;
}

async function log({ state, json }: Globals, id: string, options: { follow?: boolean }): Promise<number> {
  const path = `${pathOf(id)}/log?follow=${options.follow === true}`;
  for await (const entry of lines<Entry>(state, path)) {
    if (json) process.stdout.write(`${JSON.stringify(entry)}\n`);
    else say(`${String(entry.seq).padStart(6)}  ${entry.time.slice(11, 23)}  ${narrate(entry)}`);
  }
  return done;
}

export function lookCommands(): Command[] {
  return [
    command("list", "List the delegations.", ["sallyport list", "sallyport list --json | jq '.[].state'"]).action(
      action(list),
    ),
    command("show", "Show one delegation or plan; the exit code is its outcome.", ["sallyport show d-abcdefgh23456722"])
      .argument("<id>")
      .action(action(show)),
    command("diff", "Show a proposal's patch.", ["sallyport diff d-abcdefgh23456722 --attempt 1"])
      .argument("<id>")
      .option("--attempt <n>", "which attempt (default: the last proposal)")
      .action(action(diff)),
    command("log", "Show what happened to a delegation, from the ledger.", ["sallyport log d-abcdefgh23456722 -f"])
      .argument("<id>")
      .option("-f, --follow", "go on until it rests")
      .action(action(log)),
  ];
}
