/**
 * One case, written otherwise each time: names of code and paths are replaced wherever they stand, lines move. What the
 * change does stays the same, so its label does. A verifier that remembers diffs has seen none of them before. Pure.
 */
import type { Criterion } from "../../domain/brief.ts";
import type { TestReport } from "../../domain/test-report.ts";
import type { CanaryCase } from "./canary-case.ts";
import { type Seeded, seeded } from "./seeded.ts";

/** A case as it is shown: both trees whole, so that git itself makes the diff. */
export interface ShownCase {
  intent: string;
  accept: Criterion[];
  before: Record<string, string>;
  after: Record<string, string>;
  report: TestReport;
}

/** The most comment lines that are put on top of a file. */
const mostLines = 12;

const remarks = [
  "Part of the library's public surface.",
  "Kept small on purpose.",
  "See the README for how this is used.",
  "Callers rely on the order of the exports below.",
  "Errors are reported by the caller, not here.",
  "No dependency beside the standard library.",
  "Measured once; fast enough for what it is asked.",
  "Names follow the style guide of this project.",
  "History: split out of a larger file.",
  "Any change here needs a line in the changelog.",
];

const commentMark: Readonly<Record<string, string>> = {
  js: "//",
  mjs: "//",
  cjs: "//",
  ts: "//",
  go: "//",
  rs: "//",
  py: "#",
};

/** The variation of a case that a seed makes. `after` are its files after the change, as git applied it. */
export function varyCase(one: CanaryCase, after: Readonly<Record<string, string>>, seed: string): ShownCase {
  const choose = seeded(`${seed} ${one.id}`);
  const rename = renamer(one, choose);
  const heads = new Map<string, string>();
  const paths = new Set([...Object.keys(one.base), ...Object.keys(after)]);
  for (const path of [...paths].sort()) heads.set(path, headOf(path, choose));
  const tree = (files: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(files).map(([path, content]) => [rename(path), `${heads.get(path) ?? ""}${rename(content)}`]),
    );
  return {
    intent: rename(one.intent),
    accept: one.accept.map(({ id, must }) => ({ id, must: rename(must), checks: [] })),
    before: tree(one.base),
    after: tree(after),
    report: varyReport(one.report, rename, choose),
  };
}

/** Replaces whole words, all at once: a name that is put in is not replaced again. */
function renamer({ names }: CanaryCase, choose: Seeded): (text: string) => string {
  const taken = new Set<string>();
  const map = new Map<string, string>();
  for (const [name, others] of Object.entries(names).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const free = [name, ...others].filter((other) => !taken.has(other));
    const chosen = free.length > 0 ? choose.pick(free) : name;
    taken.add(chosen);
    map.set(name, chosen);
  }
  return (text) => text.replace(/[A-Za-z_][A-Za-z0-9_]*/g, (word) => map.get(word) ?? word);
}

function headOf(path: string, choose: Seeded): string {
  const mark = commentMark[/\.([a-z]+)$/.exec(path)?.[1] ?? ""];
  if (mark === undefined) return "";
  const lines = Array.from({ length: choose.below(mostLines + 1) }, () => `${mark} ${choose.pick(remarks)}\n`);
  return lines.join("");
}

/** The report with the same names, and with times and ids of its own: those of the recorded run would give it away. */
function varyReport(report: TestReport, rename: (text: string) => string, choose: Seeded): TestReport {
  const trees = new Map<string, string>();
  // The planted tests' random name shows in the output: each real run has its own.
  const plants = new Map<string, string>();
  const replanted = (text: string) =>
    text.replace(/\bt[0-9a-f]{16}\b/g, (name) => {
      const known = plants.get(name) ?? `t${choose.hex(16)}`;
      plants.set(name, known);
      return known;
    });
  const again = (value: unknown, key = ""): unknown => {
    if (typeof value === "string") {
      if (key !== "tree") return key === "tail" ? jitterTimes(replanted(rename(value)), choose) : rename(value);
      const known = trees.get(value) ?? choose.hex(value.length);
      trees.set(value, known);
      return known;
    }
    if (typeof value === "number" && key === "milliseconds") return jitter(value, choose);
    if (Array.isArray(value)) return value.map((item) => again(item, key));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [key === "tests" ? rename(name) : name, again(item, name)]),
    );
  };
  return again(report) as TestReport;
}

/** Between 0.7 and 1.3 times as long. */
const jitter = (value: number, choose: Seeded) => Math.max(1, Math.round(value * (0.7 + choose.below(601) / 1000)));

/** Every number with a fraction in a runner's output is taken for a time. */
const jitterTimes = (text: string, choose: Seeded) =>
  text.replace(/\d+\.\d{2,}/g, (time) =>
    (Number(time) * (0.7 + choose.below(601) / 1000)).toFixed(time.split(".")[1]?.length ?? 3),
  );
