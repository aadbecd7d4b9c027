/** What is going on, folded out of ledger entries into a few lines: stage, attempt, spend, last denial. Pure. */
import { step } from "../delegation/reduce.ts";
import { type Delegation, executorSpend, restingStates, type State } from "../domain/delegation.ts";
import type { Entry } from "../domain/event.ts";
import { showMoney } from "../domain/units.ts";
import { explain } from "../policy/explain.ts";
import type { Line, Part } from "./terminal.ts";
import { clock } from "./when.ts";

/** One delegation as it is watched. */
export interface Watched {
  record: Delegation;
  /** The stages of this attempt that are over, in order, with their milliseconds. */
  stages: { state: State; milliseconds: number }[];
  /** When the stage that it is in began, milliseconds since 1970. */
  since: number;
}

/** What is known after one more entry about the same delegation. An entry out of order changes nothing. */
export function watchStep(before: Watched | undefined, entry: Entry): Watched | undefined {
  const record = stepped(before?.record, entry);
  if (!record) return before;
  const time = Date.parse(entry.time);
  if (!before) return { record, stages: [], since: time };
  if (entry.type === "attempt.started") {
    const first = record.attempts.length === 1 ? before.stages : [];
    return { record, stages: [...first, ended(before, time)], since: time };
  }
  if (before.record.state === record.state) return { ...before, record };
  // The time in which it waits for a lane is no stage of the work.
  const stages = before.record.state === "accepted" ? [] : [...before.stages, ended(before, time)];
  return { record, stages, since: time };
}

const ended = ({ record, since }: Watched, time: number) => ({ state: record.state, milliseconds: time - since });

function stepped(record: Delegation | undefined, entry: Entry): Delegation | undefined {
  try {
    return step(record, entry);
  } catch {
    // A log that does not begin at its beginning: what is not known is not shown.
    return undefined;
  }
}

const dot = ["  ·  ", "dim"] as const;
const between = (parts: readonly (Part | undefined)[]): Part[] =>
  parts.filter((part) => part !== undefined).flatMap((part, index) => (index === 0 ? [part] : [dot, part]));

/** The stage, for one line: `testing 12 s`. */
export function showStage({ record, since }: Watched, now: number): Part {
  const rests = restingStates.has(record.state);
  if (record.held) return [`held: ${record.held}`, "warn"];
  if (record.state === "accepted") return [`waits for a lane, ${clock(now - since)}`, "warn"];
  if (rests) return [record.state, record.state === "approved" || record.state === "landed" ? "good" : "bad"];
  return [`${record.state} ${clock(now - since)}`, "name"];
}

const attemptOf = ({ attempts, policy }: Delegation) =>
  `attempt ${Math.max(1, attempts.length)} of ${policy.budget.attempts}`;

/** What all roles' models cost, in micro-dollars; what is reserved counts as spent. */
const paid = ({ spend, reservations }: Delegation) =>
  [...Object.values(spend), ...Object.values(reservations)].reduce((sum, { microusd }) => sum + microusd, 0);
const tokens = ({ spend, reservations }: Delegation) =>
  [...Object.values(spend), ...Object.values(reservations)].reduce((sum, one) => sum + one.tokens, 0);

/** What was spent, against what may be: money and tokens where models may be asked, and requests. */
function showSpend(record: Delegation): string {
  const { budget } = record.policy;
  const parts: string[] = [];
  if (paid(record) > 0 || budget.usd)
    parts.push(`${showMoney(paid(record))}${budget.usd === undefined ? "" : ` of ${showMoney(budget.usd)}`}`);
  if (tokens(record) > 0 || budget.tokens)
    parts.push(`tokens ${tokens(record)}${budget.tokens === undefined ? "" : ` of ${budget.tokens}`}`);
  return [...parts, `requests ${executorSpend(record).requests} of ${budget.requests}`].join(", ");
}

/** The last request that was denied, and the smallest rule that would let it pass. */
export function showDenial({ denied, denials, policy }: Delegation): Line[] {
  const last = denied.at(-1);
  if (!last) return [];
  const { allow, next } = explain(policy, last.method, last.url);
  const asked = `"${last.method} ${last.url}"`;
  return [
    [["  denied ", "bad"], `${denials}, last: ${last.method} ${last.url} (${last.code})`],
    ...(allow || !next
      ? []
      : [
          [["  to allow it: ", "dim"], next.replace(/^# /, "")] as Line,
          [["  why: ", "dim"], `sallyport policy explain ${policy.name} ${asked}`] as Line,
        ]),
  ];
}

/** One delegation in a few lines. */
export function describeWatched(watched: Watched, now: number): Line[] {
  const { record, stages } = watched;
  const done = stages.map(({ state, milliseconds }) => `${state} ${clock(milliseconds)}`).join(", ");
  return [
    between([[record.id, "strong"], record.brief.title]),
    ["  ", ...between([showStage(watched, now), attemptOf(record), record.executor || undefined])],
    ...(done ? [[["  done: ", "dim"], done] as Line] : []),
    ["  ", ...between([`elapsed ${clock(now - Date.parse(record.accepted))}`, showSpend(record)])],
    ...showDenial(record),
  ];
}

/** Several delegations: one line each, with the name that each has in its plan. */
export function describeMany(all: ReadonlyMap<string, Watched>, nameOf: (id: string) => string, now: number): Line[] {
  const lines: Line[] = [];
  let denier: Delegation | undefined;
  for (const watched of all.values()) {
    const { record } = watched;
    const name: Part = [`${nameOf(record.id)}  `.padStart(10), "strong"];
    const moving = !restingStates.has(record.state);
    lines.push([
      name,
      ...between([showStage(watched, now), moving ? attemptOf(record) : undefined, record.brief.title]),
    ]);
    if (record.denied.length > 0) denier = record;
  }
  const spent = [...all.values()].reduce((sum, { record }) => sum + paid(record), 0);
  if (spent > 0) lines.push([["     spent  ", "dim"], showMoney(spent)]);
  return denier ? [...lines, ...showDenial(denier)] : lines;
}

/** Entries that are worth a line of their own above what is redrawn. */
export function isMilestone({ type, data }: Entry): boolean {
  if (type === "request") return (data as { decision: string }).decision === "deny";
  return /^(?:delegation|plan|mission|planner|landing|gate|canary|stuck|proposal|tests|verdict|action)\.|^attempt\.(?:rejected|failed)$|^(?:budget\.refused|executor\.chosen|recovered)$/.test(
    type,
  );
}
