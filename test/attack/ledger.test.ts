/** A ledger that somebody changed, seen by the command line: the first bad line by file and number (ATTACKS L1). */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../e2e/cli.ts";
import { openHost, type TestHost } from "../e2e/daemon.ts";

interface Verified {
  failed?: string[];
  ok: boolean;
  file: string;
  line: number;
  problem: string;
  head: { seq: number; hash: string };
}

let host: TestHost;
let copies = 0;
beforeAll(async () => {
  host = await openHost();
  await host.turn(host.repository());
  // Closed and signed; a second run of the daemon makes a second segment.
  await host.stop();
  await host.up();
  await host.turn(host.repository());
  await host.stop();
}, 600_000);
afterAll(() => host?.close());

const segments = (state: string) =>
  readdirSync(join(state, "ledger"))
    .filter((name) => name.endsWith(".jsonl"))
    .sort();

/** A copy of the state whose ledger was changed, verified. */
async function verify(
  change: (lines: string[], file: string, state: string) => string[] | undefined,
  which = 0,
  ...args: string[]
): Promise<{ code: number | null; said: Verified; file: string }> {
  const state = join(host.directory, `copy-${++copies}`);
  mkdirSync(state);
  for (const part of ["ledger", "keys"]) cpSync(join(host.state, part), join(state, part), { recursive: true });
  const file = join(state, "ledger", segments(state)[which] ?? "");
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  const changed = change(lines, file, state);
  if (changed) writeFileSync(file, changed.map((line) => `${line}\n`).join(""));
  const said = await run(["audit", "verify", "--json", "--state", state, ...args]);
  const answer = { code: said.code, said: said.json<Verified>(), file };
  rmSync(state, { recursive: true });
  return answer;
}

it("is whole as it is", async () => {
  const { code, said } = await verify(() => undefined);
  expect([code, said.ok]).toEqual([0, true]);
});

const swap = (lines: string[], a: number, b: number) => {
  const copy = [...lines];
  [copy[a], copy[b]] = [lines[b] ?? "", lines[a] ?? ""];
  return copy;
};
const cases: [string, number, (lines: string[]) => string[]][] = [
  [
    "a flipped digit",
    5,
    (l) => l.map((line, i) => (i === 4 ? line.replace(/"time":"(\d{3})\d/, '"time":"$19') : line)),
  ],
  [
    "a changed word",
    3,
    (l) =>
      l.map((line, i) =>
        i === 2 ? line.replace("A1", "A2").replace('"lane":0', '"lane":1').replace('"pid"', '"pie"') : line,
      ),
  ],
  ["a line put in", 4, (l) => [...l.slice(0, 3), l[2] ?? "", ...l.slice(3)]],
  ["a line taken out", 4, (l) => [...l.slice(0, 3), ...l.slice(4)]],
  ["two lines in another order", 4, (l) => swap(l, 3, 4)],
  ["white space", 2, (l) => l.map((line, i) => (i === 1 ? line.replace(",", ", ") : line))],
  ["text that is no JSON", 6, (l) => [...l.slice(0, 5), "{", ...l.slice(6)]],
  ["an empty line", 3, (l) => [...l.slice(0, 2), "", ...l.slice(2)]],
];
for (const [name, line, change] of cases) {
  it(`names the first bad line after ${name}`, async () => {
    const { code, said, file } = await verify(change);
    expect([code, said.ok, said.file, said.line]).toEqual([1, false, file, line]);
  });
}

it("finds a segment's end, a whole segment or its signature missing", async () => {
  const ended = await verify((lines) => lines.slice(0, -1));
  expect([ended.code, ended.said.ok]).toEqual([1, false]);
  const gone = await verify((_, file) => {
    rmSync(file);
    return undefined;
  });
  expect([gone.code, gone.said.ok]).toEqual([1, false]);
  const key = await verify((_, __, state) => {
    // Another host's key: a chain that is whole, and not ours.
    const other = readFileSync(join(import.meta.dirname, "other-host.pub"), "utf8");
    writeFileSync(join(state, "keys/host.pub"), other);
    return undefined;
  });
  expect([key.code, key.said.problem]).toEqual([1, expect.stringContaining("signature")]);
});

it("proves a cut tail only against an anchor kept outside, and says so without one", async () => {
  const whole = (await verify(() => undefined)).said;
  const cut = await verify((lines) => lines.slice(0, -2), 1);
  expect(cut.code).toBe(0);
  expect(JSON.stringify(cut.said)).toContain("that nothing was cut off its end: no anchor");
  const anchored = await verify((lines) => lines.slice(0, -2), 1, "--anchor", `${whole.head.seq}:${whole.head.hash}`);
  expect([anchored.code, String(anchored.said.failed)]).toEqual([1, expect.stringContaining("cut off its end")]);
  const swapped = await verify(() => undefined, 1, "--anchor", `${whole.head.seq}:${"0".repeat(64)}`);
  expect([swapped.code, String(swapped.said.failed)]).toEqual([1, expect.stringContaining("another")]);
  const kept = await verify(() => undefined, 1, "--anchor", `${whole.head.seq}:${whole.head.hash}`);
  expect(kept.code).toBe(0);
});

it("a daemon does not start on a ledger that was changed", async () => {
  const file = join(host.state, "ledger", segments(host.state)[0] ?? "");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace('"lane":0', '"lane":1'));
  try {
    const said = await host.cli("daemon");
    expect(said.code).not.toBe(0);
    expect(said.error().code).toMatch(/^ledger-/);
  } finally {
    writeFileSync(file, text);
  }
  await host.up();
});
