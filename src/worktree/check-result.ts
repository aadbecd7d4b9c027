/** The last look at a result tree, in git's own words: nothing but what was meant, no colliding names, no link that leaves. */
import { SallyportError } from "../domain/error.ts";
import type { Finding } from "../domain/rejection.ts";
import { followLink } from "./link-target.ts";
import { checkName, decodeName, foldName, showPath } from "./names.ts";
import type { ObjectReader, TreeEntry } from "./objects.ts";
import type { Change } from "./quarantine.ts";

export interface ResultToCheck {
  objects: ObjectReader;
  baseTree: string;
  tree: string;
  changes: readonly Change[];
  /** Every path that collection told git about. */
  written: ReadonlySet<string>;
}

const modes = new Set(["100644", "100755", "120000"]);
/** The largest link target that is followed. */
const targetCap = 8192;

/** The findings of a result tree. Errors: `worktree-failed` where it holds what nobody put there. */
export async function checkResult(result: ResultToCheck): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const change of result.changes) {
    // Read back from git and judged again: a fault of ours in quoting or walking must not pass as the executor's work.
    const fault =
      change.kind === "deleted"
        ? null
        : checkName(
            (change.raw ?? Buffer.from(change.path))
              .toString("latin1")
              .split("/")
              .map((s) => Buffer.from(s, "latin1")),
          );
    if (
      change.raw ||
      fault ||
      !result.written.has(change.path) ||
      (change.kind !== "deleted" && !modes.has(change.mode))
    ) {
      throw new SallyportError(
        "worktree-failed",
        `the result tree differs at ${showPath(change.path)}, which was not collected`,
        {
          next: "This is a fault of Sallyport: keep the layer and report it.",
        },
      );
    }
  }
  findings.push(...(await collisions(result)));
  findings.push(...(await leavingLinks(result)));
  return findings;
}

/** Names that are new in their directory and fold to the same as another one there. */
async function collisions({ objects, baseTree, tree, changes }: ResultToCheck): Promise<Finding[]> {
  const touched = new Set<string>();
  for (const change of changes) {
    if (change.kind !== "added") continue;
    const segments = change.path.split("/");
    for (let depth = 0; depth < segments.length; depth++) touched.add(segments.slice(0, depth).join("/"));
  }
  const findings: Finding[] = [];
  for (const directory of touched) {
    const path = directory === "" ? [] : directory.split("/");
    const before = new Set((await listing(objects, baseTree, path)).map((entry) => entry.name.toString("latin1")));
    const seen = new Map<string, TreeEntry[]>();
    for (const entry of await listing(objects, tree, path)) {
      const fold = foldName(decodeName(entry.name) ?? entry.name.toString("latin1"));
      seen.set(fold, [...(seen.get(fold) ?? []), entry]);
    }
    for (const group of seen.values()) {
      // A collision that the base has already is not the executor's.
      const fresh = group.filter((entry) => !before.has(entry.name.toString("latin1")));
      if (group.length < 2 || fresh.length === 0) continue;
      const shown = group.map((entry) => showPath(entry.name)).join(", ");
      const at = showPath(Buffer.from([...path, (fresh[0] as TreeEntry).name.toString("utf8")].join("/")));
      findings.push({
        reason: "name-refused",
        path: at.slice(0, 4200),
        message: `names that differ only by case or Unicode form: ${shown}`.slice(0, 4000),
      });
    }
  }
  return findings.slice(0, 100);
}

async function listing(objects: ObjectReader, tree: string, path: readonly string[]): Promise<TreeEntry[]> {
  let oid = tree;
  for (const segment of path) {
    const name = Buffer.from(segment);
    const entry = (await objects.tree(oid)).find((e) => e.name.equals(name));
    if (entry?.mode !== "040000") return [];
    oid = entry.oid;
  }
  return objects.tree(oid);
}

/** New links that leave the tree through a link that was there before, or through one another. */
async function leavingLinks({ objects, tree, changes }: ResultToCheck): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const change of changes) {
    if (change.kind === "deleted" || change.mode !== "120000") continue;
    const target = decodeName(await objects.read(change.oid, "blob", targetCap)) ?? "/";
    const fault = await followLink(objects, tree, change.path.split("/").slice(0, -1), target);
    if (fault)
      findings.push({
        reason: "link-refused",
        path: showPath(change.path),
        message: `the link is refused: ${fault} (${showPath(target).slice(0, 300)})`,
      });
  }
  return findings.slice(0, 100);
}
