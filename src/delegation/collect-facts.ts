/** Collects what the lint of a plan looks at: the base tree's paths, who imports whom, and what changed together. */
import { changeSets } from "../worktree/history.ts";
import { decodeName } from "../worktree/names.ts";
import type { ObjectReader } from "../worktree/objects.ts";
import type { Quarantine } from "../worktree/quarantine.ts";
import { importsOf, isSource } from "./imports.ts";
import type { Coupling, PlanFacts } from "./plan-facts.ts";

/** Bounds: a lint takes a moment, on any repository. What lies beyond is not looked at. */
const limits = {
  files: 50_000,
  sources: 4000,
  sourceBytes: 256 * 1024,
  allBytes: 64 * 1024 * 1024,
  history: { commits: 500, paths: 20, time: 20_000 },
};
/** How often two files must have changed together, and in which share of the changes of the one that changed less. */
const habit = { commits: 3, share: 0.5 };

interface File {
  path: string;
  oid: string;
}

/** Facts of one commit of a host repository. Errors: `git-failed` where the tree cannot be read. */
export async function collectFacts(quarantine: Quarantine, commit: string): Promise<PlanFacts> {
  const objects = quarantine.objects();
  try {
    const files = await listFiles(objects, await quarantine.treeOf(commit));
    const paths = files.map(({ path }) => path);
    const imports = await importCouplings(objects, files);
    // A history that cannot be read (a shallow clone) says nothing; the plan is judged by the rest.
    const sets = await changeSets(quarantine.repository, commit, limits.history).catch(() => []);
    return { paths, couplings: [...imports, ...togetherCouplings(sets, new Set(paths))] };
  } finally {
    await objects.close();
  }
}

async function listFiles(objects: ObjectReader, root: string): Promise<File[]> {
  const files: File[] = [];
  const open: { prefix: string; oid: string }[] = [{ prefix: "", oid: root }];
  for (let next = open.pop(); next && files.length < limits.files; next = open.pop()) {
    for (const { name, mode, oid } of await objects.tree(next.oid)) {
      const text = decodeName(name);
      if (text === null) continue;
      if (mode === "040000") open.push({ prefix: `${next.prefix}${text}/`, oid });
      else if (mode.startsWith("100")) files.push({ path: `${next.prefix}${text}`, oid });
    }
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function importCouplings(objects: ObjectReader, files: readonly File[]): Promise<Coupling[]> {
  const tree = new Set(files.map(({ path }) => path));
  const couplings: Coupling[] = [];
  let bytes = 0;
  for (const { path, oid } of files.filter((file) => isSource(file.path)).slice(0, limits.sources)) {
    if (bytes > limits.allBytes) break;
    // A file too large to be read for this is a generated one.
    const content = await objects.read(oid, "blob", limits.sourceBytes).catch(() => Buffer.alloc(0));
    bytes += content.length;
    for (const target of importsOf(path, content.toString("utf8"), tree))
      couplings.push({ a: path, b: target, why: { is: "imports" } });
  }
  return couplings;
}

/** Pairs of files that are still there and changed together often enough to be a habit. */
export function togetherCouplings(sets: readonly (readonly string[])[], paths: ReadonlySet<string>): Coupling[] {
  const changes = new Map<string, number>();
  const pairs = new Map<string, { a: string; b: string; commits: number }>();
  for (const set of sets) {
    const here = [...new Set(set)].filter((path) => paths.has(path)).sort();
    for (const [index, a] of here.entries()) {
      changes.set(a, (changes.get(a) ?? 0) + 1);
      for (const b of here.slice(index + 1)) {
        const key = `${a}\0${b}`;
        const pair = pairs.get(key) ?? { a, b, commits: 0 };
        pairs.set(key, { ...pair, commits: pair.commits + 1 });
      }
    }
  }
  return [...pairs.values()].flatMap(({ a, b, commits }): Coupling[] => {
    const of = Math.min(changes.get(a) ?? 0, changes.get(b) ?? 0);
    return commits >= habit.commits && commits / of >= habit.share
      ? [{ a, b, why: { is: "together", commits, of } }]
      : [];
  });
}
