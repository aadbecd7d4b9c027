/**
 * Evidence stays as it is while it is used: code under test that rewrites the tests which come after it would be believed
 * by its own words (ATTACKS V2). Told by each file's change time, which nobody in a sandbox can set back.
 */
import { type BigIntStats, lstatSync } from "node:fs";
import { join } from "node:path";

type Seen = string | undefined;

function look(target: string, path: string): Seen {
  let stat: BigIntStats | undefined;
  try {
    stat = lstatSync(join(target, path), { bigint: true, throwIfNoEntry: false });
  } catch {
    // A part of the path is no directory any more.
    return undefined;
  }
  return stat && `${stat.mode} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
}

/**
 * Looks at the evidence in a mounted tree; gives what tells, after the run, which of it was written to, moved or removed.
 * Looks only: a path that leads elsewhere by then is not followed to its content.
 */
export function watchEvidence(target: string, paths: readonly string[]): () => string | undefined {
  const before = new Map(paths.map((path) => [path, look(target, path)]));
  return () => [...before].find(([path, seen]) => look(target, path) !== seen)?.[0];
}
