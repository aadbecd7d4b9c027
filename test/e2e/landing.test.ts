/** Landing on real containers: a target that moved is tested again, verified again where its paths changed, one at a time. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import type { Entry } from "../../src/domain/event.ts";
import { run } from "./cli.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { leftovers, until } from "./leftovers.ts";
import { part, parts, planOf, planTurn } from "./plan-turn.ts";
import { library, owner, type TestRepository } from "./repository.ts";

let host: TestHost;
const tested = {
  version: 1,
  extends: "quick",
  tests: { run: "node --test", report: "exit", evidence: ["test/**"] },
};
beforeAll(async () => {
  host = await openHost({
    policies: {
      tested,
      slow: { ...tested, tests: { ...tested.tests, run: "sleep 2; node --test" } },
      short: { version: 1, extends: "quick", landing: { expires: "20s" } },
    },
  });
}, 600_000);
afterAll(() => host?.close());

const money = `export function cents(x) {
  return Math.floor(x * 100);
}
// one
// two
// three
// four
`;
const files = { ...library, "src/money.js": money };

/** A commit of the owner's on a branch that nobody has checked out. */
function move(repository: TestRepository, ref: string, changes: Record<string, string>): string {
  const put = Object.entries(changes).map(
    ([path, content]) => `M 100644 inline ${path}\ndata ${Buffer.byteLength(content)}\n${content}\n`,
  );
  const head = `commit ${ref}\ncommitter Ada <ada@example.org> 1700000001 +0000\ndata 6\ntheirs\nfrom ${ref}^0\n`;
  execFileSync("git", ["-c", "safe.directory=*", "fast-import", "--quiet"], {
    cwd: repository.path,
    input: head + put.join(""),
    ...owner,
    timeout: 30_000,
  });
  return repository.git("rev-parse", ref);
}

const fixed = "refs/heads/fixed";
/** A repository whose `fixed` is where a fix lands, and one that is approved for it. */
async function approvedFix(fields: Record<string, unknown> = {}): Promise<{ repository: TestRepository; id: string }> {
  const repository = host.repository(undefined, files);
  repository.git("branch", "fixed");
  const d = await host.turn(repository, { policy: "tested", ...fields }, { onto: "fixed" });
  expect(d.state, JSON.stringify([d.reason, d.attempts])).toBe("approved");
  return { repository, id: d.id };
}
const typesOf = (id: string) => host.entries(id).map((entry) => entry.type);
const roles = (d: Delegation) => d.sandboxes.map((sandbox) => sandbox.role);
const landing = (id: string, onto?: string) => host.cli("land", id, ...(onto ? ["--onto", onto] : []));
/** That the proof pack of what landed holds, with nothing but the repository. */
async function proves(id: string, repository: TestRepository): Promise<void> {
  const file = join(host.directory, `${id}.json`);
  expect((await host.cli("audit", "export", id, "--out", file)).code).toBe(0);
  const said = await host.cli("audit", "verify", file, "--repo", repository.path);
  const { claims } = said.json<{ claims: { outcome: string; claim: string }[] }>();
  expect([said.code, claims.filter(({ outcome }) => outcome === "failed")]).toEqual([0, []]);
  expect(claims.filter(({ outcome, claim }) => outcome === "proved" && / tree$/.test(claim)).length).toBeGreaterThan(2);
}
/** Approves at first; of a diff that shows what the others wrote, it says what `then` does. */
const askedAgain = (then: string) => `if grep -q theirs /case/diff.patch; then ${then}; else verdict approve; fi`;
const theirLine = { "src/money.js": money.replace("// two", "// two, theirs") };

// Each takes several turns on real containers.
const patient = { timeout: 240_000 };

