/**
 * An action: a command of the operator's policy, with what was approved or landed as data, in a sandbox of its own. It is
 * written down before it begins and never done twice under one approval by itself: where its end was not seen, a person
 * decides. Its failure changes nothing about what landed.
 */
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Delegation } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import type { EventData } from "../domain/event.ts";
import type { Action } from "../domain/policy.ts";
import { currentFacts } from "../gate/land.ts";
import { cut, cutTail, printable } from "../gate/printable.ts";
import { checkApproval } from "../gate/sign-off.ts";
import { pathMatcher } from "../policy/paths.ts";
import type { SandboxMount } from "../sandbox/engine.ts";
import { sandboxOwner } from "../sandbox/engine.ts";
import { baseEnvironment, sandboxPaths } from "../sandbox/hardening.ts";
import { ensureBaseTree } from "../worktree/base-tree.ts";
import type { Quarantine } from "../worktree/quarantine.ts";
import { approvedOnly, refusePart } from "./decide.ts";
import type { LandTools } from "./prepare-landing.ts";

export type ActTools = LandTools & { findImage(name: string): Promise<string> };

export type Acted = EventData<"action.ended"> & { id: string };

const place = "/landed";
const defaults = { requests: 100, wall: 5 * 60_000 };

/** The action of that name that a delegation's policy gives. Errors: `action-refused`. */
export function actionOf(record: Delegation, name: string): Action {
  const all = record.policy.actions ?? {};
  const action = Object.hasOwn(all, name) ? all[name] : undefined;
  if (action) return action;
  throw new SallyportError("action-refused", `policy ${record.policy.name} gives ${record.id} no action ${name}`, {
    next: `There are: ${Object.keys(all).join(", ") || "none"}. Actions are the operator's, in \`actions:\` of the policy.`,
  });
}

/** What keeps an action from being done now, as an error with the next step. */
function refuseNow(record: Delegation, name: string, action: Action, again: boolean): void {
  refusePart(record);
  const refused = (found: string, next: string) =>
    new SallyportError("action-refused", `${name}: ${record.id} ${found}`, { next });
  if (record.state !== "landed") {
    if (action.on === "landed")
      throw refused(`is ${record.state}, not landed`, `\`sallyport land ${record.id}\` first.`);
    approvedOnly(record);
  }
  if (record.asked || record.intent) throw refused("is being landed", "Wait until it has landed.");
  const before = (record.actions ?? []).filter((one) => one.action === name);
  if (before.some((one) => one.outcome === undefined)) throw refused("is at it already", "Wait for its end.");
  const last = before.findLast((one) => one.approval === record.approval?.digest);
  if (!last || again) return;
  const next = `If it may be done once more: \`sallyport act ${record.id} ${name} --again\`.`;
  if (last.outcome === "unknown") throw refused("began it, and nobody saw its end: it may have been done", next);
  throw refused(`had it done under this approval already (${last.outcome})`, next);
}

/** Does an action once. Errors: `action-refused`, `approval-invalid`, `approval-expired`, `action-failed`. */
export async function act(
  id: string,
  name: string,
  again: boolean,
  tools: ActTools,
  signal: AbortSignal,
): Promise<Acted> {
  const record = tools.record(id);
  const action = actionOf(record, name);
  refuseNow(record, name, action, again);
  const quarantine = await tools.openQuarantine(await tools.openRepository(record.repository));
  const { approval, landed } = record;
  if (!approval) throw new SallyportError("approval-missing", `${id} is not approved`, { next: "Delegate again." });
  // What landed was landed in time; what has not landed must still hold.
  const now = landed ? new Date(approval.predicate.issued) : tools.now();
  const { tree } = checkApproval(approval.approval, tools.key, await currentFacts(record, quarantine), now);
  const attempt = record.attempts.find((one) => one.number === approval.attempt);
  const commit = landed?.commit ?? record.prepared?.commit ?? attempt?.proposal?.commit ?? "";
  if ((await quarantine.treeOf(commit)) !== tree)
    throw new SallyportError("approval-invalid", `commit ${commit} does not have the approved tree ${tree}`, {
      next: "Look at the repository: it is not what was approved.",
    });
  const image = await tools.findImage(action.image ?? "base");
  const run = (record.actions ?? []).filter((one) => one.action === name).length + 1;
  const data = { action: name, run, approval: approval.digest, commit, image, again };
  await tools.append({ type: "action.intended", delegation: id, data });
  const directory = join(tools.directories.lanes, `${id}.act-${run}`);
  let ended: EventData<"action.ended">;
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    ended = {
      action: name,
      run,
      ...(await runAction(tools.record(id), name, image, commit, directory, quarantine, tools, signal)),
    };
  } catch (error) {
    // It may have done its work before the host lost sight of it.
    const message = cut(error instanceof Error ? error.message : String(error), 4000);
    ended = { action: name, run, outcome: "unknown", exit: null, message };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  await tools.append({ type: "action.ended", delegation: id, data: ended });
  if (ended.outcome === "done") return { id, ...ended };
  throw new SallyportError("action-failed", `${name} of ${id}: ${ended.outcome}: ${ended.message}`, {
    next: `What landed stays. Look at what it has done; then, if it may be done once more: \`sallyport act ${id} ${name} --again\`.`,
  });
}

