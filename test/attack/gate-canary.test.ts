/** Canaries and the closed gate (ATTACKS V7), on real containers: each refusal with its benign twin. */
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import type { Entry } from "../../src/domain/event.ts";
import type { VerifierRates } from "../../src/gate/calibration/rates.ts";
import { openHost, type TestHost } from "../e2e/daemon.ts";
import { until } from "../e2e/leftovers.ts";

interface Status {
  open: boolean;
  closed?: { by: string; reason: string; canary?: string };
  verifiers: VerifierRates[];
  held: string[];
  waiting: number;
}
type Judged = Extract<Entry, { type: "canary.judged" }>;

let host: TestHost;
const sandbox = { cpus: 1, memory: "512MiB", pids: 128, disk: "128MiB" };
beforeAll(async () => {
  host = await openHost({
    lanes: 1,
    harnesses: join(import.meta.dirname, "images"),
    policies: {
      stamped: { version: 1, extends: "quick", verifier: { harness: "rubber-stamp" } },
      spied: { version: 1, extends: "quick", budget: { attempts: 1 }, verifier: { harness: "spy" } },
      ruled: { version: 1, extends: "base", sandbox, filesystem: { writable: ["src/**"] } },
    },
  });
}, 900_000);
afterAll(() => host?.close());
// Whatever a test before left behind.
beforeEach(async () => {
  if (!(await status()).open) await open();
});

const status = async () => (await host.cli("gate", "status")).json<Status>();
const judged = () => host.entries().filter((entry): entry is Judged => entry.type === "canary.judged");
const open = () => host.cli("gate", "open", "--reason", "the test goes on");

describe("the live verifier on known changes", () => {
  it("a verifier by rules is right about the shipped ones, and the gate stays open", async () => {
    const said = await host.cli("gate", "calibrate", "--policy", "ruled", "--count", "12");
    expect(said.code, said.stdout + said.stderr).toBe(0);
    const { verifiers, open: isOpen } = await status();
    const rates = verifiers.find(({ harness }) => harness === "skeptic-rules");
    expect(isOpen).toBe(true);
    expect(rates?.canaries).toBe(12);
    expect([rates?.falseApproval.count, rates?.falseRejection.count]).toEqual([0, 0]);
    expect(rates?.falseApproval.high).toBeLessThan(0.5);
    console.log(`skeptic-rules: ${JSON.stringify(rates)}`);
  }, 200_000);

  it("one that approves everything closes the gate with the first bad change it is shown", async () => {
    const said = await host.cli("gate", "calibrate", "--harness", "rubber-stamp", "--policy", "quick", "--count", "12");
    expect(said.code, said.stdout + said.stderr).toBe(1);
    const stamped = judged().filter(({ data }) => data.harness === "rubber-stamp");
    expect(stamped.every(({ data }) => data.approved)).toBe(true);
    const { open: isOpen, closed } = await status();
    expect(isOpen).toBe(false);
    expect(closed).toMatchObject({
      by: "calibration",
      canary: stamped.find(({ data }) => data.label === "bad")?.delegation,
    });
    const lines = host.entries().filter(({ type }) => type === "gate.closed");
    expect(lines).toHaveLength(1);
    // No approval was made of any of it.
    expect(host.entries().filter(({ type }) => type === "delegation.approved")).toEqual([]);
    expect((await host.cli("gate", "status")).code).toBe(5);
    expect((await open()).code).toBe(0);
    expect((await status()).open).toBe(true);
    expect((await open()).error().code).toBe("state-refused");
  }, 200_000);
});

