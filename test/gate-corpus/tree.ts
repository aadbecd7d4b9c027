/** A small tree in memory, with the edits of a case applied to it. Nothing is followed: a link is an entry like a file. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Edit } from "./load.ts";

export type Entry = { content: Buffer; mode: number } | { link: string };
/** Entries by path, relative to the top. */
export type Tree = ReadonlyMap<string, Entry>;

/** The tree below a directory. */
export function readTree(directory: string): Tree {
  const tree = new Map<string, Entry>();
  const visit = (path: string) => {
    for (const name of readdirSync(join(directory, path)).sort()) {
      const inner = path === "" ? name : `${path}/${name}`;
      const stat = lstatSync(join(directory, inner));
      if (stat.isDirectory()) visit(inner);
      else if (stat.isSymbolicLink()) tree.set(inner, { link: readlinkSync(join(directory, inner)) });
      else tree.set(inner, { content: readFileSync(join(directory, inner)), mode: stat.mode & 0o111 ? 0o755 : 0o644 });
    }
  };
  visit("");
  return tree;
}

/** Writes a tree into an empty directory. Links are made last, so that no file is written through one. */
export function writeTree(directory: string, tree: Tree): void {
  const entries = [...tree].sort(([, a], [, b]) => Number("link" in a) - Number("link" in b));
  for (const [path, entry] of entries) {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    if ("link" in entry) symlinkSync(entry.link, file);
    else {
      writeFileSync(file, entry.content, { flag: "wx" });
      chmodSync(file, entry.mode);
    }
  }
}

/** Why an edit cannot be applied. */
export class EditError extends Error {
  /** Its place in the list. */
  readonly index: number;
  constructor(index: number, message: string) {
    super(message);
    this.index = index;
  }
}

/** The tree with edits applied in order; each sees what those before it left. Throws `EditError`. */
export function applyEdits(base: Tree, edits: readonly Edit[]): Tree {
  const tree = new Map(base);
  edits.forEach((edit, index) => {
    const before = tree.get(edit.path);
    const file = () => {
      if (!before || "link" in before) throw new EditError(index, `there is no file ${JSON.stringify(edit.path)}`);
      return before;
    };
    const put = (content: Buffer) =>
      tree.set(edit.path, { content, mode: before && "mode" in before ? before.mode : 0o644 });
    if ("find" in edit) tree.set(edit.path, { ...file(), content: replaced(file().content, edit, index) });
    else if ("write" in edit) put(Buffer.from(edit.write));
    else if ("write64" in edit) put(Buffer.from(edit.write64, "base64"));
    else if ("fill" in edit) put(Buffer.alloc(edit.fill, `${"// generated".padEnd(63, ".")}\n`));
    else if ("append" in edit) put(Buffer.concat([file().content, Buffer.from(edit.append)]));
    else if ("link" in edit) tree.set(edit.path, { link: edit.link });
    else if ("mode" in edit) tree.set(edit.path, { ...file(), mode: Number.parseInt(edit.mode, 8) });
    else {
      if (!before) throw new EditError(index, `there is nothing to delete at ${JSON.stringify(edit.path)}`);
      tree.delete(edit.path);
    }
  });
  return tree;
}

function replaced(content: Buffer, edit: { path: string; find: string; replace: string }, index: number): Buffer {
  const text = content.toString("utf8");
  const at = text.indexOf(edit.find);
  if (at === -1) throw new EditError(index, `${edit.path} does not hold the text to find`);
  if (text.includes(edit.find, at + 1))
    throw new EditError(index, `${edit.path} holds the text to find more than once`);
  return Buffer.from(text.slice(0, at) + edit.replace + text.slice(at + edit.find.length));
}

/** What a case's tree has that the base has not, path by path; `null` is a deletion. */
export function difference(base: Tree, tree: Tree): Map<string, Entry | null> {
  const changed = new Map<string, Entry | null>();
  for (const path of base.keys()) if (!tree.has(path)) changed.set(path, null);
  for (const [path, entry] of tree) if (!sameEntry(base.get(path), entry)) changed.set(path, entry);
  return changed;
}

function sameEntry(a: Entry | undefined, b: Entry): boolean {
  if (!a) return false;
  if ("link" in a || "link" in b) return "link" in a && "link" in b && a.link === b.link;
  return a.mode === b.mode && a.content.equals(b.content);
}