describe("a target that moved", patient, () => {
  it("elsewhere: tested again on its new tip, the verdict carried; it says so", async () => {
    const { repository, id } = await approvedFix();
    const tip = move(repository, fixed, { "README.md": "theirs\n" });
    const before = roles(await host.show(id));
    const said = await landing(id);
    expect(said.code, said.stdout).toBe(0);
    const answer = said.json<{ commit: string; approval: string; merged: object }>();
    expect(answer.merged).toMatchObject({ onto: tip, verdict: "carried" });
    expect(repository.git("rev-parse", "fixed", "fixed^")).toBe(`${answer.commit}\n${tip}`);
    expect(repository.git("show", "fixed:src/money.js", "fixed:README.md")).toMatch(/Math.round[\s\S]*theirs/);
    const d = await host.show(id);
    expect(roles(d).slice(before.length)).toEqual(["tester", "tester"]);
    expect(d.prepared?.report?.base?.tree).toBe(repository.git("rev-parse", `${tip}^{tree}`));
    expect(d.prepared?.report?.proposal?.tree).toBe(repository.git("rev-parse", "fixed^{tree}"));
    const order = typesOf(id).filter((type) => /^landing|approved|landed/.test(type));
    expect(order).toEqual([
      "delegation.approved",
      "landing.asked",
      "landing.merged",
      "landing.tested",
      "delegation.approved",
      "landing.intended",
      "delegation.landed",
    ]);
    await proves(id, repository);
  });

  it("with a test that the merge breaks: refused, and not tried a second time", async () => {
    const { repository, id } = await approvedFix();
    const counts =
      'import test from "node:test";\nimport assert from "node:assert/strict";\nimport { cents } from "../src/money.js";\n\ntest("down", () => assert.equal(cents(1.006), 100));\n';
    const tip = move(repository, fixed, { "test/down.test.js": counts });
    const said = await landing(id);
    expect([said.code, said.error().code]).toEqual([5, "landing-rejected"]);
    expect(said.error().message).toContain("tests-failed");
    const sandboxes = (await host.show(id)).sandboxes.length;
    const again = await landing(id);
    expect([again.error().code, again.error().message]).toEqual([
      "landing-rejected",
      expect.stringContaining("before"),
    ]);
    const d = await host.show(id);
    expect([d.sandboxes.length, d.state, repository.git("rev-parse", "fixed")]).toEqual([sandboxes, "approved", tip]);
    // The benign twin: where that test is not, it lands.
    expect((await landing(id, "free")).code).toBe(0);
  });

  it("in a path of the proposal: verified anew, about the new diff, and signed on that alone", async () => {
    const intent = askedAgain("grep -q 'tested.: true' /case/report.json && verdict approve");
    const { repository, id } = await approvedFix({ intent });
    const tip = move(repository, fixed, theirLine);
    const said = await landing(id);
    expect(said.code, said.stdout).toBe(0);
    expect(said.json().merged).toMatchObject({ onto: tip, verdict: "anew" });
    const d = await host.show(id);
    expect(roles(d).filter((role) => role === "verifier")).toHaveLength(2);
    const [first, second] = d.approvals ?? [];
    expect(second?.verdict).toBe(d.prepared?.verdictDigest);
    expect(Date.parse(second?.expires ?? "")).toBeGreaterThan(Date.parse(first?.expires ?? ""));
    expect(repository.git("show", "fixed:src/money.js")).toMatch(/Math.round[\s\S]*theirs/);
    await proves(id, repository);
  });

  it("and the verifier rejects the merge: refused; nobody asks until it slips", async () => {
    const { repository, id } = await approvedFix({ intent: askedAgain('verdict reject "they clash"') });
    const tip = move(repository, fixed, theirLine);
    const said = await landing(id);
    expect([said.code, said.error().code]).toEqual([5, "landing-rejected"]);
    expect(said.error().message).toContain("they clash");
    expect((await landing(id)).error().code).toBe("landing-rejected");
    const d = await host.show(id);
    expect(roles(d).filter((role) => role === "verifier")).toHaveLength(2);
    expect([d.approvals?.length, repository.git("rev-parse", "fixed")]).toEqual([1, tip]);
  });

  it("holds for a plan's whole", async () => {
    const repository = host.repository(undefined, parts);
    repository.git("branch", "whole");
    const change = (name: string) => ({
      instructions: `echo '//done' >> src/${name}.js`,
      writable: [`src/${name}.js`],
    });
    const plan = planOf([part("B1", change("one")), part("B2", change("two"))]);
    const view = await planTurn(host, repository, plan);
    expect(view.state, JSON.stringify(view)).toBe("approved");
    const tip = move(repository, "refs/heads/whole", { "src/three.js": "export const three = () => 3; // theirs\n" });
    const said = await landing(view.id);
    expect(said.code, said.stdout).toBe(0);
    expect(repository.git("rev-parse", "whole^")).toBe(tip);
    expect(repository.git("show", "whole:src/one.js", "whole:src/two.js", "whole:src/three.js")).toMatch(
      /done[\s\S]*done[\s\S]*theirs/,
    );
  });
});

