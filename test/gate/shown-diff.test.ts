/** What a verifier is shown: whole functions as far as they fit, nothing hidden, and every line where it was. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { diffLines } from "../../src/gate/diff-lines.ts";
import { digestBytes } from "../../src/gate/digest.ts";
import { readShown, showBytes, showHidden, showName } from "../../src/gate/show-text.ts";
import { numberedDiff, shownDiff, shownPatch, shownReport, viewBytes } from "../../src/gate/shown-diff.ts";
import { gitDiff, parseDiff, verdictOn } from "../images/skeptic-case.ts";
import { type Bench, bench, commit, type Stage, stage } from "../worktree/fixture.ts";
import { reportOf, runOf } from "./samples.ts";

let b: Bench;
let s: Stage;
const body = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => `  step(${from + n});`).join("\n");
const long = (mark: string, count: number) =>
  `function ${mark}() {\n${body(0, count)}\n  change();\n${body(count, count)}\n}\n`;
beforeAll(async () => {
  b = await bench();
  await commit(
    b.repo,
    `mkdir src; cat > src/one.js <<'E'\n${long("first", 20)}\n${long("other", 3)}E
cat > src/huge.js <<'E'\n${long("huge", 4000)}E
printf '\\000\\001' > src/image.bin`,
  );
  s = await stage(b);
});
afterAll(() => b?.clean());

/** The base with some files replaced. */
async function changed(files: Record<string, string>): Promise<string> {
  const put = await Promise.all(
    Object.entries(files).map(async ([path, text]) => ({
      path,
      mode: "100644",
      oid: await s.quarantine.writeBlob(Buffer.from(text)),
    })),
  );
  return s.quarantine.compose(s.base.tree, put);
}
const view = async (tree: string) =>
  (await shownDiff(s.quarantine, s.base.tree, tree, 4 * viewBytes))?.toString("utf8") ?? "none";

describe("the view of a change", () => {
  const one = (change: string) => `${long("first", 20).replace("  change();", change)}\n${long("other", 3)}`;

  test("shows the whole function around it, and no other", async () => {
    const shown = await view(await changed({ "src/one.js": one("  changed();") }));
    expect(shown).toContain("\n function first() {\n");
    expect(shown).toContain("\n   step(0);\n");
    expect(shown).toContain("\n   step(39);\n");
    expect(shown).not.toContain("function other");
    expect([...(diffLines(shown).get("src/one.js")?.changed ?? [])]).toEqual([22]);
  });

  test("leaves the patch that is signed as it was: three lines of context, binary files whole", async () => {
    const tree = await changed({ "src/one.js": one("  changed();"), "src/image.bin": "\0\u0002" });
    const plain = await s.quarantine.patch(s.base.tree, tree, viewBytes);
    if (!plain.ok) throw new Error("too large");
    const text = plain.patch.toString("utf8");
    expect([text.includes("function first() {\n"), text.includes("GIT binary patch")]).toEqual([true, true]);
    expect(text).not.toContain("   step(0);");
    await view(tree);
    const again = await s.quarantine.patch(s.base.tree, tree, viewBytes);
    expect(again.ok && digestBytes(again.patch)).toBe(digestBytes(plain.patch));
    expect(await view(tree)).toContain("Binary files a/src/image.bin and b/src/image.bin differ");
  });

  test("shows less where a function is too long, and the functions of the other files all the same", async () => {
    const tree = await changed({
      "src/one.js": one("  changed();"),
      "src/huge.js": long("huge", 4000).replace("  change();", "  changed();"),
    });
    const shown = await view(tree);
    expect(shown).toContain("\n   step(39);\n");
    expect(shown).toContain("\n   step(4009);\n");
    expect(shown).not.toContain("\n   step(4010);\n");
  });

  test("is bounded whatever is changed, and leaves no change out", async () => {
    const many = Object.fromEntries(
      Array.from({ length: 12 }, (_, n) => [`src/many${n}.js`, long(`many${n}`, 1200)] as const),
    );
    const base = await changed(many);
    const tree = await s.quarantine.compose(
      base,
      await Promise.all(
        Object.entries(many).map(async ([path, text]) => ({
          path,
          mode: "100644",
          oid: await s.quarantine.writeBlob(Buffer.from(text.replace("change()", "changed()"))),
        })),
      ),
    );
    const shown = await shownDiff(s.quarantine, base, tree, viewBytes);
    expect(shown?.length).toBeLessThanOrEqual(viewBytes);
    expect(shown?.toString().match(/\+ {2}changed\(\)/g)).toHaveLength(12);
    // Some of them have their whole function.
    expect(shown?.toString()).toMatch(/\n {3}step\(0\);/);
  });
});