describe("while the gate is closed", () => {
  const close = () => host.cli("gate", "close", "--reason", "to see what waits");
  const waits = (id: string) => until(`${id} held`, async () => ((await host.show(id)).held ? true : undefined), 120);

  it("nothing lands, and what was approved lands once it is open again", async () => {
    const repository = host.repository();
    const approved = await host.turn(repository);
    expect(approved.state).toBe("approved");
    const before = repository.fingerprint();
    expect((await close()).code).toBe(0);
    const refused = await host.cli("land", approved.id, "--onto", "fix");
    expect([refused.code, refused.error().code]).toEqual([5, "gate-closed"]);
    expect(refused.error().next).toContain("gate open");
    expect(repository.fingerprint()).toBe(before);
    const told = (await host.cli("doctor")).json<{ control: string; state: string; fix: string }[]>();
    expect(told.find(({ control }) => control === "gate")).toMatchObject({
      state: "warn",
      fix: expect.stringContaining("gate open"),
    });
    expect(host.entries(approved.id).filter(({ type }) => type.startsWith("landing"))).toEqual([]);
    await open();
    expect((await host.cli("land", approved.id, "--onto", "fix")).code).toBe(0);
  }, 200_000);

  it("a delegation is held at its verifier, over a restart, beside canaries in its lane, and goes on by itself", async () => {
    const repository = host.repository();
    await close();
    const id = await host.send(repository);
    await waits(id);
    const shown = (await host.cli("show", id)).json<Delegation>();
    expect(shown).toMatchObject({ state: "verifying", held: expect.stringContaining("to see what waits") });
    expect((await host.cli("log", id)).stdout).toContain('"delegation.held"');
    // Nobody was asked, and nothing was signed.
    expect(host.entries(id).some(({ type }) => type === "verdict.received")).toBe(false);

    await host.kill();
    await host.up();
    expect((await status()).open).toBe(false);
    // The one lane is held, and a canary runs in it all the same.
    await until("the lane", async () => ((await host.show(id)).held ? true : undefined), 30);
    const said = await host.cli("gate", "calibrate", "--policy", "ruled", "--count", "2");
    expect(said.code, said.stdout + said.stderr).toBe(0);
    expect((await status()).held).toEqual([id]);

    await host.stop();
    await host.up();
    await open();
    const done = await host.rest(id);
    expect(done.state, JSON.stringify(done.attempts)).toBe("approved");
    expect(done.held).toBeUndefined();
    // The executor worked once: what it made was not thrown away for the host's own pause.
    expect(host.entries(id).filter((e) => e.type === "sandbox.started" && e.data.role === "executor")).toHaveLength(1);
    expect(done.attempts).toHaveLength(1);
  }, 200_000);

  it("a held one can be stopped", async () => {
    await close();
    const id = await host.send(host.repository());
    await waits(id);
    expect((await host.cli("stop", id)).json<{ state: string }>().state).toBe("discarded");
    await open();
  }, 200_000);

  it("opening asks for a reason", async () => {
    await close();
    expect((await host.cli("gate", "open")).code).toBe(2);
    expect((await host.cli("gate", "open", "--reason", " ")).error().code).toBe("request-invalid");
    expect((await status()).open).toBe(false);
    await open();
    const opened = host.entries().findLast((entry) => entry.type === "gate.opened");
    expect(opened?.data).toMatchObject({ reason: "the test goes on", by: expect.stringContaining("default") });
  });
});

describe("a canary cannot land", () => {
  it("it has no record, and no verb takes its id", async () => {
    const [one] = judged();
    const id = one?.delegation ?? "";
    expect(id).toMatch(/^c-/);
    for (const word of ["land", "discard", "stop", "show", "diff"] as const) {
      const said = await host.cli(word, id);
      expect([said.code, said.error().code], word).toEqual([2, "request-invalid"]);
    }
    // Nor under a delegation's spelling.
    const alike = id.replace(/^c-/, "d-");
    expect((await host.cli("land", alike)).error().code).toBe("not-found");
    expect((await host.api("POST", `/v1/plans/${id.replace(/^c-/, "p-")}/land`, {})).status).toBe(404);
    expect((await host.api("GET", "/v1/delegations")).body).not.toContain(id);
  });
});

