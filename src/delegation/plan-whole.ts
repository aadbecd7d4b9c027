import type { Delegation } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import type { EventData } from "../domain/event.ts";
import type { RejectionReason } from "../domain/rejection.ts";
import { reportFindings } from "../gate/compare-runs.ts";
import { cut } from "../gate/printable.ts";
import { testProposal } from "../gate/tester.ts";
import { type AttemptPlace, testContext } from "./attempt-place.ts";
import { bisectParts, type Culprits } from "./plan-bisect.ts";
import { mergeParts } from "./plan-merge.ts";
import type { LoopTools } from "./tools.ts";

/** Rejections that a test or a check of the host's shows, so that a part of the whole can be asked the same. */
const shownByTests: ReadonlySet<RejectionReason> = new Set<RejectionReason>([
  "tests-failed",
  "tests-forged",
  "test-disappeared",
  "test-newly-skipped",
  "check-failed",
]);

/** Ends a combined whole whose last attempt was rejected. After a crash it goes on where it was. */
export async function rejectWhole(
  id: string,
  place: AttemptPlace,
  tools: LoopTools,
  signal: AbortSignal,
): Promise<void> {
  const record = tools.record(id);
  const last = record.attempts.at(-1);
  const rejection = last?.rejection;
  if (!last || !rejection) return;
  const isRed = rejection.by === "host" && rejection.findings.some((finding) => shownByTests.has(finding.reason));
  if (isRed && !record.bisected) {
    const data = await bisectWhole(record, last.number, place, tools, signal);
    await tools.append({ type: "delegation.bisected", delegation: id, data });
  }
  const found = rejection.findings[0]?.message ?? "rejected";
  const message = cut(tools.record(id).bisected?.message ?? found, 4000);
  await tools.append({ type: "delegation.rejected", delegation: id, data: { hard: rejection.hard, message } });
}

async function bisectWhole(
  record: Delegation,
  attempt: number,
  place: AttemptPlace,
  tools: LoopTools,
  signal: AbortSignal,
): Promise<EventData<"delegation.bisected">> {
  const parts = record.plan?.combines ?? [];
  const own = record.brief.accept.some((criterion) => !criterion.id.includes("-"));
  const found = cut(record.attempts.at(-1)?.rejection?.findings[0]?.message ?? "", 2000);
  let runs = 0;
  try {
    const order = await withBefore(parts, place);
    const culprits = await bisectParts(order, own, async (ids) => {
      signal.throwIfAborted();
      runs += 1;
      return isRedWith(record, attempt, runs, ids, place, tools, signal);
    });
    return {
      attempt,
      culprits: culprits.culprits,
      runs: culprits.runs,
      message: cut(sayCulprits(culprits, found), 4000),
    };
  } catch (error) {
    if (signal.aborted || (error instanceof SallyportError && error.code === "ledger-failed")) throw error;
    // The rejection stands without it.
    const why = error instanceof Error ? error.message : String(error);
    return {
      attempt,
      culprits: [],
      runs,
      message: cut(`${found} (which briefs do it could not be found: ${why})`, 4000),
    };
  }
}

function sayCulprits({ culprits, kind }: Culprits, found: string): string {
  const names = culprits.join(" and ");
  switch (kind) {
    case "alone":
      return `${names}, approved by itself, turns the whole red: ${found}`;
    case "pair":
      return `${names} are each approved and red together: ${found}`;
    case "prefix":
      return `${names} are red together, and no two of them alone: ${found}`;
    case "whole":
      return `Only the plan's own criteria are not met by the whole: ${found}`;
  }
}

/** What each part stands on, told by git: a part's commit has those of the briefs before it as ancestors. */
async function withBefore(
  parts: NonNullable<NonNullable<Delegation["plan"]>["combines"]>,
  place: AttemptPlace,
): Promise<{ id: string; before: ReadonlySet<string> }[]> {
  return Promise.all(
    parts.map(async ({ brief, commit }) => {
      const before = new Set<string>();
      for (const other of parts) {
        if (other.brief === brief || !(await place.quarantine.isAncestor(other.commit, commit))) continue;
        before.add(other.brief);
      }
      return { id: brief, before };
    }),
  );
}

async function isRedWith(
  record: Delegation,
  attempt: number,
  run: number,
  ids: readonly string[],
  place: AttemptPlace,
  tools: LoopTools,
  signal: AbortSignal,
): Promise<boolean> {
  const parts = (record.plan?.combines ?? []).filter(({ brief }) => ids.includes(brief));
  const merged = await mergeParts(place.quarantine, record.base, parts, new Date(record.accepted));
  // All together merge: what does not merge here is not what turns them red.
  if (!("commit" in merged)) return false;
  const context = testContext(record, attempt, `bisect-${run}`, place, tools, signal);
  const criteria = record.brief.accept.filter(({ id }) => ids.includes(id.split("-")[0] ?? "") && id.includes("-"));
  const evidence = { criteria, checkFiles: record.checkFiles };
  const report = await testProposal(context, merged.tree, evidence, tools.baselines);
  return reportFindings(report).length > 0;
}
