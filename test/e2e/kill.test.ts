/** Killed at every state boundary: nothing runs on unwatched, nothing decided is lost, nothing lands twice. */
import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Entry } from "../../src/domain/event.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { containersOf, leftovers, processesOf, until } from "./leftovers.ts";
import type { TestRepository } from "./repository.ts";

let host: TestHost;
beforeAll(async () => {
  host = await openHost({
    policies: {
      tested: {
        version: 1,
        extends: "quick",
        tests: { run: "node --test", report: "exit", evidence: ["test/**"] },
        budget: { attempts: 3 },
      },
    },
  });
}, 600_000);
afterAll(() => host?.close());

// Every stage takes a moment, so that the kill meets it.
const fields = {
  policy: "tested",
  instructions: "sed -i s/Math.floor/Math.round/ src/money.js; sleep 0.5",
  intent: "sleep 0.3; verdict approve",
};

/** What must hold after the whole: whole ledger, landed once at most, nothing double. */
function consistent(entries: Entry[]): void {
  const of = (type: Entry["type"]) => entries.filter((entry) => entry.type === type);
  expect(of("delegation.accepted")).toHaveLength(1);
  expect(of("delegation.landed").length).toBeLessThanOrEqual(1);
  const attempts = of("attempt.started").map((e) => (e.data as { attempt: number }).attempt);
  expect(attempts).toEqual(attempts.map((_, index) => index + 1));
}

async function killed(): Promise<void> {
  await host.kill();
  await until("everything of the killed daemon gone", () => leftovers(host.directory).length === 0, 8).catch(() => {
    throw new Error(`left after SIGKILL:\n${leftovers(host.directory).join("\n")}`);
  });
}

async function landOnce(id: string, repository: TestRepository): Promise<void> {
  const landed = await host.api("POST", `/v1/delegations/${id}/land`, {});
  expect(landed.status, landed.body).toBe(200);
  expect(repository.git("rev-list", "--count", "main..fixed")).toBe("1");
}

describe("SIGKILL of the daemon", () => {
  const boundaries: Entry["type"][] = [
    "delegation.accepted",
    "delegation.started",
    "attempt.started",
    "sandbox.started",
    "attempt.executed",
    "proposal.collected",
    "tests.reported",
    "verdict.received",
  ];
  for (const type of boundaries) {
    it(`at ${type}: the attempt is counted as failed, and the next one goes on`, async () => {
      const repository = host.repository();
      const id = await host.send(repository, fields, { onto: "fixed" });
      await host.seen(id, type);
      await killed();
      expect(repository.git("for-each-ref", "--format=%(refname)")).toBe("refs/heads/main");
      const begun = host.entries(id).filter((e) => e.type === "attempt.started").length;
      const approved = host.entries(id).some((e) => e.type === "delegation.approved");
      await host.up();
      const d = await host.rest(id);
      expect(d.state, JSON.stringify([d.reason, d.attempts])).toBe("approved");
      expect(d.attempts.length).toBe(approved ? begun : begun + 1);
      if (begun > 0 && !approved) expect(d.attempts[0]?.failure?.message).toContain("crash");
      await landOnce(id, repository);
      consistent(host.entries(id));
    });
  }

  it("at delegation.approved: the approval stands, and lands once", async () => {
    const repository = host.repository();
    const id = await host.send(repository, fields, { onto: "fixed" });
    await host.seen(id, "delegation.approved");
    await killed();
    await host.up();
    expect((await host.rest(id)).attempts).toHaveLength(1);
    await landOnce(id, repository);
    consistent(host.entries(id));
  });

  it("at landing.intended: it lands once, at the commit that was meant", async () => {
    for (let round = 0; round < 3; round++) {
      const repository = host.repository();
      const { id } = await host.turn(repository, fields, { onto: "fixed" });
      const answer = host.api("POST", `/v1/delegations/${id}/land`, {}).catch(() => undefined);
      const intended = (await host.seen(id, "landing.intended")).data as { commit: string };
      await killed();
      await answer;
      await host.up();
      const landed = await until("landed", async () => {
        const record = await host.show(id);
        return record.state === "landed" ? record.landed : undefined;
      });
      expect(landed.commit).toBe(intended.commit);
      expect(repository.git("rev-parse", "fixed")).toBe(intended.commit);
      expect(repository.git("rev-list", "--count", "main..fixed")).toBe("1");
      consistent(host.entries(id));
    }
  });

  it("over and over: the attempts are used up, and it ends as failed by the host", async () => {
    const id = await host.send(host.repository(), { ...fields, budget: { attempts: 2 }, instructions: "sleep 30" });
    for (let attempt = 1; attempt <= 2; attempt++) {
      await until(
        `attempt ${attempt}`,
        () => host.entries(id).filter((e) => e.type === "attempt.started").length === attempt,
      );
      await killed();
      await host.up();
    }
    const d = await host.rest(id);
    expect([d.state, d.attempts.length]).toEqual(["failed", 2]);
    expect((await host.cli("show", id)).code).toBe(6);
  });

  it("what it spent stands: time before the crash counts", async () => {
    const id = await host.send(host.repository(), {
      ...fields,
      budget: { wall: "5s", attempts: 3 },
      instructions: "sleep 30",
    });
    await host.seen(id, "sandbox.started");
    await new Promise((resolve) => setTimeout(resolve, 2000));
    await killed();
    await host.up();
    const d = await host.rest(id);
    expect(d.state).toBe("over-budget");
    const spent = d.sandboxes.filter((s) => s.role === "executor").at(-1)?.milliseconds ?? 0;
    expect(spent).toBeLessThan(5000);
  });
});

