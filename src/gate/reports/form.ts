/** The forms of a report, and the parser of each. */

import { parseCargo } from "./cargo.ts";
import type { SaidReport } from "./collect.ts";
import { parseGo } from "./go.ts";
import { parseJest } from "./jest.ts";
import { type JunitNames, parseJunit } from "./junit.ts";

/** How a report is read. `mark` is in the ids of planted tests: what those said is kept. */
export type ReportForm = { mark: string } & ({ kind: "junit"; names: JunitNames } | { kind: "jest" | "go" | "cargo" });

/** The tests of a report; `undefined` when the text is not of that form, or beyond all bounds. Pure. */
export function parseReport(form: ReportForm, text: string): SaidReport | undefined {
  switch (form.kind) {
    case "junit":
      return parseJunit(text, form.names, form.mark);
    case "jest":
      return parseJest(text, form.mark);
    case "go":
      return parseGo(text, form.mark);
    case "cargo":
      return parseCargo(text, form.mark);
  }
}