describe("nothing inside tells a canary from a delegation", () => {
  /** What is random by design, or the case's own, written alike. */
  const plain = (text: string) =>
    text
      .replace(/\b[a-z]-[a-z2-7]{16}\b/g, (id) => `${id[0]}-ID`)
      .replace(/\b[0-9a-f]{64}\b/g, "HEX64")
      .replace(/\b[0-9a-f]{12}\b/g, "HEX12")
      // The engine's own names of its layers.
      .replace(/(?:lower|upper|work)dir=[^ ]*/g, "LAYERS")
      .replace(/\/proc\/\d+/g, "/proc/N")
      // Sizes and times of the case's files differ between two delegations too.
      .replace(/^(\S+)\s+(\d+)\s+(\S+)\s+(\S+)\s+\d+\s+\d{10}\s/gm, "$1 $2 $3 $4 SIZE TIME ")
      .replace(/^total \d+$/gm, "total N");
  const seen = (verdict: Judged["data"]["verdict"]) => {
    const looks = new Map<string, string>();
    for (const { tried, detail } of verdict?.refutations ?? [])
      looks.set(tried, plain((looks.get(tried) ?? "") + detail));
    return looks;
  };

  it("by its surroundings", async () => {
    const d = await host.turn(host.repository(), { policy: "spied" });
    expect(d.state).toBe("rejected");
    await host.cli("gate", "calibrate", "--policy", "spied", "--count", "1");
    const canary = judged().findLast(({ data }) => data.harness === "spy");
    const [real, known] = [seen(d.attempts[0]?.verdict), seen(canary?.data.verdict)];
    expect([...real.keys()]).toEqual(["environment", "name", "files", "mounts", "processes", "limits", "keys"]);
    expect(real.get("mounts")).toContain("/verify-1");
    for (const [look, text] of real) expect(known.get(look), look).toBe(text);
    // The host's own lines differ in nothing that a sandbox is made of.
    const controls = (id: string) =>
      host.entries(id).flatMap((e) => (e.type === "sandbox.started" && e.data.role === "verifier" ? [e.data] : []));
    const [a, b] = [controls(d.id)[0], controls(canary?.delegation ?? "")[0]];
    expect({ ...b, sandbox: "" }).toEqual({ ...a, sandbox: "" });
  }, 200_000);
});

describe("canaries among real verdicts", () => {
  let drawing: TestHost;
  beforeAll(async () => {
    drawing = await openHost({
      harnesses: join(import.meta.dirname, "images"),
      calibration: { rate: 1 },
      policies: { stamped: { version: 1, extends: "quick", verifier: { harness: "rubber-stamp" } } },
    });
  }, 300_000);
  afterAll(() => drawing?.close());

  it("find out a verifier that approves everything, while it works", async () => {
    const repository = drawing.repository();
    const judged = () => drawing.entries().filter((entry): entry is Judged => entry.type === "canary.judged");
    // The judgement itself closes it; the line that says so comes after.
    const closed = () => judged().some(({ data }) => data.label === "bad" && data.approved);
    const drawn = () => judged().length;
    let made = 0;
    // Two of three cases are bad: twelve misses in a row come about once in 10^6.
    while (!closed() && made < 12) {
      const d = await drawing.turn(repository, { policy: "stamped" });
      expect(d.state).toBe("approved");
      made += 1;
      await until("its canary", () => (drawn() >= made || closed() ? true : undefined), 120);
      const started = drawing.entries().findLast((entry) => entry.type === "canary.started");
      expect(started?.data).toMatchObject({
        trigger: "rate",
        after: d.id,
        harness: "rubber-stamp",
        image: d.images.verifier,
      });
      // It counts on nothing of the delegation's.
      expect(drawing.entries(d.id).some(({ type }) => type.startsWith("canary"))).toBe(false);
    }
    expect(closed()).toBe(true);
    await until("the line", () => drawing.entries().some(({ type }) => type === "gate.closed") || undefined, 60);
    const last = drawing.entries().findLast((entry) => entry.type === "delegation.accepted")?.delegation ?? "";
    expect((await drawing.cli("land", last, "--onto", "fix")).error().code).toBe("gate-closed");
  }, 300_000);
});
