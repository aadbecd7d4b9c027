/** The shipped cases: their form, their labels, and that no two showings are alike. */
import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CanaryCase, loadCase, loadCases } from "../../../src/gate/calibration/canary-case.ts";
import {
  type CanaryPlace,
  filesAfter,
  openCanaryPlace,
  shownTrees,
} from "../../../src/gate/calibration/canary-trees.ts";
import { drawCase } from "../../../src/gate/calibration/draw-case.ts";
import { varyCase } from "../../../src/gate/calibration/vary-case.ts";
import { reportFindings } from "../../../src/gate/compare-runs.ts";
import { diffLines } from "../../../src/gate/diff-lines.ts";
import { judge } from "../../../src/gate/judge.ts";
import { parseDiff, judge as skepticRules } from "../../images/skeptic-case.ts";

const shipped = join(import.meta.dirname, "../../../policies/canaries");
const cases = await loadCases([shipped]);
const seedOf = (number: number) => number.toString(16).padStart(32, "0");

let directory: string;
let place: CanaryPlace;
const afterOf = new Map<string, Record<string, string>>();
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "sallyport-cases-"));
  place = await openCanaryPlace(directory);
  for (const one of cases) afterOf.set(one.id, await filesAfter(place.quarantine, one));
});
afterAll(async () => {
  await place?.close();
  await rm(directory, { recursive: true, force: true });
});
const show = (one: CanaryCase, seed: string) => varyCase(one, afterOf.get(one.id) ?? {}, seed);

describe("the shipped cases", () => {
  it("are at least 24, two thirds of them bad, in three languages", () => {
    const bad = cases.filter(({ label }) => label === "bad");
    expect(cases.length).toBeGreaterThanOrEqual(24);
    expect(bad.length / cases.length).toBeGreaterThan(0.6);
    expect(bad.length / cases.length).toBeLessThan(0.75);
    for (const language of ["javascript", "python", "go"])
      for (const label of ["bad", "good"])
        expect(cases.some((one) => one.language === language && one.label === label)).toBe(true);
    const classes = new Set(bad.map((one) => one.class));
    expect([...classes].sort()).toEqual(
      ["injection", "partial", "scope-creep", "special-cased", "unsafe", "vacuous-test", "wrong"].sort(),
    );
  });

  it.each(cases.map((one) => [one.id, one] as const))("%s could have come to a verifier", async (_, one) => {
    // What the host rejects by itself never gets there.
    expect(reportFindings(one.report)).toEqual([]);
    const shown = show(one, seedOf(1));
    const { patch, report } = await shownTrees(place.quarantine, shown, 1024 * 1024);
    expect(patch.length).toBeGreaterThan(100);
    expect(report.checks.every(({ criterion }) => one.accept.some(({ id }) => id === criterion))).toBe(true);
    if (one.label === "bad") return;
    // An ideal verdict on a good one is accepted: its pointers resolve.
    const lines = diffLines(patch.toString("utf8"));
    const [path, numbers] = [...lines].find(([, set]) => set.size > 0) ?? ["", new Set<number>()];
    const verdict = {
      decision: "approve" as const,
      criteria: one.accept.map(({ id }) => {
        const checks = report.checks.filter(({ criterion }) => criterion === id).map((check) => ({ check: check.id }));
        const tests = report.failToPass.map((test) => ({ test }));
        return {
          id,
          status: "met" as const,
          evidence: [...checks, ...tests, { path, line: [...numbers][0] ?? 0 }],
          why: "shown",
        };
      }),
      refutations: [{ tried: "the edges", found: false, detail: "" }],
      feedback: [],
    };
    expect(judge(verdict, shown.accept, lines, report).findings).toEqual([]);
  });

  it("skeptic-rules is right about them, however they are written", async () => {
    const wrong: string[] = [];
    for (const one of cases) {
      for (const seed of [2, 3, 4].map(seedOf)) {
        const shown = show(one, seed);
        const { patch, report } = await shownTrees(place.quarantine, shown, 1024 * 1024);
        const text = patch.toString("utf8");
        const verdict = skepticRules({ files: parseDiff(text), report, accept: shown.accept, intent: shown.intent });
        const { approved } = judge(verdict, shown.accept, diffLines(text), report);
        if (approved !== (one.label === "good")) wrong.push(`${one.id} ${seed}`);
      }
    }
    expect(wrong).toEqual([]);
  }, 120_000);
});

