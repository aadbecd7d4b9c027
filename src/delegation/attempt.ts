/**
 * One attempt, from a layer to a decision: execute, collect, mechanical rules, tests and checks, verify. Each stage's
 * result is in the ledger before the next begins.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Delegation } from "../domain/delegation.ts";
import { asSallyportError, SallyportError } from "../domain/error.ts";
import type { Proposal } from "../domain/event.ts";
import type { Finding } from "../domain/rejection.ts";
import { showDuration } from "../domain/units.ts";
import { layerInodes } from "../gate/clean-tree.ts";
import { reportFindings } from "../gate/compare-runs.ts";
import { digestBytes, digestValue } from "../gate/digest.ts";
import { cut } from "../gate/printable.ts";
import { mechanicalFindings } from "../gate/rules.ts";
import { testProposal } from "../gate/tester.ts";
import { pathMatcher, protectedMatcher } from "../policy/paths.ts";
import { sandboxOwner } from "../sandbox/engine.ts";
import { type Collected, collectLayer } from "../worktree/collect.ts";
import { forgetObjects } from "../worktree/forget.ts";
import { createLayer, destroyLayer, freezeLayer, openWorkspace, seedWorkspace } from "../worktree/layer.ts";
import type { AttemptOutcome } from "./attempt-outcome.ts";
import { type AttemptPlace, testContext } from "./attempt-place.ts";
import { type ExecutorTurn, runExecutor } from "./executor.ts";
import { findSecrets } from "./find-secrets.ts";
import { mergeParts } from "./plan-merge.ts";
import type { LoopTools } from "./tools.ts";
import { verifyProposal } from "./verify-proposal.ts";

const rejectedByHost = (findings: Finding[], tree?: string): AttemptOutcome => ({
  is: "rejected",
  by: "host",
  hard: false,
  findings,
  ...(tree ? { tree } : {}),
});

/** Runs attempt `number`. What is the host's own fault is thrown; everything else is an outcome. */
export async function runAttempt(
  id: string,
  number: number,
  place: AttemptPlace,
  tools: LoopTools,
  signal: AbortSignal,
): Promise<AttemptOutcome> {
  const executed = tools.record(id).plan?.combines
    ? await combineParts(id, number, place, tools)
    : await executeAndCollect(id, number, place, tools, signal);
  if ("is" in executed) return executed;
  const { proposal } = executed;
  await tools.append({ type: "proposal.collected", delegation: id, data: { proposal } });

  const record = tools.record(id);
  const broken = mechanicalFindings(proposal, place.base.tree, mechanicalRules(record));
  if (broken.length > 0) return rejectedByHost(broken, proposal.tree);

  const tester = testContext(record, number, `test-${number}`, place, tools, signal);
  const report = await masked(
    tools,
    await testProposal(
      tester,
      proposal.tree,
      { criteria: record.brief.accept, checkFiles: record.checkFiles },
      tools.baselines,
    ),
  );
  signal.throwIfAborted();
  await tools.append({
    type: "tests.reported",
    delegation: id,
    data: { attempt: number, report, digest: digestValue(report) },
  });
  const red = reportFindings(report);
  if (red.length > 0) return rejectedByHost(red, proposal.tree);

  return verifyProposal(id, number, proposal, place, tools, signal);
}

/** What the mechanical rules are given of a delegation. */
export function mechanicalRules(record: Pick<Delegation, "policy" | "attempts">) {
  const { filesystem, budget } = record.policy;
  return {
    writable: pathMatcher(filesystem.writable),
    isProtected: protectedMatcher(filesystem.protected),
    writablePatterns: filesystem.writable,
    patchLimit: budget.patch,
    rejectedTrees: new Map(
      record.attempts.filter((a) => a.rejection && a.proposal).map((a) => [a.proposal?.tree ?? "", a.number]),
    ),
  };
}

/** Why an executor's end is not followed by a collection, if it is not. */
function endedWithout(turn: ExecutorTurn, record: Delegation): AttemptOutcome | undefined {
  const { budget, sandbox } = record.policy;
  if (turn.stuck !== undefined) return { is: "stuck", ...turn.stuck };
  if (turn.over !== undefined) return { is: "over-budget", what: turn.over };
  switch (turn.end) {
    case "exit":
      return undefined;
    case "timeout":
      return { is: "over-budget", what: `wall time: the executor's ${showDuration(budget.wall)} are used up` };
    case "output":
      return {
        is: "over-budget",
        what: `output: the executor printed more than ${budget.output} bytes in one attempt`,
      };
    case "memory":
      return rejectedByHost([
        {
          reason: "executor-memory",
          message: `A process was ended because it needed more than ${sandbox.memory} bytes of memory.`,
        },
      ]);
    default:
      throw new SallyportError(
        turn.end === "gateway-lost" ? "gateway-failed" : "sandbox-failed",
        `the executor's sandbox ended as ${turn.end}`,
        {
          next: "The next attempt is made by itself.",
        },
      );
  }
}

