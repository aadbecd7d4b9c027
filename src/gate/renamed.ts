/** Tests that look renamed: gone under one name, there under another, and their code the same but for the name. Pure. */

export interface Renamed {
  from: string;
  to: string;
}

const split = (id: string): [suite: string, name: string] => {
  const at = id.lastIndexOf(" > ");
  return at === -1 ? ["", id] : [id.slice(0, at), id.slice(at + 3)];
};

/** More pairs than this are not looked at: then nothing looks renamed, and every test that is gone is said to be. */
const mostPairs = 10_000;

/**
 * Pairs of a test that disappeared and a new one of the same suite, where the patch of the evidence files takes away a line
 * with the old name and adds the same line with the new one. A hint for people: a rename is never accepted by it.
 */
export function renamedTests(disappeared: readonly string[], fresh: readonly string[], patch: string): Renamed[] {
  if (disappeared.length * fresh.length > mostPairs) return [];
  const lines = patch.split("\n");
  const of = (mark: string) =>
    lines.filter((line) => line.startsWith(mark) && !line.startsWith(mark.repeat(3))).map((line) => line.slice(1));
  const [removed, added] = [of("-"), new Set(of("+"))];
  const left = new Set(fresh);
  const found: Renamed[] = [];
  for (const from of disappeared) {
    const [suite, name] = split(from);
    if (name === "") continue;
    const told = removed.filter((line) => line.includes(name));
    for (const to of left) {
      const [newSuite, newName] = split(to);
      if (newSuite !== suite || !told.some((line) => added.has(line.replace(name, newName)))) continue;
      left.delete(to);
      found.push({ from, to });
      break;
    }
  }
  return found;
}