describe("landings that wait", patient, () => {
  it("for one target are taken in the order in which they were asked; another target is not held up", async () => {
    const repository = host.repository(undefined, parts);
    repository.git("branch", "fixed");
    const names = ["one", "two", "three"];
    const all = await Promise.all(
      names.map((name) =>
        host.turn(
          repository,
          { policy: "slow", instructions: `echo '//${name}' >> src/${name}.js` },
          { onto: "fixed" },
        ),
      ),
    );
    const other = await host.turn(repository, { instructions: "echo '//other' >> src/one.js" }, { onto: "other" });
    const land = (d?: Delegation) => host.api("POST", `/v1/delegations/${d?.id}/land`, {});
    const answers: Promise<{ status: number; body: string }>[] = [];
    for (const d of all) {
      answers.push(land(d));
      await host.seen(d.id, "landing.asked");
    }
    const beside = await land(other);
    expect([beside.status, host.entries(all[2]?.id).some((entry) => entry.type === "delegation.landed")]).toEqual([
      200,
      false,
    ]);
    // The same again while it waits is the same landing; on another branch it is refused.
    answers.push(land(all[2]));
    const elsewhere = await host.api("POST", `/v1/delegations/${all[2]?.id}/land`, { onto: "third" });
    expect([elsewhere.status, elsewhere.body]).toEqual([403, expect.stringContaining("state-refused")]);
    for (const answer of await Promise.all(answers)) expect(answer.status, answer.body).toBe(200);
    expect(repository.git("rev-list", "--count", "main..fixed")).toBe("3");
    const trailers = repository.git(
      "log",
      "--reverse",
      "--format=%(trailers:key=Sallyport-Delegation,valueonly)",
      "main..fixed",
    );
    expect(trailers.split(/\s*\n\s*/).map((line) => line.split(" ")[0])).toEqual(all.map(({ id }) => id));
    const asked = all.map(({ id }) =>
      host.entries(id).flatMap((e) => (e.type === "landing.asked" ? [e.data.after] : [])),
    );
    const [first, second] = all.map(({ id }) => id);
    expect(asked).toEqual([[[]], [[first]], [[first, second]]]);
  });

  it("one that is discarded or stopped goes, and those behind it go on", async () => {
    const repository = host.repository(undefined, parts);
    repository.git("branch", "fixed");
    const [a, b, c] = (await Promise.all(
      ["one", "two", "three"].map((name) =>
        host.turn(
          repository,
          { policy: "slow", instructions: `echo '//${name}' >> src/${name}.js` },
          { onto: "fixed" },
        ),
      ),
    )) as [Delegation, Delegation, Delegation];
    move(repository, fixed, { "src/four.js": "theirs\n" });
    const answers = [];
    for (const d of [a, b, c]) {
      answers.push(host.api("POST", `/v1/delegations/${d.id}/land`, {}));
      await host.seen(d.id, "landing.asked");
    }
    await host.seen(a.id, "landing.merged");
    expect((await host.cli("discard", b.id)).code).toBe(0);
    const stopped = await host.cli("stop", a.id);
    expect([stopped.code, stopped.json().state]).toEqual([0, "approved"]);
    const [first, second, third] = await Promise.all(answers);
    expect([first?.status, second?.status, third?.status]).toEqual([403, 403, 200]);
    expect(repository.git("rev-list", "--count", "main..fixed")).toBe("2");
    const shown = await host.show(a.id);
    expect([shown.state, shown.asked, (await host.show(b.id)).state]).toEqual(["approved", undefined, "discarded"]);
    expect((await landing(a.id)).code).toBe(0);
  });
});

