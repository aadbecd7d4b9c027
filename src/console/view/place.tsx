/** Where a page stands: alone, or as one of several in a report. Its anchors and headings follow. */
import { type ComponentChildren, createContext } from "preact";
import { useContext } from "preact/hooks";

/** `prefix` is before every anchor; `deeper` is by how much headings are lower. */
export const Place = createContext({ prefix: "", deeper: 0 });

/** An id of this page. */
export function useAnchor(): (id: string) => string {
  const { prefix } = useContext(Place);
  return (id) => `${prefix}${id}`;
}

interface HeadingProps {
  level: 1 | 2 | 3 | 4;
  id?: string;
  children: ComponentChildren;
}

/** A heading of the page, at its level where the page stands. */
export function Heading({ level, id, children }: HeadingProps) {
  const { deeper } = useContext(Place);
  const Tag = `h${Math.min(6, level + deeper)}` as "h1" | "h2" | "h3" | "h4" | "h5" | "h6";
  return <Tag {...(id === undefined ? {} : { id })}>{children}</Tag>;
}

/** A link to a place of this page. */
export function Jump({ to, children }: { to: string; children: ComponentChildren }) {
  const anchor = useAnchor();
  return <a href={`#${anchor(to)}`}>{children}</a>;
}
