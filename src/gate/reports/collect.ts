/** Collects the tests of a report under ids that stay the same from run to run, within bounds. */
import type { TestRun } from "../../domain/test-report.ts";
import { cut } from "../printable.ts";

export type Tests = TestRun["tests"];
export type Status = Tests[string];

/** What a report says. */
export interface SaidReport {
  tests: Tests;
  /** What failing tests said, of those alone whose id holds the mark. */
  said: Record<string, string>;
}

/** Bounds on what goes into the ledger: tests, and UTF-16 units of all their ids together. */
const mostTests = 50_000;
const mostText = 4 * 1024 * 1024;
const mostSaid = 16 * 1024;

const rank: Record<Status, number> = { passed: 0, skipped: 1, failed: 2 };

// As a key of a plain object this one name would be lost on the way through JSON.
const idOf = (names: readonly string[]) => {
  const id = cut(names.join(" > "), 990);
  return id === "__proto__" ? "> __proto__" : id;
};

export interface Collector {
  /** Adds a test by the names on its way (file, suites, its own); false where the report is beyond all bounds. */
  add(names: readonly string[], status: Status, said?: string): boolean;
  /** Of several tests with one id, the worst has it, and the others have `id #2`, `id #3`, ...: none can go unmissed. */
  report(): SaidReport;
}

/** `mark` is in the ids of the tests that the host planted. */
export function collector(mark: string): Collector {
  const found = new Map<string, Status[]>();
  const said = new Map<string, string>();
  let count = 0;
  let text = 0;
  return {
    add(names, status, words) {
      const id = idOf(names);
      text += id.length;
      if (++count > mostTests || text > mostText) return false;
      const statuses = found.get(id);
      if (statuses) statuses.push(status);
      else found.set(id, [status]);
      if (words !== undefined && mark !== "" && id.includes(mark)) {
        said.set(id, ((said.get(id) ?? "") + words).slice(0, mostSaid));
      }
      return true;
    },
    report: () => ({ tests: numbered(found), said: Object.fromEntries(said) }),
  };
}

function numbered(found: ReadonlyMap<string, Status[]>): Tests {
  const tests = new Map<string, Status>();
  for (const [id, statuses] of found) {
    statuses.sort((a, b) => rank[b] - rank[a]);
    for (const [index, status] of statuses.entries()) {
      const key = index === 0 ? id : `${id} #${index + 1}`;
      const before = tests.get(key);
      if (before === undefined || rank[status] > rank[before]) tests.set(key, status);
    }
  }
  return Object.fromEntries(tests);
}
