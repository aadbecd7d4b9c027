/** What every page is made of: sections, tables, badges, lists of facts. */
import type { ComponentChildren, JSX } from "preact";
import { useContext } from "preact/hooks";
import { Heading, Place, useAnchor } from "./place.tsx";
import { Text } from "./text.tsx";

export type Tone = "plain" | "good" | "bad" | "waiting";

const tones: Readonly<Record<string, Tone>> = {
  approved: "good",
  landed: "good",
  done: "good",
  approve: "good",
  met: "good",
  allow: "good",
  whole: "good",
  rejected: "bad",
  "rejected-hard": "bad",
  reject: "bad",
  "reject-hard": "bad",
  unmet: "bad",
  failed: "bad",
  stuck: "bad",
  "over-budget": "bad",
  deny: "bad",
  broken: "bad",
  stopped: "bad",
  discarded: "plain",
  unproven: "waiting",
  unread: "waiting",
  waiting: "waiting",
};
const resting = new Set(["discarded"]);

/** The tone of a state, an outcome or a decision: what is under way is waiting. */
export const toneOf = (word: string): Tone => tones[word] ?? (resting.has(word) ? "plain" : "waiting");

const marks: Readonly<Record<Tone, string>> = { good: "✓", bad: "✕", waiting: "●", plain: "–" };

/** A word with its tone; the tone is a sign too, for whoever sees no colour. */
export function Badge({ children, tone = toneOf(children) }: { children: string; tone?: Tone }) {
  return (
    <span class={`badge ${tone}`}>
      <span aria-hidden="true">{marks[tone]} </span>
      <Text>{children}</Text>
    </span>
  );
}

interface SectionProps {
  id: string;
  title: string;
  /** What the section says, in a line. */
  lead?: ComponentChildren;
  level?: 2 | 3;
  children?: ComponentChildren;
}

/** A part of a page with a heading and an anchor. */
export function Section({ id, title, lead, level = 2, children }: SectionProps) {
  const anchor = useAnchor()(id);
  // One of several pages in a report: its landmarks would have the names of all the others'.
  const { deeper } = useContext(Place);
  return (
    <section id={anchor} {...(deeper === 0 ? { "aria-labelledby": `${anchor}-title` } : {})}>
      <Heading level={level} id={`${anchor}-title`}>
        {title}
      </Heading>
      {lead ? <p class="lead">{lead}</p> : null}
      {children}
    </section>
  );
}

export interface Column<T> {
  head: string;
  cell: (row: T) => ComponentChildren;
  /** Figures stand at the right. */
  figures?: boolean;
  /** The cell that names the row. */
  names?: boolean;
  class?: string;
}

interface TableProps<T> {
  caption: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  /** How many there are where `rows` are not all. */
  total?: number;
  /** What stands there where there is none. */
  none: string;
  rowClass?: (row: T) => string | undefined;
  rowKey?: (row: T, index: number) => string | number;
}

/** A table that scrolls in itself where it does not fit, by keyboard too. */
export function Table<T>({ caption, columns, rows, total = rows.length, none, rowClass, rowKey }: TableProps<T>) {
  if (rows.length === 0) return <p class="none">{none}</p>;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for controls; a section would be one landmark of dozens
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1)
    <div class="scroll" role="group" aria-label={caption} tabIndex={0}>
      <table>
        <caption>
          {caption}
          {total > rows.length ? ` (${rows.length} of ${total})` : ""}
        </caption>
        <thead>
          <tr>
            {columns.map(({ head, figures }) => (
              <th key={head} scope="col" class={figures ? "figures" : undefined}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={rowKey?.(row, index) ?? index} class={rowClass?.(row)}>
              {columns.map(({ head, cell, figures, names, class: own }) => {
                const className = [figures ? "figures" : "", own ?? ""].join(" ").trim() || undefined;
                return names ? (
                  <th key={head} scope="row" class={className}>
                    {cell(row)}
                  </th>
                ) : (
                  <td key={head} class={className}>
                    {cell(row)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Facts by their names; those without a value are left out. */
export function Facts({ facts }: { facts: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => value !== undefined && value !== null && value !== "")
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** What a list does not show, said. */
export function More({ total, shown, what }: { total: number; shown: number; what: string }): JSX.Element | null {
  return total > shown ? (
    <p class="none">
      {total - shown} more {what} are in the ledger.
    </p>
  ) : null;
}

/** A number with the noun that it counts. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
