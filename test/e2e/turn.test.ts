/** The whole turn on real containers: from a brief to a landed commit, and every other way a delegation can end. */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import type { Entry } from "../../src/domain/event.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { until } from "./leftovers.ts";
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
    const instructions = "#!attempt 1\necho 1 > src/new.js\n#!attempt 2\necho 2 > src/new.js";
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

describe("what a planner can say", () => {
  it("discards an approval, after which nothing lands", async () => {
    const repository = host.repository();
    const d = await host.turn(repository);
    expect((await host.cli("discard", d.id)).code).toBe(0);
    const landed = await host.cli("land", d.id, "--onto", "fix/none");
    expect([landed.code, landed.error().code]).toEqual([5, "approval-missing"]);
    expect((await host.cli("show", d.id)).code).toBe(1);
    expect(repository.git("for-each-ref", "--format=%(refname)")).toBe("refs/heads/main");
  });

  it("stops one that runs, and one that waits", async () => {
    const repository = host.repository();
    const sleeping = { instructions: "sleep 50" };
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push(await host.send(repository, sleeping));
    const [first = "", second = "", third = ""] = ids;
    await host.seen(second, "sandbox.started");
    expect((await host.show(third)).state).toBe("accepted");
    expect((await host.cli("stop", third)).json()).toMatchObject({ state: "discarded" });
    const begun = performance.now();
    for (const id of [first, second]) expect((await host.cli("stop", id)).json()).toMatchObject({ state: "discarded" });
    expect(performance.now() - begun).toBeLessThan(15_000);
    const ended = host.entries(first).find((e) => e.type === "sandbox.ended");
    expect(ended?.data).toMatchObject({ end: "stopped" });
    const again = await host.cli("stop", first);
    expect([again.code, again.error().code]).toEqual([5, "state-refused"]);
  });

  it("waits for a change, and not longer than it said", async () => {
    const id = await host.send(host.repository(), { instructions: "sleep 4; sed -i s/floor/round/ src/money.js" });
    await host.seen(id, "sandbox.started");
    const { updated } = await host.show(id);
    const begun = performance.now();
    const early = JSON.parse((await host.api("GET", `/v1/delegations/${id}/wait?seconds=1`)).body) as Delegation;
    expect([early.state, performance.now() - begun > 900]).toEqual(["executing", true]);
    const since = `since=${encodeURIComponent(updated)}`;
    const changed = JSON.parse(
      (await host.api("GET", `/v1/delegations/${id}/wait?seconds=30&${since}`)).body,
    ) as Delegation;
    expect(changed.updated).not.toBe(updated);
    expect((await host.rest(id)).state).toBe("approved");
  });

  it("runs two at once, each in its own lane", async () => {
    const repository = host.repository();
    const script = "sleep 3; sed -i s/floor/round/ src/money.js";
    const ids = await Promise.all([1, 2].map(() => host.send(repository, { instructions: script })));
    const records = await Promise.all(ids.map((id) => host.rest(id)));
    expect(records.map((d) => d.state)).toEqual(["approved", "approved"]);
    const lanes = ids.map((id) => host.entries(id).find((e) => e.type === "delegation.started")?.data);
    expect(new Set(lanes.map((data) => (data as { lane: number }).lane)).size).toBe(2);
    const spans = records
      .map((d) => d.sandboxes[0])
      .map((s) => ({ from: Date.parse(s?.started ?? ""), ms: s?.milliseconds ?? 0 }));
    expect(Math.max(...spans.map((s) => s.from))).toBeLessThan(Math.min(...spans.map((s) => s.from + s.ms)));
  });

  it("lands onto another branch with a new approval that names the old", async () => {
    const repository = host.repository();
    const d = await host.turn(repository);
    const landed = await host.cli("land", d.id, "--onto", "fix/other");
    expect(landed.code).toBe(0);
    const approvals = host.entries(d.id).filter((e) => e.type === "delegation.approved");
    const [old, carried] = approvals.map((e) => e.data as NonNullable<Delegation["approval"]>);
    expect(approvals).toHaveLength(2);
    expect(carried?.predicate).toMatchObject({
      ref: "refs/heads/fix/other",
      replaces: old?.digest,
      tree: old?.predicate.tree,
    });
    expect(repository.git("rev-parse", "fix/other^{tree}")).toBe(old?.predicate.tree);
  });

  it("is refused a target that moved, is checked out, or is not the planner's; then lands where it may", async () => {
    const repository = host.repository();
    repository.git("branch", "fix/moved");
    const d = await host.turn(repository, {}, { onto: "fix/moved" });
    repository.git(
      "update-ref",
      "refs/heads/fix/moved",
      repository.git("commit-tree", "-p", "main", "-m", "x", "main^{tree}"),
    );
    const moved = repository.git("rev-parse", "fix/moved");
    for (const [onto, code] of [
      ["fix/moved", "target-moved"],
      ["main", "target-checked-out"],
      ["release", "ref-refused"],
    ] as const) {
      const said = await host.cli("land", d.id, "--onto", onto);
      expect([onto, said.code, said.error().code]).toEqual([onto, 5, code]);
      expect(said.error().next).not.toBe("");
    }
    const odd = await host.cli("land", d.id, "--onto", "a..b");
    expect([odd.code, odd.error().code]).toEqual([2, "ref-invalid"]);
    expect(repository.git("rev-parse", "fix/moved", "main")).toBe(`${moved}\n${repository.head}`);
    expect((await host.cli("land", d.id, "--onto", "fix/free")).code).toBe(0);
  });
});

