/** The whole turn on real containers: from a brief to a landed commit, and every other way a delegation can end. */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import type { Entry } from "../../src/domain/event.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { library } from "./repository.ts";

let host: TestHost;
beforeAll(async () => {
  const node = { sandbox: { cpus: 1, memory: "512MiB", pids: 128, disk: "128MiB" } };
  host = await openHost({
    policies: {
      library: { version: 1, extends: "node-library", ...node, budget: { wall: "60s", attempts: 2 } },
      exit: {
        version: 1,
        extends: "quick",
        tests: { run: "node --test", report: "exit", evidence: ["test/**"] },
      },
      setup: {
        version: 1,
        extends: "quick",
        tests: {
          setup: "mkdir -p node_modules/half && echo 'export const half = 0.5;' > node_modules/half/index.mjs",
          run: "test -f node_modules/half/index.mjs && node --test",
          report: "exit",
          evidence: ["test/**"],
        },
      },
      tight: { version: 1, extends: "quick", budget: { wall: "4s", output: "64KiB" } },
    },
    refs: ["refs/heads/main", "refs/heads/fix/**"],
  });
}, 600_000);
afterAll(() => host?.close());

/** A right change, with a test that fails without it. */
const rightFix = `
sed -i s/Math.floor/Math.round/ src/money.js
cat >> test/money.test.js <<'END'
test("parts of a cent", () => assert.equal(cents(1.006), 101));
END`;
const checked = [
  {
    id: "A1",
    must: "cents() rounds to the nearest cent",
    checks: [
      { run: "node check.mjs", files: ["check.mjs"] },
      { absent: "Math\\.floor", in: "src/**" },
    ],
  },
];
const checkFile =
  'import { cents } from "/workspace/src/money.js";\nif (cents(1.006) !== 101 || cents(2) !== 200) process.exit(1);\n';
const checkFiles = { "check.mjs": Buffer.from(checkFile).toString("base64") };

const reasons = (d: Delegation) => d.attempts.flatMap((a) => a.rejection?.findings.map((f) => f.reason) ?? []);

describe("from a brief to a commit", () => {
  it("goes through every word of the command line, as JSON", async () => {
    const repository = host.repository();
    const before = repository.fingerprint();
    const file = host.brief({ policy: "library", instructions: rightFix, accept: checked, intent: "A cent is lost." });
    writeFileSync(join(dirname(file), "check.mjs"), checkFile);
    const waited = await host.cli("delegate", file, "--repo", repository.path, "--onto", "fix/cent", "--wait");
    const d = waited.json<Delegation>();
    expect(d.state, JSON.stringify([d.reason, d.attempts], null, 1)).toBe("approved");
    expect(waited.code).toBe(0);
    expect(d.attempts[0]?.report?.failToPass).toEqual(["parts of a cent"]);
    expect(d.attempts[0]?.report?.passToPass).toEqual(["whole amounts"]);
    expect(repository.fingerprint()).toBe(before);

    const list = (await host.cli("list")).json<Delegation[]>();
    expect(list.map((one) => one.id)).toContain(d.id);
    const diff = (await host.cli("diff", d.id)).json<{ patch: string }>();
    expect(diff.patch).toContain("+  return Math.round(x * 100);");
    const log = await host.cli("log", d.id);
    const types = log.stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as Entry).type);
    const wanted = ["accepted", "started", "approved"].map((word) => `delegation.${word}`);
    expect(types).toEqual(expect.arrayContaining([...wanted, "sandbox.started", "tests.reported", "verdict.received"]));

    const landed = await host.cli("land", d.id);
    const { commit, ref } = landed.json<{ commit: string; ref: string }>();
    expect(landed.code).toBe(0);
    expect(ref).toBe("refs/heads/fix/cent");
    expect(repository.git("rev-parse", "fix/cent")).toBe(commit);
    expect(repository.git("rev-parse", "fix/cent^")).toBe(repository.head);
    expect(repository.git("rev-parse", "fix/cent^{tree}")).toBe(d.approval?.predicate.tree);
    expect(repository.git("log", "-1", "--format=%B", "fix/cent")).toContain(`Sallyport-Delegation: ${d.id} attempt 1`);
    expect(repository.git("diff", "--name-only", "main", "fix/cent").split("\n")).toEqual([
      "src/money.js",
      "test/money.test.js",
    ]);
    // The checkout and every other ref are as they were.
    const without = (text: string) => text.split("\n").filter((line) => !line.startsWith("refs/heads/fix/cent"));
    expect(without(repository.fingerprint())).toEqual(without(before));

    const again = await host.cli("land", d.id);
    expect([again.code, again.error().code]).toEqual([5, "approval-missing"]);
    expect((await host.cli("show", d.id)).json<Delegation>().state).toBe("landed");
    expect((await host.cli("audit", "verify")).json()).toMatchObject({ ok: true });
    const shown = await host.cli("audit", "show", "--delegation", d.id, "--type", "delegation.landed");
    expect(JSON.parse(shown.stdout)).toMatchObject({ type: "delegation.landed", data: { commit } });
  });

  it("rejects a wrong change by its tests, and a test that was bent to fit it", async () => {
    const repository = host.repository();
    const wrong = "sed -i 's/x \\* 100/x * 10/' src/money.js";
    const d = await host.turn(
      repository,
      { policy: "library", accept: checked, instructions: wrong, budget: { attempts: 1 } },
      { checkFiles },
    );
    expect(d.state).toBe("rejected");
    expect(reasons(d)).toEqual(expect.arrayContaining(["tests-failed", "check-failed"]));
    const bent = `${wrong}\nsed -i 's/200/20/' test/money.test.js`;
    const e = await host.turn(repository, {
      policy: "library",
      accept: [{ id: "A1", must: "cents() rounds" }],
      instructions: bent,
      budget: { attempts: 1 },
    });
    expect(e.state).toBe("rejected");
    expect(e.attempts[0]?.report?.proposal?.green).toBe(true);
    expect(e.attempts[0]?.report?.proven?.green).toBe(false);
  });

  it("works on a bare repository and lands on its branch itself", async () => {
    const repository = host.repository("bare.git", library, { bare: true });
    const d = await host.turn(repository);
    expect(d.ref).toBe("refs/heads/main");
    expect((await host.cli("land", d.id)).code).toBe(0);
    expect(repository.git("show", "main:src/money.js")).toContain("Math.round");
  });

  it("judges by the exit code alone where the policy says so", async () => {
    const repository = host.repository();
    const good = await host.turn(repository, { policy: "exit" });
    expect(good.state, JSON.stringify(good.attempts)).toBe("approved");
    expect(good.attempts[0]?.report).toMatchObject({ tested: true, proposal: { green: true, tests: {} } });
    const bad = await host.turn(repository, {
      policy: "exit",
      instructions: "echo 'export const x = 1;' > src/money.js",
      budget: { attempts: 1 },
    });
    expect([bad.state, reasons(bad)[0]]).toEqual(["rejected", "tests-failed"]);
  });

  it("runs the policy's setup on the base alone; what it made is no part of the proposal", async () => {
    const instructions =
      "grep -q 0.5 node_modules/half/index.mjs || exit 9\nsed -i s/Math.floor/Math.round/ src/money.js";
    const d = await host.turn(host.repository(), { policy: "setup", instructions });
    expect(d.state, JSON.stringify(d.attempts)).toBe("approved");
    expect(d.attempts[0]?.proposal?.changes).toEqual([{ path: "src/money.js", kind: "modified" }]);
  });
});

