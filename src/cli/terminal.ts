/** What a stream can show: its width, colour, redrawing; nothing of others' text reaches it that it would obey. */
import { styleText } from "node:util";
import stringWidth from "string-width";
import { visible } from "../domain/visible.ts";

const formats = {
  good: "green",
  bad: "red",
  warn: "yellow",
  name: "cyan",
  strong: "bold",
  dim: "dim",
} as const;
/** What a colour stands for. */
export type Style = keyof typeof formats;
/** A piece of a line, plain or in a colour. */
export type Part = string | readonly [text: string, style: Style];
/** A line for people. */
export type Line = string | readonly Part[];

type Stream = NodeJS.WriteStream;

/** Text of others made harmless: the one place is `domain/visible.ts`. */
export const safe = visible;

/** Text of which each character is one column, and none is to be escaped: most of a long list. */
const plain = /^[\x20-\x7e]*$/;

/** The same for one line of a table or of progress: newlines and tabs become spaces. */
export function safeCell(text: string): string {
  return plain.test(text) ? text : safe(text.replace(/[\n\t]+/g, " "));
}

export const textOf = (part: Part): string => (typeof part === "string" ? part : part[0]);
const partsOf = (line: Line): readonly Part[] => (typeof line === "string" ? [line] : line);

/** A line as bytes for a stream: made harmless, then coloured where the stream shows colours (NO_COLOR, FORCE_COLOR, TERM=dumb). */
export function render(line: Line, stream: Stream): string {
  return partsOf(line)
    .map((part) => (typeof part === "string" ? safe(part) : paint(safe(part[0]), part[1], stream)))
    .join("");
}

function paint(text: string, style: Style, stream: Stream): string {
  return text === "" ? "" : styleText(formats[style], text, { stream, validateStream: true });
}

/** How many columns a text takes: wide characters and emoji two, combining marks none. */
export const widthOf = (text: string): number => (plain.test(text) ? text.length : stringWidth(text));

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** At most `width` columns of a text; where something was cut off, `…` ends it. */
export function clip(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  if (plain.test(text) && width > 0) return `${text.slice(0, width - 1).trimEnd()}…`;
  let kept = "";
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const more = widthOf(segment);
    if (used + more > width - 1) break;
    kept += segment;
    used += more;
  }
  return width < 1 ? "" : `${kept.trimEnd()}…`;
}

/** A line of at most `width` columns. */
export function clipLine(line: Line, width: number): Part[] {
  const kept: Part[] = [];
  let left = width;
  for (const part of partsOf(line)) {
    const whole = safeCell(textOf(part));
    const text = clip(whole, left);
    kept.push(typeof part === "string" ? text : [text, part[1]]);
    left -= widthOf(text);
    if (text !== whole || left <= 0) break;
  }
  return kept;
}

/** The columns of a terminal; undefined for a file or pipe, which are never cut. */
export function columnsOf(stream: Stream): number | undefined {
  return stream.isTTY ? Math.max(20, stream.columns || 80) : undefined;
}

/** Whether lines that were written can be written over. */
export function canRedraw(stream: Stream): boolean {
  return stream.isTTY === true && process.env.TERM !== "dumb" && process.env.TERM !== "";
}
