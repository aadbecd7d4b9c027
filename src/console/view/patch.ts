/** A unified diff as rows to show. Pure. */

export interface DiffRow {
  kind: "hunk" | "context" | "added" | "removed" | "note";
  /** Line numbers: in the base, in the result. */
  old?: number;
  new?: number;
  text: string;
}

export interface DiffFile {
  path: string;
  change: "added" | "modified" | "deleted";
  added: number;
  removed: number;
  rows: DiffRow[];
}

const hunkHead = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

/**
 * Reads git's unified diff (without renames). Lines of a hunk are counted by its header, so that text inside a hunk that
 * looks like a header is still text.
 */
export function readPatch(patch: string): DiffFile[] {
  const files: DiffFile[] = [];
  const lines = patch.split("\n");
  let file: DiffFile | undefined;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (line.startsWith("diff --git ")) {
      file = { path: headName(line), change: "modified", added: 0, removed: 0, rows: [] };
      files.push(file);
    } else if (!file) {
    } else if (line.startsWith("new file mode ")) {
      file.change = "added";
      file.rows.push({ kind: "note", text: line });
    } else if (line.startsWith("deleted file mode ")) {
      file.change = "deleted";
      file.rows.push({ kind: "note", text: line });
    } else if (line.startsWith("--- ") || line.startsWith("+++ ")) {
      const name = unquote(line.slice(4).replace(/\t$/, ""));
      if (/^[ab]\//.test(name)) file.path = name.slice(2);
    } else if (hunkHead.test(line)) {
      at = readHunk(lines, at, file);
    } else if (line !== "" && !line.startsWith("index ")) {
      // A mode, a binary file: it is in the diff all the same.
      file.rows.push({ kind: "note", text: line });
    }
  }
  return files;
}

/** Reads the hunk whose header is at `start`; gives the index of its last line. */
function readHunk(lines: readonly string[], start: number, file: DiffFile): number {
  const header = lines[start] ?? "";
  const [, from, ofOld = "1", to, ofNew = "1"] = hunkHead.exec(header) ?? [];
  let [old, oldLeft, now, newLeft] = [Number(from), Number(ofOld), Number(to), Number(ofNew)];
  file.rows.push({ kind: "hunk", text: header });
  let at = start;
  while ((oldLeft > 0 || newLeft > 0) && at + 1 < lines.length) {
    const line = lines[++at] ?? "";
    const text = line.slice(1);
    if (line.startsWith("\\")) file.rows.push({ kind: "note", text: line });
    else if (line.startsWith("+")) {
      file.rows.push({ kind: "added", new: now++, text });
      file.added++;
      newLeft--;
    } else if (line.startsWith("-")) {
      file.rows.push({ kind: "removed", old: old++, text });
      file.removed++;
      oldLeft--;
    } else {
      file.rows.push({ kind: "context", old: old++, new: now++, text });
      oldLeft--;
      newLeft--;
    }
  }
  if ((lines[at + 1] ?? "").startsWith("\\")) file.rows.push({ kind: "note", text: lines[++at] ?? "" });
  return at;
}

/** The path of a `diff --git a/x b/x` line: both names are the same, since nothing is shown as renamed. */
function headName(head: string): string {
  const rest = head.slice("diff --git ".length);
  const quoted = /^"(?:[^"\\]|\\.)*" ("(?:[^"\\]|\\.)*")$/.exec(rest);
  const name = quoted ? unquote(quoted[1] ?? "") : rest.slice((rest.length + 1) / 2);
  return name.startsWith("b/") ? name.slice(2) : name;
}

const escapes: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, "\\": 92 };
const encoder = new TextEncoder();

/** A name as git writes it (quote.c): in double quotes, with C escapes for bytes, where it holds one of those. */
function unquote(name: string): string {
  if (name.length < 2 || !name.startsWith('"') || !name.endsWith('"')) return name;
  const bytes: number[] = [];
  for (const [token, octal, letter] of name.slice(1, -1).matchAll(/\\([0-7]{3})|\\(.)|[^\\]+/gsu)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8) & 0xff);
    else if (letter !== undefined) bytes.push(escapes[letter] ?? letter.charCodeAt(0));
    else bytes.push(...encoder.encode(token));
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}
