/** Everything that is shown, made visible at one place: where an answer comes in. Pure. */
import { showHidden } from "../../gate/show-text.ts";

/**
 * A value with the hidden characters of every string in it, names of records too, shown by their numbers: what acts on a
 * terminal, turns the text around (CVE-2021-42574) or is not drawn. Tabs and line feeds stay.
 */
export function shown<T>(value: T): T {
  return turn(value) as T;
}

function turn(value: unknown): unknown {
  if (typeof value === "string") return showHidden(value);
  if (Array.isArray(value)) return value.map(turn);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [showHidden(name), turn(inner)]));
}
