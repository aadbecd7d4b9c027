/**
 * The pages, done from top to bottom with a real daemon and the scripted executor: a block with a name is a file, a `sh`
 * block must succeed, a `console` block is a transcript whose output is compared without what differs from run to run.
 * `/srv/git/` and `/var/lib/sallyport` stand for places of the test's own.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openHost, type TestHost } from "../e2e/daemon.ts";
import { blocksOf, house, isTyped, matches, pages, readPage, stepsOf } from "./blocks.ts";
import { openSession } from "./session.ts";

/** Pages whose blocks have a test of their own. */
const elsewhere: Readonly<Record<string, string>> = {
  "docs/policy.md": "test/cli/policy-page.test.ts",
  "docs/harnesses.md": "test/e2e/harness-page.test.ts",
};
/** Why a block may not be run, and how many may say so in all. */
const reasons = ["needs-a-key", "installs-on-the-machine", "starts-a-service", "needs-another-machine"];
const notRunMax = 12;
const seconds = 150;

const money: Readonly<Record<string, string>> = {
  "package.json": '{ "name": "money", "private": true, "type": "module" }\n',
  "src/money.mjs": "export function roundMoney(amount) {\n  return Math.round(amount * 100) / 100;\n}\n",
  "src/invoice.mjs":
    'import { roundMoney } from "./money.mjs";\nexport const total = (lines) => roundMoney(lines.reduce((sum, line) => sum + line.price, 0));\n',
  "test/money.test.mjs":
    'import test from "node:test";\nimport assert from "node:assert/strict";\nimport { roundMoney } from "../src/money.mjs";\n\ntest("keeps whole cents", () => assert.equal(roundMoney(1.25), 1.25));\n',
};

const withBlocks = pages().filter((page) => !(page in elsewhere) && blocksOf(readPage(page)).some(isTyped));

describe("the commands of the docs", () => {
  it("are all run, or say why not", () => {
    const all = pages().flatMap((page) => blocksOf(readPage(page)).map((block) => ({ page, ...block })));
    const notRun = all.filter((block) => isTyped(block) && block.notRun !== undefined);
    expect(notRun.filter(({ notRun: why }) => !reasons.includes(why ?? ""))).toEqual([]);
    expect(notRun.length).toBeLessThanOrEqual(notRunMax);
    expect(withBlocks).toContain("docs/guides/operator.md");
    expect(all.filter((block) => isTyped(block) && !block.notRun).length).toBeGreaterThan(20);
  });

  it("are seen to differ: another output, another line, another number is no match", () => {
    expect(matches("d-abcdefgh23456722 is approved\n", ["d-zzzzzzzzzzzzzzzz is approved"])).toBe(true);
    expect(matches("d-abcdefgh23456722 is rejected\n", ["d-zzzzzzzzzzzzzzzz is approved"])).toBe(false);
    expect(matches("a\nb\nc\n", ["a", "...", "c"])).toBe(true);
    expect(matches("a\nb\nc\n", ["a", "c"])).toBe(false);
    expect(matches("2 briefs, 1 errors\n", ["2 briefs, 0 errors"])).toBe(false);
    expect(matches("whole: 12 lines\n", ["whole: … lines"])).toBe(true);
    expect(matches("something\n", [])).toBe(false);
    expect(matches("", [])).toBe(true);
  });
});

describe("done as written", () => {
  let host: TestHost;
  beforeAll(async () => {
    host = await openHost({ lanes: 2 });
  });
  afterAll(async () => await host?.close());

  it.each(withBlocks)("%s", { timeout: 600_000 }, async (page) => {
    const directory = mkdtempSync(join(host.directory, "page-"));
    execFileSync("chmod", ["755", directory]);
    // Each page has a repository of its own under the name that they all use.
    const repositories = join(host.directory, "r", page.replaceAll(/\W/g, "-"));
    host.repository(`${page.replaceAll(/\W/g, "-")}/money.git`, money, { bare: true });
    const placed = (text: string) =>
      text.replaceAll("/srv/git/", `${repositories}/`).replaceAll("/var/lib/sallyport", host.state);
    const shown = (text: string) =>
      text.replaceAll(`${repositories}/`, "/srv/git/").replaceAll(host.state, "/var/lib/sallyport");
    const session = openSession(directory, {
      ...process.env,
      PATH: `${join(house, "bin")}:${process.env.PATH}`,
      SALLYPORT_STATE: host.state,
      SALLYPORT_IMAGES: join(host.directory, "images"),
      HOME: directory,
    });
    try {
      for (const block of blocksOf(readPage(page))) {
        const where = `${page}:${block.line}`;
        if (block.name) {
          mkdirSync(dirname(join(directory, block.name)), { recursive: true });
          writeFileSync(join(directory, block.name), placed(block.text));
        }
        if (!isTyped(block) || block.notRun) continue;
        if (block.kind !== "console") {
          const { output, code } = await session.run(placed(`(set -e; ${block.text.trimEnd()}\n)`), seconds);
          expect(code, `${where}\n${output}`).toBe(0);
          continue;
        }
        for (const { command, output } of stepsOf(block.text)) {
          const said = shown((await session.run(placed(command), seconds)).output);
          expect(matches(said, output), `${where}: $ ${command}\n${said}`).toBe(true);
          expect(said, `${where}: $ ${command}`).not.toMatch(/code: internal|^\s+at file:/m);
        }
      }
    } finally {
      session.close();
    }
  });
});
