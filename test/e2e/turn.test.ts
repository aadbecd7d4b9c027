import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import { openHost, type TestHost } from "./daemon.ts";

let host: TestHost;
beforeAll(async () => {
  host = await openHost();
}, 600_000);
afterAll(() => host?.close());

describe("a brief", () => {
  it("becomes a landed commit", async () => {
    const repository = host.repository();
    const d = await host.turn(repository, {}, "--onto", "fixed");
    expect(d.state, JSON.stringify(d.attempts, null, 1)).toBe("approved");
    const landed = await host.cli("land", d.id);
    console.log(landed.stdout, landed.stderr);
    expect(landed.code).toBe(0);
    expect(repository.git("show", "fixed:src/money.js")).toContain("Math.round");
  });
});
