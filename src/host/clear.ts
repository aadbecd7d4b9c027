/**
 * Retention: what is cleared away, decided from the ledger. Never the ledger, never a key, and nothing that a delegation which
 * runs, waits, rests approved or has landed stands on.
 */
import { dirname } from "node:path";
import type { RetentionConfig } from "../domain/config.ts";
import { type Delegation, endStates } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import type { Event } from "../domain/event.ts";
import type { ClearAnswer } from "../domain/operations.ts";
import { restingPlanStates } from "../domain/plan-record.ts";
import type { connectEngine } from "../sandbox/connect.ts";
import type { BuiltImage } from "../sandbox/images/built-image.ts";
import { oldImages, removeImage } from "../sandbox/images/clear.ts";
import { bytesOf, clearObjects, idleTrees, keptRefs, removeTrees } from "../worktree/clear.ts";
import { shippedImages } from "./config.ts";
import type { StateDirectory } from "./state-directory.ts";
import type { Store } from "./store.ts";

export interface ClearParts {
  state: StateDirectory;
  store: Pick<Store, "find" | "list" | "findPlan">;
  append(event: Event): Promise<unknown>;
  docker: Awaited<ReturnType<typeof connectEngine>>;
  /** What runs or lands now: its trees are in use, whenever they were asked for. */
  running: () => readonly string[];
  now: () => Date;
}

const hour = 3_600_000;
/** What a running delegation wrote and has not named yet is younger than this. */
const grace = 24 * hour;

/** Whether nothing will ask for a delegation's proposals again but a person who looks back. */
export function isOver(record: Delegation, store: Pick<Store, "findPlan">): boolean {
  if (!endStates.has(record.state) || record.state === "landed") return false;
  if (record.asked || record.intent || record.preparing) return false;
  const plan = record.plan && store.findPlan(record.plan.id);
  // A plan that is approved can still be landed, and is then put together again from its parts.
  return plan === undefined || (restingPlanStates.has(plan.state) && plan.state !== "approved");
}

/** The refusal to show what was cleared away. */
export function notKept(id: string, cause: unknown): SallyportError {
  return new SallyportError("not-found", `the proposals of ${id} are not kept any more`, {
    next: `What they were is in the ledger by digest: \`sallyport show ${id}\`. \`retention\` in config.yaml says how long they are kept.`,
    cause,
  });
}

/** The time before which nothing that runs has asked for a tree. */
function earliest({ store, running, now }: ClearParts): number {
  const starts = running().map((id) => Date.parse(store.find(id)?.accepted ?? "") || now().getTime() - grace);
  return Math.min(now().getTime(), ...starts);
}

interface Cleared {
  /** Trees that were asked for since then stay. */
  idleSince: Date;
  trees: { key: string; bytes: number }[];
  proposals: { gitDir: string; refs: string[] }[];
  images: BuiltImage[];
}

async function find(parts: ClearParts, retention: RetentionConfig): Promise<Cleared> {
  const { state, store, docker, now } = parts;
  const ago = (milliseconds: number) => new Date(now().getTime() - milliseconds);
  const idleSince = new Date(Math.min(ago(retention.trees).getTime(), earliest(parts) - hour));
  const trees = retention.trees === 0 ? [] : await idleTrees(state.trees, idleSince);
  const proposals: Cleared["proposals"] = [];
  if (retention.proposals > 0) {
    const before = ago(retention.proposals).toISOString();
    for (const { gitDir, refs } of await keptRefs(state.quarantine)) {
      const over = refs.filter((ref) => {
        const record = store.find(dirname(ref));
        return record !== undefined && record.updated < before && isOver(record, store);
      });
      if (over.length > 0) proposals.push({ gitDir, refs: over });
    }
  }
  // An image that a delegation which is not over names will be asked for again.
  const alive = JSON.stringify(store.list().filter((record) => !isOver(record, store) && record.state !== "landed"));
  const needed = new Set(alive.match(/sha256:[0-9a-f]{64}/g) ?? []);
  const images = retention.images === 0 ? [] : await oldImages(docker, shippedImages, ago(retention.images), needed);
  return { idleSince, trees, proposals, images };
}

/** Finds what is to go, writes that down, and takes it away; with `dryRun` it is only told. */
export async function clearAway(parts: ClearParts, retention: RetentionConfig, dryRun: boolean): Promise<ClearAnswer> {
  const { state, docker, append, now } = parts;
  const found = await find(parts, retention);
  const refs = found.proposals.flatMap((one) => one.refs);
  const answer: ClearAnswer = {
    dryRun,
    trees: found.trees.length,
    proposals: refs.length,
    images: found.images.map(({ tag }) => tag),
    bytes:
      found.trees.reduce((sum, { bytes }) => sum + bytes, 0) + found.images.reduce((sum, { size }) => sum + size, 0),
  };
  if (dryRun) return answer;
  // Written down first: what is gone from the disk can be told from the ledger, whenever the clearing is cut.
  if (found.trees.length + refs.length + found.images.length > 0) {
    const most = 1000;
    await append({
      type: "host.cleared",
      data: { trees: found.trees.length, proposals: refs.slice(0, most), images: answer.images.slice(0, most) },
    });
  }
  let bytes = 0;
  const before = await bytesOf(state.trees);
  const named = found.trees.map(({ key }) => key);
  const removed = await removeTrees(state.trees, named, found.idleSince);
  bytes += Math.max(0, before - (await bytesOf(state.trees)));
  if (retention.proposals > 0) {
    const dropped = new Map(found.proposals.map((one) => [one.gitDir, one.refs]));
    // Also where nothing is dropped now: a discarded delegation's refs went before, and a clearing may have been cut.
    for (const { gitDir } of await keptRefs(state.quarantine))
      bytes += await clearObjects(gitDir, dropped.get(gitDir) ?? [], new Date(now().getTime() - grace));
  }
  const gone: string[] = [];
  for (const image of found.images) {
    if (!(await removeImage(docker, image))) continue;
    gone.push(image.tag);
    bytes += image.size;
  }
  return { ...answer, trees: removed.length, images: gone, bytes };
}