describe("what is shown of a text", () => {
  const letters = fc.constantFrom(
    ..."ab \t\u27e6\u27e7U+0{}\\".split(""),
    "\u202e",
    "\u200b",
    "\r",
    "\0",
    "\u001b",
    "\u{e0041}",
    "\ufeff",
    "\ufe0f",
    "\u2028",
    "é",
    "😀",
    "\u27e6U+202E\u27e7",
  );
  const text = fc.array(letters, { maxLength: 40 }).map((all) => all.join(""));

  test("can be read back to exactly what it was, and holds nothing that cannot be seen", () => {
    fc.assert(
      fc.property(text, fc.string({ unit: "binary" }), (a, b2) => {
        for (const one of [a, b2]) {
          const shown = showHidden(one);
          expect(readShown(shown)).toBe(one.toWellFormed());
          expect(shown).not.toMatch(/[^\P{C}\n\t]|[\p{Zl}\p{Zp}]/u);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("two texts that differ are shown differently", () => {
    fc.assert(
      fc.property(text, text, (a, c) => {
        expect(showHidden(a) === showHidden(c)).toBe(a === c);
      }),
    );
  });

  test("bytes that are no text are shown by their numbers, on their lines", () => {
    expect(showBytes(Buffer.from([0x61, 0xe9, 0x0a, 0xc3, 0xa9, 0x0a, 0xff]))).toBe(
      "a\u27e60xE9\u27e7\né\n\u27e60xFF\u27e7",
    );
    expect(showName("a\nb\tc")).toBe("a\u27e6U+000A\u27e7b\u27e6U+0009\u27e7c");
    expect(showName("x".repeat(400))).toHaveLength(300);
  });

  test("in a diff keeps files, hunks and lines, and verifiers read the text as it was written", () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 6 }), (lines) => {
        const after = `${lines.map((line) => line.replaceAll("\0", "")).join("\n")}\n`;
        fc.pre(after !== "one\n");
        const patch = Buffer.from(gitDiff({ "src/a.js": "one\n" }, { "src/a.js": after }));
        const shown = shownPatch(patch);
        expect(shown.split("\n")).toHaveLength(patch.toString("utf8").split("\n").length);
        const plain = (diff: string) => parseDiff(diff).map((file) => file.hunks.map((h) => h.lines));
        // The patch itself holds no escape: what looks like one was written so.
        const raw = patch.toString("utf8").replaceAll("\u27e6", "\u27e6U+27E6\u27e7");
        expect(plain(shown)).toEqual(plain(raw));
        expect([...(diffLines(shown).get("src/a.js") ?? [])]).toEqual([
          ...(diffLines(patch.toString("utf8")).get("src/a.js") ?? []),
        ]);
      }),
      { numRuns: 30 },
    );
  });

  test("leaves the rules their findings: what was hidden is still found", () => {
    const after = { "src/a.js": "export const a = 1; // \u202e sey\n" };
    expect(verdictOn({ "src/a.js": "\n" }, after).decision).toBe("reject");
    const files = parseDiff(shownPatch(Buffer.from(gitDiff({ "src/a.js": "\n" }, after))));
    expect(files[0]?.hunks[0]?.lines.some(({ text: line }) => line.includes("\u202e"))).toBe(true);
  });
});

test("a numbered diff gives each line the number by which it can be pointed to", () => {
  const patch = gitDiff({ "a.js": "1\n2\n3\n" }, { "a.js": "1\ntwo\n3\nfour\n", "b.js": "+++ b/c.js\n@@ -1 +1 @@\n" });
  const numbered = numberedDiff(patch, "n");
  for (const [path, file] of diffLines(patch)) {
    for (const [number, text] of file.texts)
      expect([path, numbered]).toEqual([
        path,
        expect.stringMatching(new RegExp(`^ *${number}[ +]\\| ${text.replace(/[+@]/g, "\\$&")}$`, "m")),
      ]);
  }
  expect(numbered).toContain("     2-| 2\n");
});

test("a report says the same as before where nothing is hidden, and less than an executor would like", () => {
  const report = reportOf({ proposal: runOf({ works: "passed" }, { tail: "out\u001b[0m" }) });
  const shown = shownReport(report, "n") as typeof report;
  expect({ ...shown, proposal: { ...shown.proposal, tail: "" } }).toEqual({
    ...report,
    proposal: { ...report.proposal, tail: "" },
  });
  expect(shown.proposal?.tail).toBe("<claim n>\n| out\u27e6U+001B\u27e7[0m\n</claim n>");
  const long = shownReport({ tail: "x".repeat(100_000), tests: { ["y".repeat(5000)]: "passed" } }, "n");
  expect(JSON.stringify(long).length).toBeLessThan(6000);
  expect(shownReport(JSON.parse('{"__proto__": "x"}'), "n")).toEqual(expect.not.objectContaining({ x: 1 }));
});