describe("an approval that is over", patient, () => {
  it("does not land; a new verifier's turn makes a new one that does", async () => {
    const { repository, id } = await approvedFix({ policy: "short" });
    const d = await host.show(id);
    const end = Date.parse(d.approval?.predicate.expires ?? "");
    expect(end - Date.parse(d.approval?.predicate.issued ?? "")).toBe(20_000);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, end - Date.now()) + 50));
    const late = await landing(id);
    expect([late.code, late.error().code]).toEqual([5, "approval-expired"]);
    expect(late.error().next).toContain(`sallyport verify ${id}`);
    const verified = await host.cli("verify", id);
    expect(verified.code, verified.stdout).toBe(0);
    const landed = await landing(id);
    expect(landed.code, landed.stdout).toBe(0);
    expect(repository.git("rev-parse", "fixed^")).toBe(repository.head);
    const shown = await host.show(id);
    expect(shown.approvals?.map((step) => step.replaces)).toEqual([undefined, shown.approvals?.[0]?.digest]);
    expect(roles(shown).filter((role) => role === "verifier")).toHaveLength(2);
  });
});

describe("SIGKILL of the daemon while it lands on a target that moved", patient, () => {
  const boundaries: Entry["type"][] = ["landing.asked", "landing.merged", "landing.tested", "landing.verified"];
  for (const type of boundaries) {
    it(`at ${type}: it goes on by itself, and lands once`, async () => {
      const { repository, id } = await approvedFix({ intent: askedAgain("verdict approve") });
      const tip = move(repository, fixed, theirLine);
      const answer = host.api("POST", `/v1/delegations/${id}/land`, {}).catch(() => undefined);
      await host.seen(id, type);
      await host.kill();
      await answer;
      await until("everything of the killed daemon gone", () => leftovers(host.directory).length === 0, 12);
      await host.up();
      const landed = await until("landed", async () => (await host.show(id)).landed, 90);
      expect(repository.git("rev-parse", "fixed", "fixed^")).toBe(`${landed.commit}\n${tip}`);
      const types = typesOf(id);
      for (const once of ["landing.asked", "landing.merged", "landing.tested", "landing.verified", "delegation.landed"])
        expect([once, types.filter((one) => one === once).length]).toEqual([once, 1]);
    });
  }

  it("SIGTERM in the midst of the tests: it waits for the next start, and lands then", async () => {
    const { repository, id } = await approvedFix({ policy: "slow" });
    move(repository, fixed, { "README.md": "theirs\n" });
    const answer = host.api("POST", `/v1/delegations/${id}/land`, {}).catch(() => undefined);
    await host.seen(id, "landing.merged");
    expect(await host.stop()).toBe(0);
    await answer;
    expect(leftovers(host.directory)).toEqual([]);
    expect(typesOf(id)).not.toContain("landing.refused");
    await host.up();
    await until("landed", async () => (await host.show(id)).landed, 90);
    expect(repository.git("rev-list", "--count", "main..fixed")).toBe("2");
  });
});

it("tells a person what happens, and shows the chain of approvals", patient, async () => {
  const { repository, id } = await approvedFix();
  move(repository, fixed, { "README.md": "theirs\n" });
  const said = await run(["land", id], { env: { SALLYPORT_STATE: host.state }, seconds: 120 });
  expect(said.code, said.stderr).toBe(0);
  expect(said.stdout).toMatch(
    /asked to land[\s\S]*merged for refs\/heads\/fixed[\s\S]*none of its paths changed[\s\S]*tests green[\s\S]*APPROVED[\s\S]*in place of[\s\S]*LANDED[\s\S]*landed [0-9a-f]{40}/,
  );
  const shown = await run(["show", id], { env: { SALLYPORT_STATE: host.state } });
  expect(shown.stdout).toMatch(/approval +[0-9a-f]{64} for refs\/heads\/fixed[\s\S]*in place of +[0-9a-f]{12}/);
});
