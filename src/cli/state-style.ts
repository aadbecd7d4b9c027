/** The colour of a state, a verdict or an outcome: green is done, red is refused, yellow needs somebody. */
import type { Style } from "./terminal.ts";

const styles: Readonly<Record<string, Style>> = {
  approved: "good",
  landed: "good",
  done: "good",
  rejected: "bad",
  "rejected-hard": "bad",
  failed: "bad",
  "over-budget": "bad",
  stuck: "warn",
  discarded: "dim",
  accepted: "dim",
  waiting: "dim",
};

export const stateStyle = (state: string): Style => styles[state] ?? "name";
