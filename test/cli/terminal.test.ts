/** The command line in a real terminal: progress is redrawn in place, ends clean, and Ctrl-C leaves the work going on. */
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { program } from "../e2e/cli.ts";
import { openHost, type TestHost } from "../e2e/daemon.ts";
import { until } from "../e2e/leftovers.ts";
import type { TestRepository } from "../e2e/repository.ts";
import { hasTmux, openTerminal, type Terminal } from "./tmux.ts";

const seconds = 120;
const denied = "curl -s -o /dev/null -m 5 -x http://127.0.0.1:3128 http://packages.example.org/left-pad";
const good = "sed -i s/Math.floor/Math.round/ src/money.js";

describe.skipIf(!hasTmux())("in a real terminal", () => {
  let host: TestHost;
  let repository: TestRepository;
  let terminal: Terminal | undefined;
  beforeAll(async () => {
    host = await openHost();
    repository = host.repository();
  });
  afterEach(() => {
    terminal?.close();
    terminal = undefined;
  });
  afterAll(async () => await host?.close());

  const open = (columns: number, environment: Record<string, string> = {}) => {
    terminal = openTerminal(columns, {
      SALLYPORT_STATE: host.state,
      PATH: `${join(program, "..")}:${process.env.PATH}`,
      ...environment,
    });
    return terminal;
  };
  const delegate = (brief: string) =>
    `clear; sallyport delegate ${brief} --repo ${repository.path} --wait; echo ended=$?`;
  const shows = (what: string, one: Terminal, pattern: RegExp) =>
    until(what, () => (pattern.test(one.seen()) ? one.seen() : undefined), seconds).catch((error: Error) => {
      throw new Error(`${error.message}; seen:\n${one.seen()}`);
    });
  const times = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].length;

  it.each([40, 80, 200])(
    "redraws its progress in place and takes it away at the end, %i columns",
    { timeout: 200_000 },
    async (columns) => {
      const one = open(columns);
      one.type(delegate(host.brief({ instructions: `${denied}; sleep 4; ${good}` })));
      const early = await shows("the stage", one, /executing \d+ s/);
      const later = await until(
        "time that goes by",
        () => {
          const now = one.seen();
          return /executing \d+ s/.test(now) && now !== early ? now : undefined;
        },
        seconds,
      );
      for (const seen of [early, later]) {
        expect(times(seen, /elapsed \d/g), seen).toBe(1);
        expect(times(seen, /executing \d/g), seen).toBe(1);
        expect(seen).toContain("attempt 1 of 2");
      }
      const denial = await shows("the denial", one, / denied 1, last: GET/);
      expect(denial).toContain("to allow it: ");
      await shows("the end", one, /ended=0/);
      const all = one.all();
      expect(all).toMatch(/ is approved/);
      expect(all).toMatch(/next: sallyport diff d-/);
      // Of what was redrawn nothing is left, and no escape was printed as text.
      expect(times(all, /elapsed \d|executing \d+ s|to allow it: /g), all).toBe(0);
      expect(all).not.toMatch(/\\u\{1b\}|\[\d+m|\[K/);
      expect(one.cursor()).toBe(true);
    },
  );

  it("leaves nothing behind when the terminal is made narrower meanwhile", { timeout: 200_000 }, async () => {
    const one = open(120);
    one.type(delegate(host.brief({ instructions: `${denied}; sleep 5; ${good}` })));
    await shows("the stage", one, /executing \d+ s/);
    one.resize(50);
    const seen = await until(
      "it is drawn anew",
      () => {
        const now = one.seen();
        return times(now, /elapsed \d/g) === 1 && /executing [2-9] s/.test(now) ? now : undefined;
      },
      seconds,
    );
    expect(seen.split("\n").every((line) => line.length <= 50)).toBe(true);
    await shows("the end", one, /ended=0/);
    expect(times(one.all(), /elapsed \d|to allow it: /g), one.all()).toBe(0);
  });

  it("says on Ctrl-C that the delegation goes on, how to look and how to stop it", { timeout: 200_000 }, async () => {
    const one = open(100);
    one.type(delegate(host.brief({ instructions: "sleep 50" })));
    await shows("the stage", one, /executing \d+ s/);
    one.press("C-c");
    await shows("its end", one, /goes on without you/);
    one.type("echo ended=$?");
    const seen = await shows("its exit code", one, /ended=130/);
    const id = /(d-[a-z2-7]{16}) goes on without you/.exec(seen)?.[1] ?? "";
    expect(seen).toContain(`look: sallyport log ${id} -f`);
    expect(seen).toContain(`stop: sallyport stop ${id}`);
    expect(times(seen, /elapsed \d/g), seen).toBe(0);
    expect(one.cursor()).toBe(true);
    expect((await host.show(id)).state).toBe("executing");
    // What it said can be typed; the first letters of the id do.
    one.type(`clear; sallyport stop ${id.slice(0, 9)}`);
    await shows("it is stopped", one, new RegExp(`${id} is (?:discarded|executing)`));
    await host.rest(id);
  });

  it("prints dated lines and no escape where nothing can be redrawn", { timeout: 200_000 }, async () => {
    const one = open(80, { TERM: "dumb" });
    one.type(delegate(host.brief()));
    await shows("the end", one, /ended=0/);
    expect(one.all()).toMatch(/\d{4}-\d\d-\d\dT[\d:.]+Z\s+attempt 1 begins/);
    const { code, stderr } = await host.begin("list").done;
    expect([code, stderr]).toEqual([0, ""]);
  });

  it("lists within the width, with times ago", { timeout: 200_000 }, async () => {
    await host.turn(repository, { title: "日本語 ".repeat(30) });
    const one = open(72);
    one.type("clear; sallyport list; echo ended=$?");
    const seen = await shows("the list", one, /ended=0/);
    const rows = seen.split("\n").filter((line) => /^(?:ID|d-)/.test(line));
    expect(rows.length).toBeGreaterThan(1);
    expect(seen).toMatch(/\d+ (?:s|min) ago/);
    expect(seen).toContain("…");
    // None was wrapped: each row of a delegation begins a line, and the next line begins another.
    expect(
      seen.split("\n").filter((line) => line !== "" && !/^(?:ID|d-|ended|\$|no room|\d+ more)/.test(line)),
    ).toEqual([]);
  });
});