describe("the death of a part", () => {
  it("SIGKILL of the gateway ends the sandbox as gateway-lost, and the next attempt goes on", async () => {
    const repository = host.repository();
    const id = await host.send(repository, {
      ...fields,
      instructions: "sed -i s/Math.floor/Math.round/ src/money.js; sleep 4",
    });
    await host.seen(id, "sandbox.started");
    process.kill(host.gateway(), "SIGKILL");
    const d = await host.rest(id);
    expect([d.state, d.attempts.length], JSON.stringify(d.attempts)).toEqual(["approved", 2]);
    expect(d.attempts[0]?.failure).toBeDefined();
    expect(host.entries(id).filter((e) => e.type === "sandbox.ended")[0]?.data).toMatchObject({ end: "gateway-lost" });
  });

  it("the engine's removal of a sandbox fails the attempt, and the next one goes on", async () => {
    const id = await host.send(host.repository(), {
      ...fields,
      instructions: "sed -i s/Math.floor/Math.round/ src/money.js; sleep 3",
    });
    await host.seen(id, "sandbox.started");
    const [container] = containersOf(host.directory);
    execFileSync("docker", ["rm", "-f", container?.Id ?? ""], { stdio: "ignore" });
    const d = await host.rest(id);
    expect(d.state, JSON.stringify(d.attempts)).toBe("approved");
  });

  it("SIGKILL of the guard ends the daemon cleanly; the next start goes on", async () => {
    const id = await host.send(host.repository(), {
      ...fields,
      instructions: "sed -i s/Math.floor/Math.round/ src/money.js; sleep 4",
    });
    await host.seen(id, "sandbox.started");
    const { pid } = host;
    process.kill(host.guard(), "SIGKILL");
    await until("the daemon's own end", () => !processesOf(host.directory).some((p) => p.pid === pid), 20);
    expect(host.log()).toContain("the guard is gone");
    await host.kill();
    expect(leftovers(host.directory)).toEqual([]);
    expect(host.entries().at(-1)?.type).toBe("segment.closed");
    await host.up();
    expect((await host.rest(id)).state).toBe("approved");
  });

  it("SIGTERM ends sandboxes and gives every attempt back to the next start", async () => {
    const id = await host.send(host.repository(), {
      ...fields,
      instructions: "sed -i s/Math.floor/Math.round/ src/money.js; sleep 4",
    });
    await host.seen(id, "sandbox.started");
    const begun = performance.now();
    expect(await host.stop()).toBe(0);
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(leftovers(host.directory)).toEqual([]);
    await host.up();
    expect((await host.rest(id)).state).toBe("approved");
  });
});
