/** Reads what `go test -json` writes (cmd/test2json): one event a line. Ids are `package > TestName/subtest`. */
import { type GoEvent, goEvent } from "../../domain/runner-output.ts";
import { collector, type SaidReport, type Status } from "./collect.ts";

const ends: Partial<Record<string, Status>> = { pass: "passed", fail: "failed", skip: "skipped" };

/** `FAIL	package [build failed]`: Go before 1.24 says so beside the events. */
const notBuilt = /^FAIL\t(\S+)(?: \[(?:build|setup) failed\])?$/;

/**
 * A package that failed without a failing test (it did not build, or its process ended early) is one failing test of the
 * package's name; a test that began and has no end failed. `undefined` when a line that begins as an event is none.
 */
export function parseGo(text: string, mark = ""): SaidReport | undefined {
  const packages = new Map<string, { open: Map<string, string[]>; failed: boolean; end?: Status }>();
  const into = collector(mark);
  const of = (name: string) => {
    const known = packages.get(name) ?? { open: new Map<string, string[]>(), failed: false };
    packages.set(name, known);
    return known;
  };
  let events = 0;
  for (const line of text.split("\n")) {
    if (!line.startsWith("{")) {
      const name = notBuilt.exec(line)?.[1];
      if (name !== undefined) of(name).end = "failed";
      continue;
    }
    const read = readEvent(line);
    if (!read) return undefined;
    events++;
    const { Action: action, Package: name, Test: test, Output: output } = read;
    if (name === undefined) continue;
    const known = of(name);
    const end = ends[action];
    if (test === undefined) {
      if (end !== undefined && known.end !== "failed") known.end = end;
      continue;
    }
    const said = known.open.get(test) ?? [];
    if (output !== undefined && mark !== "" && test.includes(mark)) said.push(output);
    if (end === undefined) {
      known.open.set(test, said);
      continue;
    }
    known.open.delete(test);
    if (end === "failed") known.failed = true;
    if (!into.add([name, test], end, said.join(""))) return undefined;
  }
  if (events === 0 && packages.size === 0) return undefined;
  for (const [name, { open, failed, end }] of packages) {
    for (const [test, said] of open) if (!into.add([name, test], "failed", said.join(""))) return undefined;
    if (end === "failed" && !failed && open.size === 0 && !into.add([name], "failed")) return undefined;
  }
  return into.report();
}

function readEvent(line: string): GoEvent | undefined {
  try {
    return goEvent.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
