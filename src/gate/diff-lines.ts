/** Which lines a unified diff shows on its new side: what a `path:line` pointer is resolved against. Pure. */

/** path → the line numbers inside a hunk on the new side; a deleted file has none. */
export type DiffLines = ReadonlyMap<string, ReadonlySet<number>>;

const hunkHeader = /^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

/**
 * Reads git's unified diff (`--full-index --no-renames`). Counts the lines of each hunk by its header, so that text
 * inside a hunk that looks like a header is still text (ATTACKS V3).
 */
export function diffLines(patch: string): DiffLines {
  return newSide(patch, (mark) => mark !== "-");
}

/** Like `diffLines`, the lines that the patch adds alone. */
export function addedLines(patch: string): DiffLines {
  return newSide(patch, (mark) => mark === "+");
}

function newSide(patch: string, isWanted: (mark: string) => boolean): DiffLines {
  const files = new Map<string, Set<number>>();
  const lines = patch.split("\n");
  let current: Set<number> | undefined;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    if (line.startsWith("diff --git ")) {
      current = undefined;
    } else if (line.startsWith("+++ ")) {
      // git ends a name that holds white space with a tab.
      const name = unquote(line.slice(4).replace(/\t$/, ""));
      current = name.startsWith("b/") ? new Set<number>() : undefined;
      if (current) files.set(name.slice(2), current);
    } else {
      const header = hunkHeader.exec(line);
      if (!header) continue;
      let oldLeft = Number(header[1] ?? 1);
      let newLeft = Number(header[3] ?? 1);
      let at = Number(header[2]);
      while ((oldLeft > 0 || newLeft > 0) && i + 1 < lines.length) {
        i++;
        const mark = (lines[i] ?? "")[0];
        if (mark === "\\") continue;
        if (mark !== "-") {
          if (isWanted(mark ?? " ")) current?.add(at);
          at++;
          newLeft--;
        }
        if (mark !== "+") oldLeft--;
      }
    }
  }
  return files;
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
