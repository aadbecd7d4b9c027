/**
 * A turn of the planner harness, in a sandbox that can change nothing: the base tree read-only, no layer, no workspace.
 * It answers through its verbs alone; what it prints decides nothing.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BudgetAccount } from "../domain/budget.ts";
import type { SandboxEnd } from "../domain/event.ts";
import type { HarnessFile } from "../domain/harness.ts";
import type { PlannerPurpose } from "../domain/mission.ts";
import { type MissionRecord, plannerSpend } from "../domain/mission-record.ts";
import { harnessRoutes } from "../policy/harness-route.ts";
import { baseEnvironment } from "../sandbox/hardening.ts";
import { prepareHarness } from "../sandbox/harness-command.ts";
import type { RoleLane, RunRole, VerbAnswer } from "../sandbox/role-run.ts";

export interface PlannerTurnSpec {
  record: MissionRecord;
  turn: number;
  purpose: PlannerPurpose;
  harness: HarnessFile;
  prompt: string;
  /** What lies in /mission, as JSON by file name. */
  files: Readonly<Record<string, object>>;
  /** The checkout of the base, shown at /worktree; left out for a report. */
  worktree?: string;
  /** A directory of this turn's own; taken away after. */
  directory: string;
  /** Answers a verb; `done` ends the sandbox after a moment. */
  verbs: Readonly<Record<string, (body: unknown, done: () => void) => Promise<VerbAnswer>>>;
  runRole: RunRole;
  signal: AbortSignal;
}

/** How long a planner may go on after its answer was taken, in milliseconds: some harnesses never end by themselves. */
const graceAfterAnswer = 2000;

/** The most bytes of a prompt: it is one argument of a program, and Linux takes 128 KiB (MAX_ARG_STRLEN). */
const promptLimit = 100 * 1024;

/** Runs one turn; the end of its sandbox. What came of it, the verbs know. */
export async function runPlanner(spec: PlannerTurnSpec): Promise<SandboxEnd> {
  const { record, harness } = spec;
  const { policy } = record;
  const folder = join(spec.directory, "mission");
  const ended = new AbortController();
  let grace: NodeJS.Timeout | undefined;
  try {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    await writeFile(join(folder, "prompt.md"), spec.prompt, { mode: 0o644 });
    for (const [name, content] of Object.entries(spec.files))
      await writeFile(join(folder, name), JSON.stringify(content, null, 1), { mode: 0o644 });
    const start = await prepareHarness(harness, fitPrompt(spec.prompt), spec.directory);
    const done = () => {
      grace ??= setTimeout(() => ended.abort(), graceAfterAnswer);
    };
    const verbs: Record<string, RoleLane["verbs"][string]> = {};
    for (const [name, answer] of Object.entries(spec.verbs)) verbs[name] = (body) => answer(body, done);
    const spent = plannerSpend(record);
    const result = await spec.runRole({
      delegation: record.id,
      attempt: spec.turn,
      role: "planner",
      purpose: spec.purpose,
      image: record.image,
      command: start.command,
      environment: { ...baseEnvironment(true), ...start.environment },
      directory: spec.worktree ? "/worktree" : "/mission",
      mounts: [
        ...(spec.worktree ? [{ source: spec.worktree, target: "/worktree", writable: false }] : []),
        { source: folder, target: "/mission", writable: false },
        ...start.mounts,
      ],
      limits: policy.sandbox,
      wall: Math.max(1, policy.budget.wall - spent.wall),
      output: policy.budget.output,
      lane: {
        network: policy.network,
        models: harnessRoutes(policy, harness),
        accounts: [missionAccount(record)],
        requests: Math.max(0, policy.budget.requests - spent.requests),
        secrets: policy.secrets,
        verbs,
      },
      signal: AbortSignal.any([spec.signal, ended.signal]),
    });
    // Ended by us after its own answer is an ordinary end.
    return result.end === "stopped" && !spec.signal.aborted ? "exit" : result.end;
  } finally {
    clearTimeout(grace);
    await rm(spec.directory, { recursive: true, force: true });
  }
}

/** What all turns of a planner may cost together: its policy's budget. */
function missionAccount({ id, policy }: MissionRecord): BudgetAccount {
  const { tokens, usd } = policy.budget;
  return { id: `mission:${id}`, whose: "this mission's planner", rule: "budget", tokens, usd };
}

/** A prompt for a command line; one that would not fit there sends the planner to the same words in its file. */
function fitPrompt(prompt: string): string {
  // A NUL ends an argument.
  const whole = prompt.replaceAll("\0", "");
  if (Buffer.byteLength(whole) <= promptLimit) return whole;
  return "You are the planner. Your mission is too long for a command line: read /mission/prompt.md, then do what it says.";
}