describe("variation", () => {
  it("follows from the seed, and no two seeds show the same", () => {
    for (const one of cases) {
      expect(show(one, seedOf(7))).toEqual(show(one, seedOf(7)));
      const texts = Array.from({ length: 200 }, (_, seed) => {
        const { before, after } = show(one, seedOf(seed));
        return JSON.stringify([before, after]);
      });
      expect(new Set(texts).size, one.id).toBeGreaterThan(195);
      // Nor does a part that a cache could look for stay: paths, tails and trees differ too.
      const reports = Array.from({ length: 50 }, (_, seed) => JSON.stringify(show(one, seedOf(seed)).report));
      expect(new Set(reports).size, one.id).toBe(50);
    }
  });

  it("keeps what the code does: the tests of varied JavaScript are green before and after", async () => {
    const speaking = cases.filter(({ language, label }) => language === "javascript" && label === "good");
    for (const [index, one] of speaking.entries()) {
      const shown = show(one, seedOf(100 + index));
      for (const [name, files] of Object.entries({ before: shown.before, after: shown.after })) {
        const folder = join(directory, `${one.id}-${name}`);
        for (const [path, text] of Object.entries(files)) {
          await mkdir(dirname(join(folder, path)), { recursive: true });
          await writeFile(join(folder, path), text);
        }
        const { NODE_TEST_CONTEXT: _, ...env } = process.env;
        const said = execFileSync(process.execPath, ["--test"], {
          cwd: folder,
          encoding: "utf8",
          timeout: 30_000,
          env,
        });
        expect(said, `${one.id} ${name}`).toMatch(/fail 0/);
      }
    }
  }, 120_000);

  it("no name is put in that stands in the case already", () => {
    for (const one of cases) {
      const words = new Set(
        [...Object.values(one.base), ...Object.values(afterOf.get(one.id) ?? {})].join("\n").match(/[A-Za-z_]\w*/g),
      );
      const others = Object.values(one.names).flat();
      expect(
        others.filter((name) => codeWords(one).has(name) && words.has(name)),
        one.id,
      ).toEqual([]);
      expect(new Set(others).size, one.id).toBe(others.length);
    }
  });
});

/** Words of the case's code, without comments and texts. */
function codeWords(one: CanaryCase): Set<string> {
  const code = [...Object.values(one.base), ...Object.values(afterOf.get(one.id) ?? {})]
    .join("\n")
    .replace(/\/\*[\s\S]*?\*\/|"""[\s\S]*?"""|(?:\/\/|#).*$|"(?:[^"\\\n]|\\.)*"/gm, "");
  return new Set(code.match(/[A-Za-z_]\w*/g));
}

describe("the form", () => {
  const put = async (change: (folder: string) => Promise<void>) => {
    const folder = join(await mkdtemp(join(directory, "own-")), "my-case");
    await cp(join(shipped, "js-money-gold"), folder, { recursive: true });
    await change(folder);
    return folder;
  };
  it("an operator's own case is taken as it is", async () => {
    expect((await loadCase(await put(async () => {}))).id).toBe("my-case");
  });
  it.each([
    [
      "a label that the class belies",
      (f: string) =>
        writeFile(
          join(f, "canary.yaml"),
          "version: 1\nlabel: bad\nclass: gold\nlanguage: go\nnote: x\nintent: x\naccept: [{ id: A1, must: x }]\n",
        ),
    ],
    [
      "an unknown key",
      (f: string) =>
        writeFile(
          join(f, "canary.yaml"),
          "version: 1\nlabel: good\nclass: gold\nlanguage: go\nnote: x\nintent: x\naccept: [{ id: A1, must: x }]\nlands: true\n",
        ),
    ],
    ["no report", (f: string) => rm(join(f, "report.json"))],
    ["a report of another shape", (f: string) => writeFile(join(f, "report.json"), "{}")],
    ["a link in the base", (f: string) => symlink("/etc/passwd", join(f, "base/passwd"))],
    ["no base", (f: string) => rm(join(f, "base"), { recursive: true })],
  ])("%s is refused, naming the file", async (_, change) => {
    await expect(loadCase(await put(async (folder) => void (await change(folder))))).rejects.toMatchObject({
      code: "canary-invalid",
    });
  });
  it("a patch that does not apply is refused", async () => {
    const one = await loadCase(await put((f) => writeFile(join(f, "change.patch"), "nonsense\n")));
    await expect(filesAfter(place.quarantine, one)).rejects.toMatchObject({ code: "canary-invalid" });
  });
  it("two cases of one name are refused", async () => {
    const own = await mkdtemp(join(directory, "twice-"));
    await cp(join(shipped, "js-money-gold"), join(own, "js-money-gold"), { recursive: true });
    await expect(loadCases([shipped, own])).rejects.toMatchObject({ code: "canary-invalid" });
  });
});

it("a case of the real change's language is drawn where there is one", () => {
  const drawn = (paths: string[]) =>
    new Set(Array.from({ length: 30 }, (_, n) => drawCase(cases, paths, (below) => n % below)?.language));
  expect([...drawn(["src/a.py", "README.md"])]).toEqual(["python"]);
  expect([...drawn(["lib/x.mjs"])]).toEqual(["javascript"]);
  expect(drawn(["docs/x.md"]).size).toBeGreaterThan(2);
  expect(drawCase([], ["a.py"], () => 0)).toBeUndefined();
});
