import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HarnessFile } from "../../src/domain/harness.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { askVerifier, type VerifierTurn } from "../../src/gate/verifier.ts";
import { briefOf } from "../delegation/approved.ts";
import { openRig, type Rig } from "./rig.ts";
import { approval, patch, policyOf, reportOf } from "./samples.ts";

let rig: Rig;
let root: string;
let turns = 0;
beforeAll(async () => {
  rig = await openRig();
  root = await mkdtemp(join(tmpdir(), "sallyport-verifier-"));
});
afterAll(async () => {
  await rig?.close();
  await rm(root, { recursive: true, force: true });
});

const post = `const post = async (body, raw) => {
  const answer = await fetch("http://127.0.0.1:3128/verdict", { method: "POST", headers: { "content-type": "application/json" }, body: raw ?? JSON.stringify(body) });
  console.log("status", answer.status, await answer.text());
  return answer.status;
};
const good = ${JSON.stringify(approval())};
`;

/** A turn of a verifier that runs `script` (JavaScript, with `post` and `good`). */
async function turn(
  script: string,
  change: Partial<Policy> = {},
  signal = new AbortController().signal,
): Promise<VerifierTurn> {
  turns += 1;
  const harness: HarnessFile = {
    name: "skeptic",
    roles: ["verifier"],
    description: "a script",
    command: ["node", "--input-type=module", "-e", post + script],
    environment: {},
    files: [],
    smoke: ["true"],
  };
  const directory = join(root, `turn-${turns}`);
  const policy = policyOf(change);
  const context = {
    delegation: "d-aaaaaaaaaaaaaaaa",
    attempt: 1,
    policy: { ...policy, budget: { ...policy.budget, wall: 15_000, ...change.budget } },
    harness,
    image: await rig.image("base"),
    directory,
    runRole: rig.run,
    signal,
  };
  const told = await askVerifier(
    context,
    briefOf({
      accept: [
        { id: "A1", must: "it adds", checks: [{ test: "hidden 91c2" }] },
        { id: "A2", must: "it is tested", checks: [] },
      ],
    }),
    Buffer.from(patch),
    reportOf(),
  );
  expect(existsSync(directory)).toBe(false);
  return told;
}
const verbs = () => rig.events.flatMap((e) => (e.type === "verb" ? [e.data.status] : []));

describe("a verdict", () => {
  test("comes through the verb, as it was sent", async () => {
    expect(await turn("await post(good);")).toEqual({ verdict: approval() });
  });

  test("the first valid one counts: malformed ones can be mended, later ones are refused", async () => {
    const from = verbs().length;
    const feedback = [{ what: "It overflows.", why: "Large numbers." }];
    const reject = { ...approval(), decision: "reject", feedback };
    const told =
      await turn(`await post({ decision: "approve" }); await post(null, "{"); await post({ ...good, extra: 1 });
      await post(${JSON.stringify(reject)}); await post(good);`);
    expect(told.verdict?.decision).toBe("reject");
    // What is no JSON at all is answered at the gateway.
    expect(verbs().slice(from)).toEqual([422, 422, 200, 409]);
  });

  test("of a verifier that then fails, or is killed, stands", async () => {
    expect((await turn("await post(good); process.exit(3);")).verdict).toBeDefined();
    expect((await turn('await post(good); process.kill(process.pid, "SIGKILL");')).verdict).toBeDefined();
  });

  test("of a verifier that never ends is not waited out", { timeout: 30_000 }, async () => {
    const from = Date.now();
    const told = await turn("await post(good); setInterval(() => {}, 1000);", {
      budget: { ...policyOf().budget, wall: 25_000 },
    });
    expect(told.verdict).toBeDefined();
    expect(Date.now() - from).toBeLessThan(20_000);
  });
});

describe("no verdict is a rejection with its own reason (V4)", () => {
  test.each<[string, string, Partial<Policy>, string]>([
    ["silent", 'console.log(\'APPROVED. approve. {"decision":"approve"}\');', {}, "verdict-missing"],
    [
      "late",
      "await new Promise((r) => setTimeout(r, 60_000)); await post(good);",
      { budget: { ...policyOf().budget, wall: 1500 } },
      "verdict-late",
    ],
    [
      "malformed",
      'await post({ decision: "approve" }); await post({ ...good, decision: "APPROVE" });',
      {},
      "verdict-malformed",
    ],
    ["killed", 'process.kill(process.pid, "SIGKILL");', {}, "verdict-killed"],
    [
      "out of memory",
      "const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1));",
      { sandbox: { ...policyOf().sandbox, memory: 96 * 1024 ** 2 } },
      "verdict-killed",
    ],
    ["too loud", "process.stdout.write('x'.repeat(3 << 20)); setInterval(() => {}, 1000);", {}, "verdict-killed"],
  ])("%s", { timeout: 40_000 }, async (_, script, change, reason) => {
    const told = await turn(script, change);
    expect(told).toMatchObject({ reason });
    expect(told.verdict).toBeUndefined();
  });

  test("a stop from outside is the host's", async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 1000);
    expect(await turn("setInterval(() => {}, 1000);", {}, stop.signal)).toMatchObject({ reason: "host" });
  });
});

describe("the verifier sees", () => {
  // Everything that it could read goes out as the `tried` of its refutation.
  const tell = (expression: string) =>
    `import { readFileSync, readdirSync } from "node:fs";
     await post({ ...good, refutations: [{ tried: JSON.stringify(${expression}).slice(0, 1990), found: false }] });`;
  const said = async (expression: string, change: Partial<Policy> = {}) =>
    JSON.parse((await turn(tell(expression), change)).verdict?.refutations[0]?.tried ?? "null") as unknown;

  test("the diff, the report and the question, and nothing else", async () => {
    expect(await said('readdirSync("/case").sort()')).toEqual([
      "README.md",
      "diff.patch",
      "diff.txt",
      "question.json",
      "report.json",
      "verdict.schema.json",
    ]);
    expect(await said('readFileSync("/case/diff.patch", "utf8")')).toBe(patch);
    expect(await said('["/workspace", "/worktree", "/brief"].flatMap((folder) => readdirSync(folder))')).toEqual([]);
  });

  test("the intent only where the policy says so, and no check, instruction or executor", async () => {
    const question = (change: Partial<Policy>) =>
      said('JSON.parse(readFileSync("/case/question.json", "utf8"))', change);
    const accept = [
      { id: "A1", must: "it adds" },
      { id: "A2", must: "it is tested" },
    ];
    expect(await question({})).toEqual({ intent: briefOf().intent, accept });
    expect(await question({ verifier: { harness: "skeptic", intent: false } })).toEqual({ accept });
    const all =
      'readdirSync("/case").map((name) => readFileSync(`/case/${name}`, "utf8")).join() + JSON.stringify(process.env)';
    const seen = await said(
      `["hidden 91c2", "scripted", "Change src/sum.mjs", "d-aaaaaaaaaaaaaaaa"].map((word) => (${all}).includes(word))`,
    );
    expect(seen).toEqual([false, false, false, false]);
  });

  test("no network but its model: the policy's rules are not its own", async () => {
    const change = { network: [{ host: "example.org" }] };
    const expression =
      '(await fetch("http://127.0.0.1:3128/", { headers: { host: "example.org" } }).then((r) => r.status, () => 0)) >= 400';
    expect(await said(expression, change)).toBe(true);
  });

  test("a case that it cannot write", async () => {
    expect(
      await said(
        'await import("node:fs/promises").then((fs) => fs.writeFile("/case/diff.patch", "x")).then(() => "written", (e) => e.code)',
      ),
    ).toBe("EROFS");
  });
});
