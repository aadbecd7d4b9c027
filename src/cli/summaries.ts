/** Rows of the list, from the route that gives a page of them at a time. */
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
  for (;;) {
    const limit = String(Math.min(pageSize, most - found.length));
    const query = new URLSearchParams({ ...narrowed, limit, ...(before ? { before } : {}) });
    const page = await call<Summaries>(state, "GET", `/v1/summaries?${query}`);
    found.push(...page.summaries);
    before = page.next;
    if (before === undefined || found.length >= most) return { total: page.total, summaries: found };
  }
}
