/** The executor's turn: its sandbox with the worktree under a layer, its verbs, and how it ended. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Delegation, executorSpend } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import type { SandboxEnd } from "../domain/event.ts";
import type { HarnessFile } from "../domain/harness.ts";
import { harnessRoutes } from "../policy/harness-route.ts";
import { baseEnvironment } from "../sandbox/hardening.ts";
import { prepareHarness } from "../sandbox/harness-command.ts";
import type { VerbAnswer } from "../sandbox/role-run.ts";
import { layerFingerprint } from "../worktree/fingerprint.ts";
import type { Layer } from "../worktree/layer.ts";
import { executorBrief, executorPrompt } from "./prompt.ts";
import { watchStuck } from "./stuck-watch.ts";
import type { LoopTools } from "./tools.ts";

export interface ExecutorTurn {
  sandbox: string;
  end: SandboxEnd;
  exit: number | null;
  /** That it cannot go on: its own word, or what a detector of the host's found. */
  stuck?: { by: "executor" | "host"; reason: string };
  /** The cap of tokens or money that it met. */
  over?: string;
}

export interface ExecutorPlace {
  /** The mounted workspace and the base tree, as host paths. */
  workspace: string;
  baseTree: string;
  layer: Layer;
  directory: string;
}

/** How long a harness may go on after it said that it is done, in milliseconds: some never end by themselves. */
const graceAfterPropose = 5000;

function textOf(body: unknown): string | undefined {
  const text = (body as { text?: unknown } | null)?.text;
  return typeof text === "string" && text.trim().length > 0 && text.length <= 4000
    ? text.trim().toWellFormed()
    : undefined;
}

const malformed: VerbAnswer = {
  status: 422,
  body: { code: "report-malformed", next: 'Send {"text": "..."} with 1 to 4000 characters.' },
};

/** Runs the executor for one attempt. The result says how it ended, never whether it did well. */
export async function runExecutor(
  record: Delegation,
  attempt: number,
  harness: HarnessFile,
  place: ExecutorPlace,
  tools: LoopTools,
  signal: AbortSignal,
): Promise<ExecutorTurn> {
  const { policy } = record;
  const image = record.images.executor;
  if (!image) throw new SallyportError("internal", `${record.id} has no executor`);
  const spent = executorSpend(record);
  const brief = executorBrief(record, attempt);
  const folder = join(place.directory, "brief");
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await writeFile(join(folder, "brief.json"), JSON.stringify(brief, null, 1), { mode: 0o644 });

  const ended = new AbortController();
  let stuckReport: string | undefined;
  let proposed = false;
  let grace: NodeJS.Timeout | undefined;
  const verbs = {
    stuck: async (body: unknown): Promise<VerbAnswer> => {
      const text = textOf(body);
      if (!text) return malformed;
      if (stuckReport !== undefined || proposed)
        return { status: 409, body: { code: "already-reported", next: "The first report counts." } };
      stuckReport = text;
      watching.end().catch(() => {});
      grace = setTimeout(() => ended.abort(), 200);
      return { status: 200, body: { ok: true } };
    },
    propose: async (body: unknown): Promise<VerbAnswer> => {
      if (!textOf(body)) return malformed;
      if (stuckReport !== undefined || proposed)
        return { status: 409, body: { code: "already-reported", next: "The first report counts." } };
      proposed = true;
      watching.end().catch(() => {});
      grace = setTimeout(() => ended.abort(), graceAfterPropose);
      return { status: 200, body: { ok: true } };
    },
    note: async (body: unknown): Promise<VerbAnswer> =>
      textOf(body) ? { status: 200, body: { ok: true } } : malformed,
  };
  const start = await prepareHarness(harness, executorPrompt(brief), place.directory);
  const watching = watchStuck({
    thresholds: policy.stuck ?? {},
    look: () => layerFingerprint(place.layer),
    subscribe: (listener) =>
      tools.subscribe((entry) => {
        if (entry.delegation === record.id) listener(entry);
      }),
    found: async (sandbox, { detector, why, seen }) => {
      const data = { sandbox, attempt, detector, why, seen };
      await tools.append({ type: "stuck.detected", delegation: record.id, data });
    },
    endSandbox: () => ended.abort(),
    clock: () => performance.now(),
  });
  try {
    const result = await tools.runRole({
      delegation: record.id,
      attempt,
      role: "executor",
      purpose: "execute",
      image,
      command: start.command,
      environment: { ...baseEnvironment(true), ...start.environment },
      directory: "/workspace",
      mounts: [
        { source: place.workspace, target: "/workspace", writable: true },
        { source: place.baseTree, target: "/worktree", writable: false },
        { source: folder, target: "/brief", writable: false },
        ...start.mounts,
      ],
      limits: policy.sandbox,
      wall: Math.max(1, policy.budget.wall - spent.wall),
      output: policy.budget.output,
      lane: {
        network: policy.network,
        models: harnessRoutes(policy, harness),
        requests: Math.max(0, policy.budget.requests - spent.requests),
        secrets: policy.secrets,
        verbs,
      },
      watch: watching.watch,
      signal: AbortSignal.any([signal, ended.signal]),
    });
    const detection = await watching.end();
    // Its own word comes first: it was the first to say so.
    const stuck: ExecutorTurn["stuck"] =
      stuckReport !== undefined
        ? { by: "executor", reason: stuckReport }
        : detection && !proposed && result.end === "stopped"
          ? { by: "host", reason: `${detection.detector}: ${detection.why}` }
          : undefined;
    // Ended by us after its own report is an ordinary end.
    const end = result.end === "stopped" && !signal.aborted ? "exit" : result.end;
    return {
      sandbox: result.sandbox,
      end,
      exit: result.exit,
      ...(stuck ? { stuck } : {}),
      ...(result.over === undefined ? {} : { over: result.over }),
    };
  } finally {
    await watching.end().catch(() => {});
    clearTimeout(grace);
    await rm(folder, { recursive: true, force: true });
  }
}
