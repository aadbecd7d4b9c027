/**
 * Text of executors as a verifier gets it: what is invisible, reorders, or acts on a terminal is shown by its number. Each
 * escape stands on the line where the character was, and can be read back to exactly that character. Pure.
 */

/** Opens an escape. The character itself is escaped too, so that nothing that was written can be taken for an escape. */
const opening = "\u27e6";
const closing = "\u27e7";

// Controls (CR too), format characters, private and unassigned ones, line separators, and what fonts do not draw
// (CVE-2021-42574: bidi controls; zero-width joiners and the tag alphabet hide text from a reader).
const hidden = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u27e6]/gu;

const numbered = (character: string) =>
  `${opening}U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}${closing}`;

/** A text with every hidden character as `⟦U+202E⟧`; tabs and line feeds stay. */
export function showHidden(text: string): string {
  return text.toWellFormed().replace(hidden, (one) => (one === "\n" || one === "\t" ? one : numbered(one)));
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as such a text. A line that is not UTF-8 has each byte beyond ASCII as `⟦0xE9⟧`. */
export function showBytes(bytes: Buffer): string {
  const whole = decoded(bytes);
  if (whole !== undefined) return showHidden(whole);
  const lines: string[] = [];
  for (let at = 0; at <= bytes.length; ) {
    const end = bytes.indexOf(10, at);
    const line = bytes.subarray(at, end < 0 ? bytes.length : end);
    const text = decoded(line);
    lines.push(text === undefined ? showForeign(line) : showHidden(text));
    if (end < 0) break;
    at = end + 1;
  }
  return lines.join("\n");
}

function decoded(bytes: Buffer): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

function showForeign(line: Buffer): string {
  let shown = "";
  for (const byte of line) {
    if (byte > 0x7e) shown += `${opening}0x${byte.toString(16).toUpperCase()}${closing}`;
    else shown += showHidden(String.fromCharCode(byte));
  }
  return shown;
}

/** What a shown text was: the inverse of `showHidden`. */
export function readShown(text: string): string {
  return text.replace(/\u27e6U\+([0-9A-F]{4,6})\u27e7/g, (whole, digits: string) => {
    const code = Number.parseInt(digits, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** A name within bounds, on one line: tabs and line feeds are shown too. */
export function showName(text: string, max = 300): string {
  const shown = showHidden(text).replace(/[\n\t]/g, numbered);
  return shown.length <= max ? shown : `${shown.slice(0, max - 1).toWellFormed()}…`;
}
