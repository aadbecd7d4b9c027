/** `plan check` as a child process: lines and columns, with and without a repository, exit codes. No daemon is there. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeRepository } from "../e2e/repository.ts";
import { run } from "./run.ts";

let state: string;
beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), "sallyport-plan-cli-"));
  // The repository in it belongs to somebody else.
  await chmod(state, 0o755);
});
afterAll(() => rm(state, { recursive: true, force: true }));

const brief = (id: string, lines: readonly string[]) => [
  `  - id: ${id}`,
  `    title: Work of ${id}`,
  "    intent: why",
  "    instructions: how",
  '    accept: [{ id: A1, must: "exit code 0" }]',
  "    executor: scripted",
  "    policy: node-library",
  ...lines.map((line) => `    ${line}`),
];
const planText = (briefs: Record<string, string[]>, more: string[] = []) =>
  [
    "title: All of it",
    "intent: why",
    "briefs:",
    ...Object.entries(briefs).flatMap(([id, lines]) => brief(id, lines)),
    ...more,
    "",
  ].join("\n");

let written = 0;
async function check(text: string, ...more: string[]) {
  written += 1;
  const file = join(state, `plan-${written}.yaml`);
  await writeFile(file, text);
  return { file, ...(await run(["plan", "check", file, "--state", state, ...more])) };
}

const one = 'writable: ["src/one.js"]';
const two = 'writable: ["src/two.js"]';

describe("plan check", () => {
  it("passes a sound plan, and says what a repository would add", async () => {
    const { code, stdout } = await check(planText({ B1: [one], B2: [two] }));
    expect([code, stdout]).toEqual([0, expect.stringContaining("2 briefs, 0 errors, 0 warnings; with --repo")]);
  });

  it("names schema errors by line and column, with the key that was meant", async () => {
    const { code, stderr, file } = await check(planText({ B1: [one], B2: ["writeable: []"] }));
    expect(code).toBe(2);
    expect(stderr).toContain(`${file}:19:5`);
    expect(stderr).toContain("did you mean `writable`");
    expect(stderr).toContain("code: plan-invalid");
  });

  it("names the lint's errors by line and column, also as JSON", async () => {
    const text = planText({ B1: [one, "after: [B2]"], B2: [two, "after: [B1]"] });
    const { code, stdout, file } = await check(text);
    expect(code).toBe(2);
    expect(stdout).toContain(`error: ${file}:12:5 B1, B2 wait for each other`);
    const json = JSON.parse((await check(text, "--json")).stdout) as { findings: { rule: string; at: string }[] };
    expect(json.findings.map(({ rule, at }) => [rule, at.split(":").slice(-2).join(":")])).toEqual([["cycle", "12:5"]]);
  });

  it("says where a brief asks for more than its policy allows", async () => {
    const { code, stderr, file } = await check(planText({ B1: [one], B2: ['writable: ["secret/**"]'] }));
    expect(code).toBe(5);
    expect(stderr).toContain(`${file}:12:5`);
    expect(stderr).toContain("B2: ");
  });

  it("looks at a repository's imports and history; warnings refuse only where they are to", async () => {
    const repository = makeRepository(join(state, "repo"), {
      "src/one.js": 'import { two } from "./two.js";\nexport const one = () => two() - 1;\n',
      "src/two.js": "export const two = () => 2;\n",
    });
    const text = planText({ B1: [one], B2: [two] });
    const found = await check(text, "--repo", repository.path);
    expect(found.code, found.stderr).toBe(0);
    expect(found.stdout).toContain("src/one.js imports src/two.js");
    expect(found.stdout).toContain("2 briefs for 1 separable part");
    expect((await check(text, "--repo", repository.path, "--strict")).code).toBe(2);
    const ordered = await check(
      planText({ B1: [one], B2: ['writable: ["src/**"]', "after: [B1]"] }),
      "--repo",
      repository.path,
    );
    expect(ordered.code).toBe(0);
    const overlap = await check(planText({ B1: [one], B2: ['writable: ["src/**"]'] }), "--repo", repository.path);
    expect([overlap.code, overlap.stdout]).toEqual([2, expect.stringContaining("may both write src/one.js")]);
  });
});
