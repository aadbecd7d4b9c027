/**
 * The one place where text of others is made harmless to look at. A terminal obeys control characters (ESC, the
 * 8-bit CSI U+009B, OSC 8 and 52), a reader is turned around by bidi marks (CVE-2021-42574), a carriage return or
 * backspace writes over what stands there, and a line break forges a line.
 */

/** Unicode's Other (control, format, surrogate, private, unassigned) and its two line separators. */
const unseen = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Almost every text is this, and is passed on without a closer look. */
const plain = /^[\x20-\x7e]*$/;

const shown = (character: string) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

/** Text with everything that a terminal or reader could be fooled by shown as `\u{…}`; newlines and tabs stay. */
export function visible(text: string): string {
  if (plain.test(text)) return text;
  return text.replace(unseen, (character) => (character === "\n" || character === "\t" ? character : shown(character)));
}

/** The same on one line: newlines and tabs are shown too. */
export function visibleLine(text: string): string {
  if (plain.test(text)) return text;
  return text.replace(unseen, shown);
}

/** Well-formed JSON with such characters written as `\uXXXX`: the same value, and nothing a terminal obeys. */
export function visibleJson(json: string): string {
  if (plain.test(json)) return json;
  // Outside of strings JSON has no such character but the newlines of its layout.
  return json.replace(unseen, (character) =>
    character === "\n"
      ? character
      : Array.from(
          { length: character.length },
          (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`,
        ).join(""),
  );
}
