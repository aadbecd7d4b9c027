// The diff as it is shown to the model: every line is preceded by where it is, so that no line of it can look like
// anything but a line of the diff, and every new line bears the number by which it can be named.

const hunkHead = /^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

/**
 * Reads git's unified diff: `{ lines, cited, changed }`. `lines` are what is shown; `cited` maps a path to the set of its
 * line numbers that a pointer may name, `changed` to those of them that the change made: added lines, and the neighbours
 * of lines that went without a replacement. The counts of a hunk's head say where it ends: its content may look like a head.
 */
export function readDiff(text) {
  const lines = [];
  const cited = new Map();
  const changed = new Map();
  const source = text.split("\n");
  let path;
  for (let i = 0; i < source.length; i++) {
    const line = source[i];
    const head = hunkHead.exec(line);
    if (!head) {
      if (line.startsWith("diff --git ")) path = undefined;
      if (line.startsWith("+++ ")) {
        const name = unquoted(line.slice(4).replace(/\t$/, ""));
        path = name.startsWith("b/") ? name.slice(2) : undefined;
        if (path !== undefined) {
          cited.set(path, new Set());
          changed.set(path, new Set());
        }
      }
      if (line !== "") lines.push(`file | ${visible(line)}`);
      continue;
    }
    let oldLeft = Number(head[1] ?? 1);
    let newLeft = Number(head[3] ?? 1);
    let number = Number(head[2]);
    let removedAfter;
    const gone = () => {
      if (path !== undefined && cited.get(path).has(removedAfter)) changed.get(path).add(removedAfter);
    };
    lines.push("hunk |");
    while ((oldLeft > 0 || newLeft > 0) && i + 1 < source.length) {
      i++;
      const mark = source[i][0] ?? " ";
      if (mark === "\\") continue;
      const shown = visible(source[i].slice(1));
      if (mark === "-") {
        lines.push(`     - | ${shown}`);
        removedAfter = number - 1;
      } else {
        lines.push(`${String(number).padStart(5)} ${mark === "+" ? "+" : " "}| ${shown}`);
        if (path !== undefined) cited.get(path).add(number);
        if (path !== undefined && (mark === "+" || removedAfter !== undefined)) changed.get(path).add(number);
        if (mark !== "+") gone();
        removedAfter = undefined;
        number++;
        newLeft--;
      }
      if (mark !== "+") oldLeft--;
    }
    gone();
  }
  return { lines, cited, changed };
}

/** The lines from the start that fit into so many characters, whole ones only: `{ shown, left }`, `left` in lines. */
export function cutDiff(lines, limit) {
  let size = 0;
  let count = 0;
  while (count < lines.length && size + lines[count].length + 1 <= limit) size += lines[count++].length + 1;
  return { shown: lines.slice(0, count), left: lines.length - count };
}

/** Control, invisible and direction characters as what they are: nothing is hidden from the model, or from a reader. */
export function visible(text) {
  return text.replace(
    /[^\P{C}\t]|[\u2028\u2029\u{e0000}-\u{e007f}]/gu,
    (one) => `\\u{${one.codePointAt(0).toString(16)}}`,
  );
}

/** A path as git quotes it: C escapes, and octal for bytes that are not ASCII. */
function unquoted(text) {
  if (!text.startsWith('"')) return asWritten(text);
  const named = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };
  const bytes = [];
  for (const [, octal, letter, plain] of text.slice(1, -1).matchAll(/\\([0-7]{3})|\\(.)|([^\\]+)/gs)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else if (letter !== undefined) bytes.push(named[letter] ?? letter.charCodeAt(0));
    else bytes.push(...Buffer.from(plain, "utf8"));
  }
  return asWritten(Buffer.from(bytes).toString("utf8"));
}

/** What the host showed by its number, such as U+202E between white square brackets, as the character that it was. */
function asWritten(text) {
  return text.replace(/\u27e6U\+([0-9A-F]{4,6})\u27e7/g, (_, code) => String.fromCodePoint(Number.parseInt(code, 16)));
}
