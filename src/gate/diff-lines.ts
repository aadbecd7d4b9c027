/** Which lines a unified diff shows: what a pointer is resolved against. Pure. */

/** What a diff shows of one file. The set itself holds the numbers of the lines on the new side, context included. */
export interface FileLines extends ReadonlySet<number> {
  /** Those of them that the change made: added lines, and the neighbours of lines that went without a replacement. */
  readonly changed: ReadonlySet<number>;
  /** The added lines alone. */
  readonly added: ReadonlySet<number>;
  /** The removed lines, by their number on the old side. */
  readonly removed: ReadonlySet<number>;
  /** The texts of the lines on the new side. */
  readonly texts: ReadonlyMap<number, string>;
}

/** path → what the diff shows of it. A file that was deleted, or whose mode alone changed, has no line on the new side. */
export type DiffLines = ReadonlyMap<string, FileLines>;

class Lines extends Set<number> implements FileLines {
  readonly changed = new Set<number>();
  readonly added = new Set<number>();
  readonly removed = new Set<number>();
  readonly texts = new Map<number, string>();
}

const hunkHeader = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

/**
 * Reads git's unified diff (`--no-renames`). Counts the lines of each hunk by its header, so that text inside a hunk that
 * looks like a header is still text (ATTACKS V3).
 */
export function diffLines(patch: string): DiffLines {
  const files = new Map<string, Lines>();
  const lines = patch.split("\n");
  let current: Lines | undefined;
  let head = "";
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    if (line.startsWith("diff --git ")) {
      current = undefined;
      head = line;
    } else if (line.startsWith("--- a/") || line.startsWith('--- "a/')) {
      current = open(files, sideName(line));
    } else if (line.startsWith("+++ ")) {
      const name = sideName(line);
      if (name !== undefined) current = open(files, name);
    } else if (!hunkHeader.test(line)) {
      // Neither names nor lines: a mode, an empty file, a binary one. It is in the diff all the same.
      const name = /^(?:new file mode|deleted file mode|old mode|Binary files|GIT binary patch)/.test(line)
        ? headName(head)
        : undefined;
      if (name !== undefined) open(files, name);
    } else {
      i = readHunk(lines, i, current);
    }
  }
  return files;
}

function open(files: Map<string, Lines>, name: string | undefined): Lines | undefined {
  if (name === undefined) return undefined;
  const found = files.get(name) ?? new Lines();
  files.set(name, found);
  return found;
}

/** Reads the hunk whose header is at `start` into `into`; gives the index of its last line. */
function readHunk(lines: readonly string[], start: number, into: Lines | undefined): number {
  const header = hunkHeader.exec(lines[start] ?? "") ?? [];
  let old = Number(header[1]);
  let oldLeft = Number(header[2] ?? 1);
  let at = Number(header[3]);
  let newLeft = Number(header[4] ?? 1);
  let i = start;
  // A pointer names lines of the result: where lines went and none came, the one before and the one after stand for them.
  let removedAfter: number | undefined;
  const gone = () => {
    if (removedAfter !== undefined && into?.has(removedAfter)) into.changed.add(removedAfter);
  };
  while ((oldLeft > 0 || newLeft > 0) && i + 1 < lines.length) {
    i++;
    const line = lines[i] ?? "";
    const mark = line[0];
    if (mark === "\\") continue;
    if (mark === "-") {
      into?.removed.add(old);
      removedAfter = at - 1;
    } else {
      into?.add(at);
      into?.texts.set(at, line.slice(1));
      if (mark === "+") into?.added.add(at);
      if (mark === "+" || removedAfter !== undefined) into?.changed.add(at);
      if (mark !== "+") gone();
      removedAfter = undefined;
      at++;
      newLeft--;
    }
    if (mark !== "+") {
      old++;
      oldLeft--;
    }
  }
  gone();
  return i;
}

/** The path of a `---` or `+++` line; undefined for /dev/null. git ends a name that holds white space with a tab. */
function sideName(line: string): string | undefined {
  const name = unquote(line.slice(4).replace(/\t$/, ""));
  return /^[ab]\//.test(name) ? name.slice(2) : undefined;
}

/** The path of a `diff --git a/x b/x` line: both names are the same, since nothing is shown as renamed. */
function headName(head: string): string | undefined {
  const rest = head.slice("diff --git ".length);
  const quoted = /^"(?:[^"\\]|\\.)*" ("(?:[^"\\]|\\.)*")$/.exec(rest);
  const name = quoted ? unquote(quoted[1] ?? "") : rest.slice((rest.length + 1) / 2);
  return name.startsWith("b/") ? name.slice(2) : undefined;
}

const escapes: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  '"': 0x22,
  "\\": 0x5c,
};

/** A name as git writes it (quote.c): in double quotes, with C escapes for bytes, where it holds one of those. */
function unquote(name: string): string {
  if (!name.startsWith('"') || !name.endsWith('"') || name.length < 2) return name;
  const parts: Buffer[] = [];
  for (const [token, octal, letter] of name.slice(1, -1).matchAll(/\\([0-7]{3})|\\(.)|[^\\]+/gsu)) {
    if (octal !== undefined) parts.push(Buffer.from([Number.parseInt(octal, 8) & 0xff]));
    else if (letter !== undefined) parts.push(Buffer.from([escapes[letter] ?? letter.charCodeAt(0)]));
    else parts.push(Buffer.from(token));
  }
  return Buffer.concat(parts).toString("utf8");
}
