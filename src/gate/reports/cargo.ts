/**
 * Reads what `cargo test` prints (both streams, in one file): libtest's text. Ids are `target > module::name`. Code under
 * test can print such lines itself; each target's summary must agree with its lines, and a target without one failed.
 */
import { collector, type SaidReport, type Status } from "./collect.ts";

const target = /^\s*(?:Running (?:unittests )?(\S+)(?: \(.*\))?|Doc-tests (\S+))$/;
const one = /^test (.+?)(?: - should panic)? \.\.\. (ok|FAILED|ignored(?:, .*)?)$/;
const summary =
  /^test result: (ok|FAILED)\. (\d+) passed; (\d+) failed; (\d+) ignored; (\d+) measured; (\d+) filtered out/;
const failure = /^---- (.+) stdout ----$/;

interface Target {
  name: string;
  tests: Map<string, Status>;
  said: Map<string, string[]>;
  summed: boolean;
}

/** `undefined` when the text is not such a report, or when a summary and the lines above it disagree. */
export function parseCargo(text: string, mark = ""): SaidReport | undefined {
  const targets: Target[] = [];
  let speaking: string[] | undefined;
  for (const line of text.split("\n")) {
    const begins = target.exec(line);
    if (begins) {
      speaking = undefined;
      const name = begins[1] ?? `doc ${begins[2]}`;
      targets.push({ name, tests: new Map(), said: new Map(), summed: false });
      continue;
    }
    const current = targets.at(-1);
    if (!current) continue;
    const test = one.exec(line);
    const speaks = failure.exec(line);
    const sums = summary.exec(line);
    if (sums) {
      if (current.summed || !agrees(current, sums)) return undefined;
      current.summed = true;
    } else if (speaks) {
      speaking = [];
      current.said.set(speaks[1] ?? "", speaking);
    } else if (test && !current.summed && !speaking) {
      const name = test[1] ?? "";
      if (current.tests.has(name)) return undefined;
      current.tests.set(name, test[2] === "ok" ? "passed" : test[2] === "FAILED" ? "failed" : "skipped");
    } else if (speaking && speaking.length < 50) speaking.push(line);
  }
  // It did not build: cargo says so, and no target ran.
  if (targets.length === 0 && /^error(?:\[E\d+\])?: /m.test(text)) {
    return { tests: { "(build)": "failed" }, said: {} };
  }
  if (targets.length === 0) return undefined;
  const into = collector(mark);
  for (const { name, tests, said, summed } of targets) {
    for (const [test, status] of tests)
      if (!into.add([name, test], status, said.get(test)?.join("\n"))) return undefined;
    if (!summed && !into.add([name], "failed")) return undefined;
  }
  return into.report();
}

function agrees({ tests }: Target, [, word, passed, failed, ignored]: RegExpExecArray): boolean {
  const count = (status: Status) => [...tests.values()].filter((one) => one === status).length;
  return (
    count("passed") === Number(passed) &&
    count("failed") === Number(failed) &&
    count("skipped") === Number(ignored) &&
    (word === "FAILED") === Number(failed) > 0
  );
}