async function runAction(
  record: Delegation,
  name: string,
  image: string,
  commit: string,
  directory: string,
  quarantine: Quarantine,
  tools: ActTools,
  signal: AbortSignal,
): Promise<Pick<EventData<"action.ended">, "outcome" | "exit" | "message">> {
  const action = actionOf(record, name);
  const { approval, landed, policy, id } = record;
  const mounts = await mountsOf(record, action, commit, directory, quarantine, tools);
  const result = await tools.runRole({
    delegation: id,
    attempt: approval?.attempt ?? 1,
    role: "action",
    purpose: `action ${name}`,
    image,
    command: ["/bin/sh", "-c", action.run],
    environment: {
      ...baseEnvironment(true),
      SALLYPORT_ACTION: name,
      SALLYPORT_DELEGATION: id,
      SALLYPORT_APPROVAL: approval?.digest ?? "",
      SALLYPORT_COMMIT: commit,
      SALLYPORT_REF: landed?.ref ?? approval?.predicate.ref ?? record.ref,
    },
    directory: sandboxPaths.temporary,
    mounts,
    limits: policy.sandbox,
    wall: action.wall ?? defaults.wall,
    output: policy.budget.output,
    lane: {
      network: action.network ?? [],
      models: {},
      requests: action.requests ?? defaults.requests,
      verbs: {},
      secrets: action.secrets ?? {},
    },
    signal,
  });
  const said = cutTail(printable(result.output.tail), 1500);
  const { end, exit } = result;
  // Ended by the host's own fault or its end: how far it came, nobody can say.
  if (end === "stopped" || end === "gateway-lost" || end === "failed")
    return { outcome: "unknown", exit, message: cut(`its sandbox ended as ${end}. ${said}`, 4000) };
  if (end === "exit" && exit === 0) return { outcome: "done", exit, message: cut(said || "exit 0", 4000) };
  return { outcome: "failed", exit, message: cut(`${end === "exit" ? `exit ${exit}` : end}. ${said}`, 4000) };
}

/** What the command finds at /landed: read-only, and data. */
async function mountsOf(
  { landed, prepared, plan, base: own }: Delegation,
  action: Action,
  commit: string,
  directory: string,
  quarantine: Quarantine,
  tools: ActTools,
): Promise<SandboxMount[]> {
  if (action.mount === "none") return [];
  if (action.mount === "bundle") {
    const folder = join(directory, "bundle");
    await mkdir(folder, { mode: 0o755 });
    await writeBundle(join(folder, "landed.bundle"), commit, quarantine);
    await chmod(folder, 0o755);
    return [{ source: folder, target: place, writable: false }];
  }
  const base = await ensureBaseTree({
    quarantine,
    directory: tools.directories.trees,
    commit,
    root: landed ? commit : (prepared?.onto ?? plan?.root ?? own),
    visible: pathMatcher(["**"]),
    visibleKey: JSON.stringify(["**"]),
    owner: sandboxOwner,
  });
  return [{ source: base.files, target: place, writable: false }];
}

/** A git bundle of a commit with all its history, as branch `landed` (gitformat-bundle(5)). */
async function writeBundle(path: string, commit: string, quarantine: Quarantine): Promise<void> {
  const head =
    quarantine.objectFormat === "sha1"
      ? "# v2 git bundle\n"
      : `# v3 git bundle\n@object-format=${quarantine.objectFormat}\n`;
  async function* bytes() {
    yield Buffer.from(`${head}${commit} refs/heads/landed\n\n`);
    // An error of git's ends this loop with it: a pack cut short never looks like a whole one.
    for await (const chunk of quarantine.packFor(commit, null)) yield chunk as Buffer;
  }
  await writeFile(path, bytes(), { flag: "wx", mode: 0o644 });
  await chmod(path, 0o644);
}

/** After a crash: the end of an action that was begun was seen by nobody. */
export async function closeActions(record: Delegation, tools: Pick<LandTools, "append">): Promise<void> {
  for (const { action, run } of (record.actions ?? []).filter((one) => one.outcome === undefined)) {
    const data = { action, run, outcome: "unknown" as const, exit: null, message: "cut by a crash of the host" };
    await tools.append({ type: "action.ended", delegation: record.id, data });
  }
}