async function executeAndCollect(
  id: string,
  number: number,
  place: AttemptPlace,
  tools: LoopTools,
  signal: AbortSignal,
): Promise<AttemptOutcome | { proposal: Proposal }> {
  const record = tools.record(id);
  const { policy } = record;
  const { base, quarantine } = place;
  const harness = await tools.loadHarness(record.executor);
  const directory = join(place.directory, `attempt-${number}`);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const lowers = [...place.setup, base.files];
  const fromTree = record.attempts.filter((a) => a.proposal).at(-1)?.proposal?.tree ?? base.tree;
  const layer = await createLayer({
    directory,
    name: "layer",
    bytes: policy.sandbox.disk,
    inodes: layerInodes,
    owner: sandboxOwner,
  });
  try {
    const workspace = await openWorkspace({ lowers, layer, target: join(directory, "workspace") });
    if (fromTree !== base.tree) await seedWorkspace(workspace, quarantine, base.tree, fromTree, sandboxOwner);
    await tools.append({ type: "attempt.started", delegation: id, data: { attempt: number, from: fromTree } });
    const turn = await runExecutor(
      tools.record(id),
      number,
      harness,
      { workspace: workspace.target, baseTree: base.files, layer, directory },
      tools,
      signal,
    );
    signal.throwIfAborted();
    await tools.append({ type: "attempt.executed", delegation: id, data: { attempt: number, end: turn.end } });
    const without = endedWithout(turn, record);
    if (without) return without;

    const frozen = await freezeLayer(workspace);
    const collected = await collectLayer({
      quarantine,
      base,
      fromTree,
      layer: frozen,
      lowers,
      limits: { entries: layerInodes, bytes: policy.sandbox.disk, fileBytes: 64 * 1024 * 1024 },
      visible: pathMatcher(policy.filesystem.visible),
      ref: `${id}/${number}`,
      commit: {
        message: `Proposal of ${id}, attempt ${number}\n`,
        author: { name: "Sallyport quarantine", email: "sallyport@localhost" },
        date: new Date(record.accepted),
      },
    });
    tools.note({
      type: "sandbox.wrote",
      delegation: id,
      data: { sandbox: turn.sandbox, ...(await masked(tools, wrote(collected))) },
    });
    if (!collected.ok) return rejectedByHost(collected.findings);
    const secrets = await findSecrets(
      quarantine,
      record.base,
      collected.tree,
      await quarantine.changes(fromTree, collected.tree),
      tools.secrets,
    );
    if (secrets.findings.length > 0) {
      // Not kept, not shown, and no attempt starts from it; nor does a value stay behind in an object that nothing names.
      await quarantine.drop(`${id}/${number}`);
      await forgetObjects(quarantine, secrets.objects);
      return rejectedByHost(secrets.findings);
    }
    return await withPatch(number, collected, place, policy.budget.patch, turn);
  } finally {
    await destroyLayer(layer);
    await rm(directory, { recursive: true, force: true });
  }
}

/** The proposal of a plan's combined whole: no executor, the host merges what was approved. */
async function combineParts(
  id: string,
  number: number,
  place: AttemptPlace,
  tools: LoopTools,
): Promise<AttemptOutcome | { proposal: Proposal }> {
  const { plan, policy, accepted } = tools.record(id);
  const { base, quarantine } = place;
  await tools.append({ type: "attempt.started", delegation: id, data: { attempt: number, from: base.tree } });
  const whole = await mergeParts(quarantine, base.commit, plan?.combines ?? [], new Date(accepted));
  if (!("commit" in whole)) throw new SallyportError("worktree-failed", "what merged before does not merge any more");
  await quarantine.keep(`${id}/${number}`, whole.commit);
  const collected = { ok: true as const, ...whole, changes: [], ignored: 0, wrote: { files: 0, bytes: 0, paths: [] } };
  return withPatch(number, collected, place, policy.budget.patch, { exit: 0 });
}

/** What goes into the ledger and is hashed there, without any value that the gateway knows (ATTACKS S4). */
async function masked<T>(tools: LoopTools, value: T): Promise<T> {
  return tools.secrets.known() ? (JSON.parse(await tools.secrets.mask(JSON.stringify(value))) as T) : value;
}

function wrote(collected: Collected): { files: number; bytes: number; paths: string[] } {
  return { ...collected.wrote, paths: collected.wrote.paths.slice(0, 200) };
}

/** The proposal that a collected tree is, or the rejection of one that changes nothing. */
export async function withPatch(
  number: number,
  collected: Extract<Collected, { ok: true }>,
  place: Pick<AttemptPlace, "base" | "quarantine">,
  limit: number,
  turn: Pick<ExecutorTurn, "exit">,
): Promise<AttemptOutcome | { proposal: Proposal }> {
  const { base, quarantine } = place;
  if (collected.tree === base.tree) {
    const how = turn.exit === 0 || turn.exit === null ? "" : ` The harness ended with ${turn.exit}.`;
    return rejectedByHost([
      {
        reason: "no-change",
        message: `The proposal changes nothing.${how} Edit files below /workspace, or report stuck.`,
      },
    ]);
  }
  const patch = await quarantine.patch(base.tree, collected.tree, limit);
  const all = (await quarantine.changes(base.tree, collected.tree)).map(({ path, kind }) => ({ path, kind }));
  // A patch beyond its limit is rejected for that: a ledger line need not hold every path of a flood.
  const changes = patch.ok ? all : all.slice(0, 1000);
  return {
    proposal: {
      attempt: number,
      commit: collected.commit,
      tree: collected.tree,
      patch: patch.ok ? digestBytes(patch.patch) : "0".repeat(64),
      patchBytes: patch.ok ? patch.patch.length : patch.bytes,
      changes,
      ignored: collected.ignored,
    },
  };
}

/** What an attempt that threw is recorded as. */
export function failureOf(thrown: unknown): { code: string; message: string } {
  const { code, message } = asSallyportError(thrown);
  return { code, message: cut(message, 4000) };
}