describe("a brief that narrows", () => {
  it("takes away what may be written, seen and spent", async () => {
    const repository = host.repository();
    const only = { writable: ["src/money.js"], visible: ["src/**"], network: [], budget: { attempts: 1, wall: "30s" } };
    const instructions = "test ! -e README.md && test ! -e test && sed -i s/floor/round/ src/money.js";
    const d = await host.turn(repository, { ...only, instructions });
    expect(d.state, JSON.stringify(d.attempts)).toBe("approved");
    expect(d.policy).toMatchObject({
      filesystem: { writable: ["src/money.js"], visible: ["src/**"] },
      budget: { attempts: 1, wall: 30_000 },
    });
    const elsewhere = await host.turn(repository, { ...only, instructions: "echo 1 > src/other.js" });
    expect([elsewhere.state, ...reasons(elsewhere)]).toEqual(["rejected", "not-writable"]);
  });

  it("may add nothing, exit 5", async () => {
    const { path } = host.repository();
    for (const wider of [
      { writable: ["**"] },
      { network: [{ host: "example.org" }] },
      { budget: { attempts: 9 } },
      { models: ["openai"] },
    ]) {
      const said = await host.cli("delegate", host.brief(wider), "--repo", path);
      expect([JSON.stringify(wider), said.code, said.error().code]).toEqual([
        JSON.stringify(wider),
        5,
        "policy-widened",
      ]);
    }
  });
});

describe("exit codes", () => {
  it("2 is what the caller wrote, 6 is the host's fault", async () => {
    for (const args of [["delegate"], ["nonsense"], ["show", "d-1"], ["list", "--nonsense"]]) {
      expect([args, (await host.cli(...args)).code]).toEqual([args, 2]);
    }
    const dead = await host.cli("list", "--socket", `${host.directory}/none.sock`);
    expect([dead.code, dead.error().code]).toEqual([6, "host-unreachable"]);
    expect(dead.error().next).toContain("sallyport daemon");
  });

  it("a second daemon on the same state is refused, and the first goes on", async () => {
    const second = await host.cli("daemon");
    expect(second.code).toBe(6);
    expect(second.error().code).toBe("host-busy");
    expect((await host.cli("list")).code).toBe(0);
    await until("the first answers", async () => (await host.api("GET", "/v1/status")).status === 200);
  });
});
