/** Rows of the list, from the route that gives a page of them at a time. */
import { type Delegation, restingStates } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import type { Summaries, Summary } from "../domain/page.ts";
import type { StateDirectory } from "../host/state-directory.ts";
import { call } from "./client.ts";

/** The most that the route gives at once. */
const pageSize = 200;

/** What the list is narrowed to. */
export interface Narrowed {
  kind?: "delegation";
  /** States with commas between them. */
  state?: string;
  executor?: string;
  /** Words that title, id, executor, model, repository or ref hold. */
  q?: string;
}

/** Rows, newest first, at most `most`; `total` counts those that match. */
export async function summariesOf(
  state: StateDirectory,
  narrowed: Narrowed,
  most: number,
): Promise<{ total: number; summaries: Summary[] }> {
  const found: Summary[] = [];
  let before: string | undefined;
  try {
    for (;;) {
      const limit = String(Math.min(pageSize, most - found.length));
      const query = new URLSearchParams({ ...narrowed, limit, ...(before ? { before } : {}) });
      const page = await call<Summaries>(state, "GET", `/v1/summaries?${query}`);
      found.push(...page.summaries);
      before = page.next;
      if (before === undefined || found.length >= most) return { total: page.total, summaries: found };
    }
  } catch (error) {
    if (error instanceof SallyportError && error.code === "not-found") return fromRecords(state, narrowed, most);
    throw error;
  }
}

/** The same from a daemon of before that route: it gives all records whole. */
async function fromRecords(state: StateDirectory, { state: only, executor, q }: Narrowed, most: number) {
  const { delegations } = await call<{ delegations: Delegation[] }>(state, "GET", "/v1/delegations");
  const states = only?.split(",");
  const rows = delegations
    .filter((one) => !states || states.includes(one.state))
    .filter((one) => !executor || one.executor === executor)
    .filter((one) => !q || one.id.includes(q))
    .map(rowOf)
    .reverse();
  return { total: rows.length, summaries: rows.slice(0, most) };
}

const rowOf = (one: Delegation): Summary => ({
  id: one.id,
  kind: "delegation",
  title: one.brief.title,
  state: one.state,
  rests: restingStates.has(one.state),
  ...(one.held ? { held: one.held } : {}),
  executor: one.executor,
  policy: one.policy.name,
  repository: one.repository,
  base: one.base,
  ref: one.ref,
  created: one.accepted,
  updated: one.updated,
  attempts: one.attempts.length,
  attemptsMax: one.policy.budget.attempts,
  spend: { requests: 0, tokens: 0, microusd: 0 },
  denied: one.denials,
  planner: one.planner,
});
