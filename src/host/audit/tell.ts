/** An entry in words, whatever stands in it: a chain that holds says who wrote a line, not that its data makes sense. */
import type { Entry } from "../../domain/event.ts";
import { narrate } from "../narrate.ts";

/** `narrate`, or the data itself where it is not what this version writes. Not yet harmless to a terminal. */
export function tell(entry: Entry): string {
  try {
    const text: unknown = narrate(entry);
    if (typeof text === "string") return text;
  } catch {
    // Said below.
  }
  return `${entry.type}, with data that this version does not understand: ${JSON.stringify(entry.data).slice(0, 2000)}`;
}
