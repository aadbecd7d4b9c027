/** Who has the next attempt of a brief that names several executors; the choice is in the ledger before it takes effect. */
import { pathMatcher } from "../policy/paths.ts";
import type { Quarantine } from "../worktree/quarantine.ts";
import { chooseNext } from "./route-executor.ts";
import type { LoopTools } from "./tools.ts";
import { sharesOf } from "./track-record.ts";
import { kindOfWork } from "./work-kind.ts";

/** Chooses and records. A brief of one executor has nothing to choose. */
export async function chooseExecutor(
  id: string,
  attempt: number,
  place: { quarantine: Quarantine; base: { tree: string } },
  tools: LoopTools,
): Promise<void> {
  const record = tools.record(id);
  const { candidates, policy } = record;
  if (!candidates) return;
  // There is no change yet: the kind of the files that may be changed stands for it.
  const paths = await place.quarantine.listPaths(place.base.tree);
  const kind = kindOfWork(paths.filter(pathMatcher(policy.filesystem.writable)));
  const shares = tools.delegations().flatMap(sharesOf);
  const names = candidates.map(({ executor }) => executor);
  const { executor, reasons } = chooseNext(names, kind, shares, record.attempts);
  const image = candidates.find((candidate) => candidate.executor === executor)?.image;
  if (image === undefined) return;
  const data = { attempt, executor, image, reasons: reasons.slice(0, 20).map((reason) => reason.slice(0, 500)) };
  await tools.append({ type: "executor.chosen", delegation: id, data });
}
