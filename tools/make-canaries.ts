/**
 * Makes `policies/canaries/` from `tools/canaries/*.yaml`: applies each case's edits, runs the tests and the checks in the
 * real tester sandbox, proves the label with the hidden check where the fault is one that running shows, and writes what
 * the host reported. Needs the engine and the images that the files name. Usage: node tools/make-canaries.ts [NAME...]
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { criterion } from "../src/domain/brief.ts";
import { canaryClass, canaryFile } from "../src/domain/canary.ts";
import type { TestCommands } from "../src/domain/policy.ts";
import { reportFindings } from "../src/gate/compare-runs.ts";
import { testProposal } from "../src/gate/tester.ts";
import { loadDocument } from "../src/policy/document.ts";
import { type Rig, nodeTest, openRig, project } from "../test/gate/rig.ts";

const house = join(import.meta.dirname, "..");
const edit = z.strictObject({ path: z.string(), find: z.string(), replace: z.string() });
const source = z.strictObject({
  language: z.enum(["javascript", "python", "go"]),
  tester: z.string(),
  tests: z.strictObject({ run: z.string(), report: z.enum(["exit", "junit"]), evidence: z.array(z.string()) }).optional(),
  intent: z.string(),
  names: z.record(z.string(), z.array(z.string())),
  base: z.record(z.string(), z.string()),
  checks: z.record(z.string(), z.string()),
  hidden: z.strictObject({ run: z.string(), files: z.array(z.string()) }),
  criteria: z.record(z.string(), criterion.omit({ id: true })),
  gold: z.array(edit),
  cases: z.array(
    z.strictObject({
      id: z.string(),
      class: canaryClass,
      note: z.string(),
      from: z.literal("gold").optional(),
      accept: z.array(z.string()),
      edits: z.array(edit).default([]),
    }),
  ),
});
type Source = z.infer<typeof source>;

/** Where running the code shows the fault: there the hidden check must fail. */
const shownByRunning = new Set(["partial", "wrong", "special-cased", "injection"]);

function edited(files: Record<string, string>, edits: readonly z.infer<typeof edit>[], where: string) {
  const out = { ...files };
  for (const { path, find, replace } of edits) {
    const text = out[path] ?? "";
    if (text.split(find).length !== 2) throw new Error(`${where}: ${path} holds ${JSON.stringify(find)} ${text.split(find).length - 1} times`);
    out[path] = text.split(find).join(replace);
  }
  return out;
}

function write(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

function gitDiff(before: Record<string, string>, after: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-canary-"));
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "core.hooksPath=/dev/null", "-c", "user.name=c", "-c", "user.email=c@example.org", ...args], {
      cwd: folder,
      encoding: "utf8",
      env: { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: "1" },
    });
  try {
    git("init", "-q");
    write(folder, before);
    git("add", "-A", "-f");
    git("commit", "-q", "-m", "before");
    for (const path of Object.keys(before)) if (!(path in after)) rmSync(join(folder, path));
    write(folder, after);
    git("add", "-A", "-f");
    return git("diff", "--cached", "--full-index", "--no-renames", "--no-color", "HEAD");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function make(rig: Rig, name: string, text: Source): Promise<void> {
  const script = Object.entries(text.base)
    .map(([path, content]) => `mkdir -p "$(dirname ${path})"; base64 -d > ${path} <<'END'\n${Buffer.from(content).toString("base64")}\nEND`)
    .join("\n");
  const tests = (text.tests ?? nodeTest) as TestCommands;
  const made = await project(rig, script, { tests: { ...tests, wall: 120_000 } });
  try {
    made.context.image = await rig.image(text.tester);
    made.context.policy = { ...made.context.policy, budget: { ...made.context.policy.budget, wall: 120_000 } };
    const limits = made.context.policy.sandbox;
    made.context.policy.sandbox = { ...limits, memory: 1024 ** 3, disk: 512 * 1024 ** 2, pids: 256 };
    made.context.place.disk = 512 * 1024 ** 2;
    const checkFiles = Object.fromEntries(
      Object.entries(text.checks).map(([file, content]) => [file, Buffer.from(content).toString("base64")]),
    );
    const gold = edited(text.base, text.gold, `${name} gold`);
    const baselines = new Map();
    for (const one of text.cases) {
      const where = `${name}-${one.id}`;
      const after = edited(one.from === "gold" ? gold : text.base, one.edits, where);
      const accept = one.accept.map((key, index) => {
        const found = text.criteria[key];
        if (!found) throw new Error(`${where}: no criterion ${key}`);
        return { id: `A${index + 1}`, ...found };
      });
      const tree = await made.tree(
        Object.fromEntries([
          ...Object.keys(text.base)
            .filter((path) => !(path in after))
            .map((path) => [path, null]),
          ...Object.entries(after).filter(([path, content]) => text.base[path] !== content),
        ]),
      );
      const hidden = { id: "HIDDEN", must: "the label", checks: [text.hidden] };
      const criteria = [...accept, hidden];
      const whole = await testProposal(made.context, tree, { criteria, checkFiles }, baselines);
      const holds = whole.checks.find((check) => check.criterion === "HIDDEN")?.ok;
      const label = ["gold", "rewrite", "alternative", "noise"].includes(one.class) ? "good" : "bad";
      const wanted = label === "good" ? true : shownByRunning.has(one.class) ? false : holds;
      if (holds !== wanted) throw new Error(`${where}: the hidden check ${holds ? "passes" : "fails"}`);
      const report = { ...whole, checks: whole.checks.filter((check) => check.criterion !== "HIDDEN") };
      const red = reportFindings(report);
      // What the host rejects by itself never reaches a verifier: it would be no canary.
      if (red.length > 0) throw new Error(`${where}: the host's own rules reject it: ${JSON.stringify(red)}`);
      const folder = join(house, "policies/canaries", where);
      rmSync(folder, { recursive: true, force: true });
      write(join(folder, "base"), text.base);
      const file = canaryFile.parse({
        version: 1,
        label,
        class: one.class,
        language: text.language,
        note: one.note,
        intent: text.intent,
        accept: accept.map(({ id, must }) => ({ id, must })),
        names: text.names,
      });
      write(folder, {
        "canary.yaml": Object.entries(file)
          .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
          .join(""),
        "change.patch": gitDiff(text.base, after),
        "report.json": `${JSON.stringify(report, null, 1)}\n`,
      });
      console.log(`${where}: ${label}, ${report.checks.length} checks, ${report.failToPass.length} fail-to-pass`);
    }
  } finally {
    await made.bench.clean();
  }
}

const wanted = process.argv.slice(2);
const rig = await openRig();
try {
  for (const file of readdirSync(join(house, "tools/canaries")).sort()) {
    const name = file.replace(/\.yaml$/, "");
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    await make(rig, name, await loadDocument(join(house, "tools/canaries", file), source as never, "canary-invalid"));
  }
} finally {
  await rig.close();
}
