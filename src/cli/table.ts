/** Tables that fit: columns shrink, then go, in the order of their weight; wide characters count as two. */
import { clip, columnsOf, type Line, type Part, type Style, safeCell, textOf, widthOf } from "./terminal.ts";

/** One column. */
export interface Column {
  title: string;
  /** Which gives way where the line is too long: the highest first; 0 or left out never. */
  gives?: number;
  /** What it shrinks to before it is left out, in columns; left out: it does not shrink, it goes. */
  least?: number;
  align?: "right";
}

/** One cell. */
export type Cell = Part;

interface Laid {
  lines: Line[];
  /** The titles of columns that found no room. */
  left: string[];
}

const gap = 2;

/** The widths of the columns within `room`; those that are left out have none. */
function shrink(columns: readonly Column[], widest: readonly number[], room: number): (number | undefined)[] {
  const widths: (number | undefined)[] = [...widest];
  const total = () => {
    const kept = widths.filter((width) => width !== undefined);
    return kept.reduce((sum, width) => sum + width, 0) + gap * Math.max(0, kept.length - 1);
  };
  const order = columns
    .map((column, index) => ({ index, gives: column.gives ?? 0, least: column.least }))
    .filter(({ gives }) => gives > 0)
    .sort((a, b) => b.gives - a.gives);
  for (const { index, least } of order) {
    const width = widths[index] ?? 0;
    const over = Math.max(0, total() - room);
    if (least !== undefined) widths[index] = Math.max(Math.min(width, least), width - over);
    else if (over > 0) widths[index] = undefined;
  }
  for (const { index } of order) if (total() > room) widths[index] = undefined;
  // What a left-out column made free goes to those that had shrunk, the weightiest first.
  for (const { index } of [...order].reverse()) {
    const width = widths[index];
    if (width !== undefined) widths[index] = Math.min(widest[index] ?? width, width + Math.max(0, room - total()));
  }
  return widths;
}

/** Lays rows out as lines of at most `room` columns (undefined: as wide as they are). No line ends with a space. */
export function layTable(columns: readonly Column[], rows: readonly (readonly Cell[])[], room?: number): Laid {
  const texts = rows.map((row) => columns.map((_, index) => safeCell(textOf(row[index] ?? "")).trimEnd()));
  const widest = columns.map(({ title }, index) =>
    texts.reduce((most, row) => Math.max(most, widthOf(row[index] ?? "")), widthOf(title)),
  );
  const widths = room === undefined ? widest : shrink(columns, widest, room);
  const shown = columns.flatMap((column, index) => {
    const width = widths[index];
    return width === undefined ? [] : [{ column, index, width }];
  });
  const lay = (cells: readonly string[], styleOf: (index: number) => Style | undefined): Line => {
    const last = shown.findLast(({ index }) => (cells[index] ?? "") !== "")?.index;
    const parts: Part[] = [];
    for (const { column, index, width } of shown) {
      const text = clip(cells[index] ?? "", width);
      const style = styleOf(index);
      const pad = " ".repeat(Math.max(0, width - widthOf(text)));
      const cell: Part = style ? [text, style] : text;
      if (parts.length > 0) parts.push(" ".repeat(gap));
      parts.push(...(column.align === "right" ? [pad, cell] : index === last ? [cell] : [cell, pad]));
      if (index === last) break;
    }
    return parts;
  };
  return {
    lines: [
      lay(
        columns.map(({ title }) => title),
        () => "strong",
      ),
      ...texts.map((cells, at) =>
        lay(cells, (index) => {
          const cell = rows[at]?.[index];
          return typeof cell === "object" ? cell[1] : undefined;
        }),
      ),
    ],
    left: columns.filter((_, index) => widths[index] === undefined).map(({ title }) => title),
  };
}

/** A table for standard output: within a terminal's width, and whole elsewhere. Says which columns found no room. */
export function fitTable(columns: readonly Column[], rows: readonly (readonly Cell[])[], indent = ""): Line[] {
  const room = columnsOf(process.stdout);
  const { lines, left } = layTable(columns, rows, room === undefined ? undefined : room - indent.length);
  const indented = indent ? lines.map((line): Line => [indent, ...(typeof line === "string" ? [line] : line)]) : lines;
  if (left.length === 0) return indented;
  return [...indented, [[`${indent}no room for ${left.join(", ")}: a wider terminal or --json has them`, "dim"]]];
}

/** Rows as plain columns, the first with the titles. */
export function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...rest] = rows;
  return layTable(
    head.map((title) => ({ title })),
    rest,
  )
    .lines.map((line) => (typeof line === "string" ? line : line.map(textOf).join("")))
    .join("\n");
}
