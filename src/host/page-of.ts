/** One page of a list: bounded in number and in bytes, however much there is. */
import { SallyportError } from "../domain/error.ts";

/** No page is larger than this, unless it holds one record alone. */
const mostBytes = 16 * 1024 * 1024;

export interface PageRequest {
  limit: number;
  before?: string | undefined;
  state?: string | undefined;
}

/**
 * The last `limit` of `all` before the one that `before` names, in their order, each as `show` gives it; `next` is the
 * first of them where older ones are left. Throws `not-found` where `before` is none of them.
 */
export function pageOf<T extends { id: string }, V>(
  all: readonly T[],
  { limit, before, state }: PageRequest,
  stateOf: (one: T) => string,
  show: (one: T) => V,
): { page: V[]; next?: string } {
  let end = all.length;
  if (before !== undefined) {
    end = all.findLastIndex(({ id }) => id === before);
    if (end === -1)
      throw new SallyportError("not-found", `${before} is not in this list`, { next: "Ask for the list's end first." });
  }
  const page: V[] = [];
  let bytes = 0;
  let first: string | undefined;
  for (let index = end - 1; index >= 0; index--) {
    const one = all[index] as T;
    if (state !== undefined && stateOf(one) !== state) continue;
    if (page.length === limit || bytes > mostBytes) return { page: page.reverse(), next: first ?? one.id };
    const shown = show(one);
    bytes += JSON.stringify(shown).length;
    page.push(shown);
    first = one.id;
  }
  return { page: page.reverse() };
}
