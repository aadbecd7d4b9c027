/** Where a proposed link may point: inside the tree, by a relative path, never through a link that leaves it. */
import { decodeName, isDotGit } from "./names.ts";
import type { ObjectReader } from "./objects.ts";

/**
 * The fault of a link's target by its text alone; null where there is none. `depth` is the number of directories above
 * the link. `..` may only lead: behind a name it could pass through another link.
 */
export function checkLinkTarget(target: Uint8Array, depth: number): string | null {
  const text = decodeName(target);
  if (text === null) return "its target is not UTF-8";
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text)) return "a control or invisible character in its target";
  if (text === "") return "its target is empty";
  if (text.startsWith("/")) return "its target is absolute";
  // A drive, a share or a stream on Windows, where git makes real links of these.
  if (text.includes("\\") || /^[A-Za-z]:/.test(text)) return "its target is a path of another system";
  let up = 0;
  let named = false;
  for (const segment of text.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment === "..") {
      if (named) return "`..` behind a name in its target";
      up += 1;
      continue;
    }
    named = true;
    if (isDotGit(segment)) return "its target is in a git directory";
  }
  return up > depth ? "its target is outside the tree" : null;
}

/** The largest link target that is followed. Linux holds 4095 bytes. */
const targetCap = 8192;

/**
 * Follows a link through a whole result tree, links of the base included: an honest-looking link through an old one that
 * leaves the tree leaves it too. Returns the fault, or null. A target that does not exist is no fault.
 */
export async function followLink(
  objects: ObjectReader,
  tree: string,
  directory: readonly string[],
  target: string,
): Promise<string | null> {
  let place = [...directory];
  let rest = target.split("/");
  for (let hops = 0; hops <= 40; ) {
    const segment = rest.shift();
    if (segment === undefined) return null;
    if (segment === "" || segment === ".") continue;
    if (segment === "..") {
      if (place.length === 0) return "its target is outside the tree, through another link";
      place.pop();
      continue;
    }
    const entry = await entryAt(objects, tree, [...place, segment]);
    if (!entry) return null;
    if (entry.mode !== "120000") {
      place.push(segment);
      continue;
    }
    hops += 1;
    const next = await objects.read(entry.oid, "blob", targetCap).catch(() => null);
    const text = next === null ? null : decodeName(next);
    if (text === null || text.startsWith("/")) return "its target is outside the tree, through another link";
    rest = [...text.split("/"), ...rest];
    place = [...place];
  }
  return "it is part of a loop of links";
}

/** The entry at a path of a tree; null where there is none. */
export async function entryAt(
  objects: ObjectReader,
  tree: string,
  path: readonly string[],
): Promise<{ mode: string; oid: string } | null> {
  let at = { mode: "040000", oid: tree };
  for (const segment of path) {
    if (at.mode !== "040000") return null;
    const name = Buffer.from(segment);
    const found = (await objects.tree(at.oid)).find((entry) => entry.name.equals(name));
    if (!found) return null;
    at = found;
  }
  return at;
}
