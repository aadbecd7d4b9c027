/**
 * The loop of one delegation: attempts with feedback until one is approved, the budget is used up, or it ends itself.
 * Everything it decides is an event; after a crash it goes on from the ledger's record.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson } from "../domain/canonical.ts";
import { type Attempt, executorSpend, restingStates } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import { fitFindings } from "../gate/findings.ts";
import { rejectionFingerprint } from "../gate/fingerprint.ts";
import { withSetup } from "../gate/setup.ts";
import { pathMatcher } from "../policy/paths.ts";
import { sandboxOwner } from "../sandbox/engine.ts";
import { ensureBaseTree } from "../worktree/base-tree.ts";
import { failureOf, runAttempt } from "./attempt.ts";
import type { AttemptOutcome } from "./attempt-outcome.ts";
import type { AttemptPlace } from "./attempt-place.ts";
import { chooseExecutor } from "./choose-executor.ts";
import { escalateStuck } from "./escalate.ts";
import { rejectWhole } from "./plan-whole.ts";
import { isHeld } from "./reduce.ts";
import type { LoopTools, StopReason } from "./tools.ts";
import { verifierTurnsOver } from "./verifier-turns.ts";

/** Runs a delegation to its rest: an end state or `approved`. Aborting `signal` with a StopReason ends it. */
export async function runDelegation(id: string, lane: number, tools: LoopTools, signal: AbortSignal): Promise<void> {
  const directory = join(tools.directories.lanes, id);
  try {
    await tools.append({ type: "delegation.started", delegation: id, data: { lane } });
    const { repository: path, base: commit, policy, plan } = tools.record(id);
    const repository = await tools.openRepository(path);
    const quarantine = await tools.openQuarantine(repository);
    const treeOf = (visible: readonly string[]) =>
      ensureBaseTree({
        quarantine,
        directory: tools.directories.trees,
        commit,
        ...(plan ? { root: plan.root } : {}),
        visible: pathMatcher(visible),
        visibleKey: canonicalJson(visible),
        owner: sandboxOwner,
      });
    const base = await treeOf(policy.filesystem.visible);
    // Tests and checks run on the whole tree: what an executor is not given is no less the base's (invariant 7).
    const whole = await treeOf(["**"]);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const record = tools.record(id);
    const context = { record, base: whole, directory, runRole: tools.runRole, signal };
    await withSetup(context, (setup) =>
      attempts(id, { repository, quarantine, base, whole, setup, directory }, tools, signal),
    );
  } catch (thrown) {
    await endOf(id, thrown, tools, signal);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function attempts(id: string, place: AttemptPlace, tools: LoopTools, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const { attempts: made, policy, state } = tools.record(id);
    const held = isHeld(tools.record(id));
    if (state !== "preparing" && !held) return;
    const number = held ? made.length : made.length + 1;
    if (held) {
      if (await tryAttempt(id, number, place, tools, signal)) return;
      continue;
    }
    const last = made.at(-1);
    if (last?.rejection && tools.record(id).plan?.combines) return rejectWhole(id, place, tools, signal);
    if (await restAfter(id, last, tools)) return;
    if (number > policy.budget.attempts) {
      const message = `none of ${made.length} attempts was approved`;
      if (last?.failure) await tools.append({ type: "delegation.failed", delegation: id, data: last.failure });
      else await tools.append({ type: "delegation.rejected", delegation: id, data: { hard: false, message } });
      return;
    }
    if (executorSpend(tools.record(id)).wall >= policy.budget.wall) {
      await tools.append({
        type: "delegation.over-budget",
        delegation: id,
        data: { attempt: Math.max(1, made.length), what: "wall time" },
      });
      return;
    }
    // Nobody could approve another attempt: its executor would only cost.
    const turnsOver = made.length > 0 ? verifierTurnsOver(tools.record(id)) : undefined;
    if (turnsOver !== undefined) {
      const data = { attempt: made.length, what: turnsOver };
      await tools.append({ type: "delegation.over-budget", delegation: id, data });
      return;
    }
    await chooseExecutor(id, number, place, tools);
    if (await tryAttempt(id, number, place, tools, signal)) return;
  }
}

/** Makes one attempt, or goes on with one that was held; true when the delegation rests. */
async function tryAttempt(
  id: string,
  number: number,
  place: AttemptPlace,
  tools: LoopTools,
  signal: AbortSignal,
): Promise<boolean> {
  let outcome: AttemptOutcome;
  try {
    outcome = await runAttempt(id, number, place, tools, signal);
  } catch (thrown) {
    if (signal.aborted || thrown instanceof LedgerGone) throw thrown;
    // An attempt that never began has nothing to be counted by.
    if (tools.record(id).attempts.length < number) throw thrown;
    const failure = failureOf(thrown);
    await tools.append({ type: "attempt.failed", delegation: id, data: { attempt: number, ...failure } });
    // The next attempt would meet the same policy: it would only cost.
    if (failure.code === "policy-invalid" || failure.code === "verifier-not-independent") throw thrown;
    return false;
  }
  return conclude(id, number, outcome, tools);
}

/** Writes what an attempt came to; true when the delegation rests. */
async function conclude(id: string, attempt: number, outcome: AttemptOutcome, tools: LoopTools): Promise<boolean> {
  switch (outcome.is) {
    case "approved":
      return true;
    case "stuck":
      await tools.append({
        type: "delegation.stuck",
        delegation: id,
        data: { attempt, reason: outcome.reason, by: outcome.by },
      });
      await escalateStuck(id, tools);
      return true;
    case "over-budget":
      await tools.append({ type: "delegation.over-budget", delegation: id, data: { attempt, what: outcome.what } });
      return true;
    case "rejected": {
      const { by, hard, tree, notes } = outcome;
      const findings = fitFindings(outcome.findings);
      const fingerprint = rejectionFingerprint(findings, tools.record(id).attempts.at(-1)?.report);
      const data = {
        attempt,
        by,
        hard,
        findings,
        ...(notes ? { notes: fitFindings(notes) } : {}),
        ...(tree ? { tree } : {}),
        fingerprint,
      };
      await tools.append({ type: "attempt.rejected", delegation: id, data });
      return false;
    }
  }
}

/** Ends a loop after a rejection that no further attempt follows; told from the record, so that a crash between changes nothing. */
async function restAfter(id: string, last: Attempt | undefined, tools: LoopTools): Promise<boolean> {
  const rejection = last?.rejection;
  if (!last || !rejection) return false;
  if (rejection.hard) {
    const message = rejection.findings[0]?.message ?? "rejected";
    await tools.append({ type: "delegation.rejected", delegation: id, data: { hard: true, message } });
    return true;
  }
  const again = sameRejection(tools.record(id).attempts);
  if (again !== undefined) {
    await endStuck(id, last.number, again, tools);
    return true;
  }
  // The same tree again: feedback does not reach this executor, and another try would only cost (cost runaway on retry).
  const repeated = rejection.findings.find((finding) => finding.reason === "repeated-tree");
  if (!repeated) return false;
  await endStuck(id, last.number, repeated.message, tools);
  return true;
}

/** That an earlier attempt was rejected for the very same: the feedback does not help, and another try would only cost. */
function sameRejection(attempts: readonly Attempt[]): string | undefined {
  const last = attempts.at(-1);
  const fingerprint = last?.rejection?.fingerprint;
  if (fingerprint === undefined) return undefined;
  const before = attempts.find((one) => one !== last && one.rejection?.fingerprint === fingerprint);
  if (!before) return undefined;
  const reasons = [...new Set(last?.rejection?.findings.map(({ reason }) => reason))].join(", ");
  return `Attempt ${last?.number} was rejected for the same as attempt ${before.number} (${reasons}): another one would only cost.`;
}

async function endStuck(id: string, attempt: number, reason: string, tools: LoopTools): Promise<void> {
  await tools.append({ type: "delegation.stuck", delegation: id, data: { attempt, reason, by: "host" } });
  await escalateStuck(id, tools);
}

/** Thrown by `append` when the ledger takes nothing any more: then nothing further may be decided. */
export class LedgerGone extends SallyportError {}

async function endOf(id: string, thrown: unknown, tools: LoopTools, signal: AbortSignal): Promise<void> {
  if (thrown instanceof LedgerGone) return;
  const record = tools.record(id);
  // What was decided stands; a fault in clearing up after it is the operator's to hear of.
  if (restingStates.has(record.state)) throw thrown;
  const running = record.attempts.at(-1);
  const cut = running !== undefined && record.state !== "preparing" && record.state !== "accepted";
  if (signal.aborted && (signal.reason as StopReason) === "shutdown") {
    // The next start goes on with the next attempt.
    if (cut && !isHeld(record)) {
      const data = { attempt: running.number, code: "internal", message: "the host was shut down" };
      await tools.append({ type: "attempt.failed", delegation: id, data });
    }
    return;
  }
  if (signal.aborted) {
    await tools.append({ type: "delegation.discarded", delegation: id, data: { by: "stop" } });
    return;
  }
  await tools.append({ type: "delegation.failed", delegation: id, data: failureOf(thrown) });
}
