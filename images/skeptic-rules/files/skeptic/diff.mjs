// A unified git diff as data. Whatever the diff says is a claim of the executor's: nothing in it is run or followed.

/**
 * The files of a git diff. Each has `oldPath`, `newPath` (null where there is none), `path` (the one to show), `status`
 * (`added`, `deleted`, `renamed`, `modified`), `mode` (the new one, or null), `binary`, and `hunks` of `lines`:
 * `{kind: "+" | "-" | " ", text, oldLine, newLine}`. Throws where the text is not a git diff: a diff that cannot be read
 * cannot be approved.
 */
export function parseDiff(text) {
  const files = [];
  // Only LF ends a line of a diff; a lone CR belongs to the content.
  const lines = text.split("\n");
  // git ends every line of a diff, also where the file has no end of line: without it the text was cut.
  if (lines.pop() !== "") throw new Error("the last line is cut short");
  let file;
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    if (line.startsWith("diff --git ")) {
      file = { ...pathsOfHead(line), status: "modified", mode: null, binary: false, hunks: [] };
      files.push(file);
      at += 1;
    } else if (file === undefined) {
      throw new Error(`line ${at + 1} comes before any file`);
    } else if (line.startsWith("@@ ")) {
      const [hunk, next] = parseHunk(lines, at);
      file.hunks.push(hunk);
      at = next;
    } else {
      readHeadLine(file, line, at);
      at += 1;
      if (line === "GIT binary patch") while (at < lines.length && !lines[at].startsWith("diff --git ")) at += 1;
    }
  }
  for (const one of files) one.path = one.newPath ?? one.oldPath;
  return files;
}

function readHeadLine(file, line, at) {
  const [, word, rest] =
    /^(new file mode|deleted file mode|new mode|old mode|rename from|rename to|copy from|copy to|---|\+\+\+) (.*)$/.exec(
      line,
    ) ?? [];
  if (word === "new file mode") Object.assign(file, { status: "added", mode: rest, oldPath: null });
  else if (word === "deleted file mode") Object.assign(file, { status: "deleted", newPath: null });
  else if (word === "new mode") file.mode = rest;
  else if (word === "rename from") Object.assign(file, { status: "renamed", oldPath: unquote(rest) });
  else if (word === "copy from") Object.assign(file, { status: "added", oldPath: null });
  else if (word === "rename to" || word === "copy to") file.newPath = unquote(rest);
  else if (word === "---") file.oldPath = sidePath(rest);
  else if (word === "+++") file.newPath = sidePath(rest);
  else if (line.startsWith("Binary files ") || line === "GIT binary patch") file.binary = true;
  else if (word === undefined && !/^(?:index |similarity index |dissimilarity index |$)/.test(line)) {
    throw new Error(`line ${at + 1} is not of a git diff`);
  }
}

/** `a/x b/x` of a head line; where the names hold spaces the `---`, `+++` and `rename` lines say more. */
function pathsOfHead(line) {
  const rest = line.slice("diff --git ".length);
  const quoted = /^("(?:[^"\\]|\\.)*"|\S+) ("(?:[^"\\]|\\.)*"|\S+)$/.exec(rest);
  if (quoted) return { oldPath: sidePath(quoted[1]), newPath: sidePath(quoted[2]) };
  const half = (rest.length - 1) / 2;
  return { oldPath: sidePath(rest.slice(0, half)), newPath: sidePath(rest.slice(half + 1)) };
}

function sidePath(text) {
  const path = asWritten(unquote(text.replace(/\t$/, "")));
  return path === "/dev/null" ? null : path.replace(/^[ab]\//, "");
}

/** A path as git quotes it: C escapes, and octal for bytes that are not ASCII. */
function unquote(text) {
  if (!text.startsWith('"')) return text;
  const named = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, "\\": 92 };
  const bytes = [];
  for (const [, octal, letter, plain] of text.slice(1, -1).matchAll(/\\([0-7]{3})|\\(.)|([^\\]+)/gs)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else if (letter !== undefined) bytes.push(named[letter] ?? letter.charCodeAt(0));
    else bytes.push(...Buffer.from(plain, "utf8"));
  }
  return Buffer.from(bytes).toString("utf8");
}

/** What the host showed by its number, such as U+202E between white square brackets, as the character that it was. */
function asWritten(text) {
  return text
    .replace(/\u27e6U\+([0-9A-F]{4,6})\u27e7/g, (_, code) => String.fromCodePoint(Number.parseInt(code, 16)))
    .replace(/\u27e60x[0-9A-F]{2}\u27e7/g, "\ufffd");
}

function parseHunk(lines, start) {
  const head = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(.*)$/.exec(lines[start]);
  if (!head) throw new Error(`line ${start + 1} is not the head of a hunk`);
  let oldLine = Number(head[1]);
  let newLine = Number(head[3]);
  let oldLeft = Number(head[2] ?? 1);
  let newLeft = Number(head[4] ?? 1);
  const hunk = { newStart: newLine, newCount: newLeft, section: head[5].trim(), lines: [] };
  let at = start + 1;
  // The counts say where a hunk ends: its content may look like anything, such as the head of another file.
  while (oldLeft > 0 || newLeft > 0) {
    const line = lines[at];
    const kind = line === "" ? " " : line?.[0];
    if (kind === "\\") {
      at += 1;
      continue;
    }
    if (kind !== "+" && kind !== "-" && kind !== " ") throw new Error(`line ${at + 1} cuts a hunk short`);
    hunk.lines.push({ kind, text: asWritten((line ?? "").slice(1)), oldLine, newLine });
    if (kind !== "+") [oldLine, oldLeft] = [oldLine + 1, oldLeft - 1];
    if (kind !== "-") [newLine, newLeft] = [newLine + 1, newLeft - 1];
    at += 1;
  }
  while (lines[at]?.startsWith("\\")) at += 1;
  return [hunk, at];
}

/** The added lines of a file: `{line, text}` on the new side. */
export function added(file) {
  return file.hunks.flatMap((h) =>
    h.lines.filter((l) => l.kind === "+").map((l) => ({ line: l.newLine, text: l.text })),
  );
}

/** The removed lines of a file: `{line, text}`, where `line` is the nearest line of the new side in the same hunk. */
export function removed(file) {
  return file.hunks.flatMap((h) =>
    h.lines.filter((l) => l.kind === "-").map((l) => ({ line: nearest(h, l.newLine), text: l.text })),
  );
}

function nearest(hunk, line) {
  if (hunk.newCount === 0) return undefined;
  return Math.min(Math.max(line, hunk.newStart), hunk.newStart + hunk.newCount - 1);
}

/** Whether a line of the new side is inside a hunk of the file: only such a line can be evidence. */
export function inHunk(file, line) {
  return file.hunks.some((h) => line >= h.newStart && line < h.newStart + h.newCount);
}
