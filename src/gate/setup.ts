/**
 * The policy's `tests.setup`: run once for a delegation on the base tree alone, with the policy's network, before any
 * executor has written a byte. What it made lies read-only under the executor and every test run.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Delegation } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import { sandboxOwner } from "../sandbox/engine.ts";
import { baseEnvironment } from "../sandbox/hardening.ts";
import type { RunRole } from "../sandbox/role-run.ts";
import type { BaseTree } from "../worktree/base-tree.ts";
import { closeWorkspace, createLayer, destroyLayer, openWorkspace } from "../worktree/layer.ts";
import { layerInodes } from "./clean-tree.ts";
import { cutTail, printable } from "./printable.ts";
import { ownEnd } from "./test-run.ts";

export interface SetupContext {
  record: Delegation;
  base: BaseTree;
  directory: string;
  runRole: RunRole;
  signal: AbortSignal;
}

/** Runs the setup, lends its layer (as lower directories, top first; none without a setup) and removes it after. */
export async function withSetup<T>(context: SetupContext, use: (lowers: readonly string[]) => Promise<T>): Promise<T> {
  const { record, base } = context;
  const { policy } = record;
  const command = policy.tests?.setup;
  if (!command) return use([]);
  const directory = join(context.directory, "setup");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const layer = await createLayer({
    directory,
    name: "layer",
    bytes: policy.sandbox.disk,
    inodes: layerInodes,
    owner: sandboxOwner,
  });
  try {
    const workspace = await openWorkspace({ lowers: [base.files], layer, target: join(directory, "workspace") });
    try {
      const result = await context.runRole({
        delegation: record.id,
        attempt: Math.max(1, record.attempts.length),
        role: "tester",
        purpose: "setup on the base",
        image: record.images.tester,
        command: ["/bin/sh", "-c", command],
        environment: baseEnvironment(true),
        directory: "/workspace",
        mounts: [{ source: workspace.target, target: "/workspace", writable: true }],
        limits: policy.sandbox,
        wall: policy.tests?.wall ?? policy.budget.wall,
        output: policy.budget.output,
        lane: {
          network: policy.network,
          models: {},
          requests: policy.budget.requests,
          verbs: {},
          secrets: policy.secrets,
        },
        signal: context.signal,
      });
      const end = ownEnd(result.end, context.signal);
      context.signal.throwIfAborted();
      if (end !== "exit" || result.exit !== 0) {
        const last = cutTail(printable(result.output.tail), 1500);
        throw new SallyportError(
          "policy-invalid",
          `tests.setup of policy ${policy.name} ended with ${result.exit ?? end}: ${last}`,
          {
            next: "Correct the command or the policy's network; what was denied is in `sallyport audit show`.",
          },
        );
      }
    } finally {
      await closeWorkspace(workspace);
    }
    return await use([layer.upper]);
  } finally {
    await destroyLayer(layer);
    await rm(directory, { recursive: true, force: true });
  }
}