describe("attempts", () => {
  it("gives the feedback to the second, which starts from the last proposal", async () => {
    const d = await host.turn(host.repository(), {
      intent:
        'if grep -q "^+.*Math.round" /case/diff.patch; then verdict approve; else verdict reject "use Math.round, not ceil"; fi',
      instructions: `#!attempt 1
sed -i s/Math.floor/Math.ceil/ src/money.js
#!attempt 2
grep -q "use Math.round, not ceil" /brief/brief.json && grep -q Math.ceil src/money.js && sed -i s/Math.ceil/Math.round/ src/money.js`,
    });
    expect(d.state, JSON.stringify(d.attempts)).toBe("approved");
    expect(d.attempts.map((a) => a.rejection?.by)).toEqual(["verifier", undefined]);
    expect(d.approval?.predicate.attempt).toBe(2);
    expect(d.attempts[1]?.from).toBe(d.attempts[0]?.proposal?.tree);
  });

  it("ends as rejected when they are used up, exit 1", async () => {
    const repository = host.repository();
    const instructions = "#!attempt 1\necho 1 > outside.txt\n#!attempt 2\nrm outside.txt; echo 2 > src/new.js";
    const said = await host.cli(
      "delegate",
      host.brief({ intent: "verdict reject", instructions }),
      "--repo",
      repository.path,
      "--wait",
    );
    expect([said.code, said.json<Delegation>().state]).toEqual([1, "rejected"]);
    const landed = await host.cli("land", said.json<Delegation>().id, "--onto", "fix/none");
    expect([landed.code, landed.error().code]).toEqual([5, "approval-missing"]);
  });

  it("ends at once where the verifier rejects for good, exit 1", async () => {
    const said = await host.cli(
      "delegate",
      host.brief({ intent: "verdict reject-hard" }),
      "--repo",
      host.repository().path,
      "--wait",
    );
    const d = said.json<Delegation>();
    expect([said.code, d.state, d.attempts.length]).toEqual([1, "rejected-hard", 1]);
  });

  it("ends as stuck where the same tree comes again, without another verifier", async () => {
    const d = await host.turn(host.repository(), { intent: "verdict reject", instructions: "echo 1 > src/new.js" });
    expect([d.state, d.attempts.length]).toEqual(["stuck", 2]);
    expect(reasons(d)).toContain("repeated-tree");
    expect(d.sandboxes.filter((s) => s.role === "verifier")).toHaveLength(1);
  });

  it("ends as stuck where another tree is rejected for the same", async () => {
    const instructions = "#!attempt 1\necho 1 > src/new.js\n#!attempt 2\necho 2 > src/new.js";
    const d = await host.turn(host.repository(), { intent: "verdict reject", instructions });
    expect([d.state, d.stuckBy, d.attempts.length]).toEqual(["stuck", "host", 2]);
  });

  it("ends as stuck on the executor's own word, exit 3", async () => {
    const said = await host.cli(
      "delegate",
      host.brief({ instructions: 'report stuck "no such function"\nsleep 60' }),
      "--repo",
      host.repository().path,
      "--wait",
    );
    expect([said.code, said.json<Delegation>().state, said.json<Delegation>().reason]).toEqual([
      3,
      "stuck",
      "no such function",
    ]);
  });

  it("ends over budget where the time or the output is used up, exit 4", async () => {
    const repository = host.repository();
    const slow = await host.cli(
      "delegate",
      host.brief({ policy: "tight", instructions: "sleep 60" }),
      "--repo",
      repository.path,
      "--wait",
    );
    expect([slow.code, slow.json<Delegation>().state]).toEqual([4, "over-budget"]);
    const loud = await host.turn(repository, { policy: "tight", instructions: "yes" });
    expect([loud.state, loud.reason]).toEqual(["over-budget", expect.stringContaining("output")]);
  });
});
