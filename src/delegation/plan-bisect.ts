/** Which briefs of a plan turn its whole red, though each was approved: the smallest pair or prefix in the plan's order. Pure but for the question asked. */

export interface Culprits {
  /** In the plan's order; none where only the whole with the plan's own criteria is red. */
  culprits: string[];
  /** `alone`: one with what it stands on. `pair`: two together. `prefix`: no two of them show it. */
  kind: "alone" | "pair" | "prefix" | "whole";
  /** How often it was tested. */
  runs: number;
}

/**
 * Looks for the first brief with which the growing whole turns red, then for an earlier one that suffices beside it. Every
 * set that is asked about holds what its briefs come after. `isRed` is asked once for a set; all together are known to be
 * red, unless that is by criteria of the plan's own (`ownCriteria`), which no part can be judged by.
 */
export async function bisectParts(
  order: readonly { id: string; before: ReadonlySet<string> }[],
  ownCriteria: boolean,
  isRed: (ids: readonly string[]) => Promise<boolean>,
): Promise<Culprits> {
  const ids = order.map(({ id }) => id);
  const known = new Map<string, boolean>();
  let runs = 0;
  const red = async (set: readonly string[]): Promise<boolean> => {
    const key = set.join(" ");
    const answer = known.get(key);
    if (answer !== undefined) return answer;
    runs += 1;
    const found = await isRed(set);
    known.set(key, found);
    return found;
  };
  const withBase = (...wanted: string[]) => {
    const all = new Set(wanted.flatMap((id) => [id, ...(order.find((one) => one.id === id)?.before ?? [])]));
    return ids.filter((id) => all.has(id));
  };
  if (!ownCriteria) known.set(ids.join(" "), true);
  else if (!(await red(ids))) return { culprits: [], kind: "whole", runs };

  let green = 0;
  let length = ids.length;
  while (length - green > 1) {
    const middle = (green + length) >> 1;
    if (await red(ids.slice(0, middle))) length = middle;
    else green = middle;
  }
  const prefix = ids.slice(0, length);
  const last = prefix.at(-1) ?? "";
  if (await red(withBase(last))) return { culprits: [last], kind: "alone", runs };
  for (const other of prefix.slice(0, -1)) {
    const pair = withBase(other, last);
    if (pair.length === withBase(last).length) continue;
    if (await red(pair)) return { culprits: [other, last], kind: "pair", runs };
  }
  return { culprits: prefix, kind: "prefix", runs };
}
