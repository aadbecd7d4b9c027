/** runc's known ways out of a container, and whether the one that the engine runs has them closed. */
import { ok, type Verdict, warn } from "./finding.ts";

/** When this table was last looked over. Flaws that became known later are not in it. */
export const reviewed = "2026-11-22";

interface Flaw {
  cve: string;
  /** The first release of each line that has it closed, the newest line first; older lines have no fix of their own. */
  fixed: readonly string[];
  what: string;
}

/** Ways out of a container, or past a mask of /proc, by what runs inside; from github.com/opencontainers/runc/security/advisories. */
export const flaws: readonly Flaw[] = [
  {
    cve: "CVE-2025-31133",
    fixed: ["1.4.0-rc.3", "1.3.3", "1.2.8"],
    what: "a masked path is bound over by a link at /dev/null",
  },
  {
    cve: "CVE-2025-52565",
    fixed: ["1.4.0-rc.3", "1.3.3", "1.2.8"],
    what: "/dev/console is bound to a path of the container's choice",
  },
  {
    cve: "CVE-2025-52881",
    fixed: ["1.4.0-rc.3", "1.3.3", "1.2.8"],
    what: "writes to /proc are led elsewhere, past its label",
  },
  {
    cve: "CVE-2024-45310",
    fixed: ["1.2.0-rc.3", "1.1.14"],
    what: "empty files are made on the host",
  },
  {
    cve: "CVE-2024-21626",
    fixed: ["1.2.0-rc.1", "1.1.12"],
    what: "a leaked descriptor leads to the host's files",
  },
  {
    cve: "CVE-2023-28642",
    fixed: ["1.1.5"],
    what: "a linked /proc goes around AppArmor",
  },
  {
    cve: "CVE-2021-30465",
    fixed: ["1.0.0-rc95"],
    what: "a race leads a mount outside",
  },
  {
    cve: "CVE-2019-5736",
    fixed: ["1.0.0-rc7"],
    what: "runc itself is overwritten",
  },
];

/** A version as numbers: a release counts above all of its candidates (semver.org, 11). Undefined where it is none. */
function partsOf(version: string): number[] | undefined {
  const found = /^v?(\d+)\.(\d+)\.(\d+)(?:[-~]rc\.?(\d+))?/.exec(version);
  return found?.slice(1, 5).map((part) => (part === undefined ? Number.POSITIVE_INFINITY : Number(part)));
}

function notBefore(a: readonly number[], b: readonly number[]): boolean {
  for (const [index, part] of a.entries()) if (part !== b[index]) return part > (b[index] ?? 0);
  return true;
}

/** Whether a version has a flaw closed: its own line's fix, or any release after the newest fix. */
function isClosed(version: readonly number[], { fixed }: Flaw): boolean {
  const fixes = fixed.map((text) => partsOf(text) ?? []);
  const newest = fixes[0];
  if (newest && notBefore(version, newest)) return true;
  return fixes.some((fix) => fix[0] === version[0] && fix[1] === version[1] && notBefore(version, fix));
}

/**
 * Judges a runc by its version, and by the changelog of the distribution's package where there is one: a distribution closes
 * flaws without a new version, and names them there.
 */
export function judgeRunc(version: string, changelog = ""): Verdict {
  const parts = partsOf(version);
  const fix = "update the engine's runc, or the distribution's package of it";
  if (!parts) return warn(`runc says the version ${version}`, `${fix}: what it has closed cannot be told`);
  const missing = flaws.filter((flaw) => !isClosed(parts, flaw));
  const open = missing.filter(({ cve }) => !changelog.includes(cve));
  const closed = missing.length - open.length;
  const by = closed > 0 ? `, ${closed} closed by the distribution` : "";
  if (open.length === 0)
    return ok(`runc ${version}: none of ${flaws.length} known ways out is open${by} (${reviewed})`);
  const named = open.map(({ cve, what }) => `${cve} (${what})`).join(", ");
  const least = open[0]?.fixed.at(-1) ?? "";
  return warn(`runc ${version} has ${named}${by}`, `${fix}: ${least} or later (known on ${reviewed})`);
}
