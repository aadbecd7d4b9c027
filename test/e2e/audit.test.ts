/** The auditor beside a real daemon: heads that it hands out, a follower over its restart and its death, a report of what ran. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AnchorReport } from "../../src/ledger/anchor.ts";
import { start } from "./cli.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { until } from "./leftovers.ts";

let host: TestHost;
beforeAll(async () => {
  host = await openHost({
    anchors: (directory) => {
      execFileSync("git", ["init", "-q", "--bare", join(directory, "heads.git")]);
      return [
        { file: join(directory, "heads"), every: { lines: 5 } },
        { ref: { repository: join(directory, "heads.git"), ref: "refs/sallyport/heads" } },
        { command: ["/bin/sh", "-c", `cat >> ${directory}/told`] },
        { file: "/nonexistent/worm/heads" },
      ];
    },
  });
}, 900_000);
afterAll(() => host?.close(), 120_000);

interface Verified {
  ok: boolean;
  head: { seq: number };
  anchors: AnchorReport[];
  notProved: string[];
}
const verdicts = (said: Verified) => said.anchors.map(({ verdict }) => verdict);

describe("the auditor beside a daemon", { timeout: 400_000 }, () => {
  it("follows, verifies against anchors, reports, and finds a cut", async () => {
    const follower = start(["audit", "tail", "-f", "-n", "1", "--type", "delegation.*", "--type", "host.*", "--json"], {
      env: { SALLYPORT_STATE: host.state },
      seconds: 380,
    });
    let followed = "";
    follower.child.stdout?.on("data", (chunk: Buffer) => {
      followed += chunk.toString("utf8");
    });
    const typesFollowed = () => [...followed.matchAll(/"type":"([a-z.-]+)"/g)].map(([, type]) => type);

    const repository = host.repository();
    const d = await host.turn(repository);
    expect((await host.cli("land", d.id, "--onto", "fix")).code).toBe(0);
    await until("the landing followed", () => typesFollowed().includes("delegation.landed"), 60);

    // What fails is told by the status, once in the ledger, and stops nothing.
    const status = JSON.parse((await host.api("GET", "/v1/status")).body) as {
      anchors: { place: string; last?: { seq: number }; failing?: string }[];
    };
    expect(status.anchors).toHaveLength(4);
    expect(status.anchors[3]).toMatchObject({ place: "file:/nonexistent/worm/heads", failing: expect.any(String) });
    expect(status.anchors[0]?.last?.seq).toBeGreaterThan(4);
    expect(host.entries().filter(({ type }) => type === "anchor.failed")).toHaveLength(1);

    const live = (await host.cli("audit", "verify")).json<Verified>();
    expect([live.ok, verdicts(live)]).toEqual([true, ["agrees", "agrees", "unread", "unread"]]);

    const html = join(host.directory, "report.html");
    const reported = await host.cli("audit", "report", d.id, "--html", html);
    expect(reported.code, reported.stdout + reported.stderr).toBe(0);
    expect(readFileSync(html, "utf8")).toContain("Math.round");

    // Over a stop, a start and a kill the follower misses nothing and shows nothing twice.
    expect(await host.stop()).toBe(0);
    const still = (await host.cli("audit", "verify")).json<Verified>();
    expect([still.ok, verdicts(still)]).toEqual([true, ["agrees", "agrees", "unread", "unread"]]);
    // All that it wrote is anchored: no line is left that could be cut unseen.
    expect(still.anchors.slice(0, 2).map(({ upTo }) => upTo)).toEqual([still.head.seq, still.head.seq]);
    expect(still.notProved.join()).not.toContain("cut off");
    expect(readFileSync(join(host.directory, "told"), "utf8").trim().split("\n").at(-1)).toContain(
      `"seq":${still.head.seq}`,
    );
    await host.up();
    await host.kill();
    await host.up();
    const second = await host.turn(repository);
    await until("the second followed", () => followed.includes(second.id), 60);
    const seqs = [...followed.matchAll(/"seq":(\d+),/g)].map(([, seq]) => Number(seq));
    expect(new Set(seqs).size).toBe(seqs.length);
    const wanted = host
      .entries()
      .filter(
        ({ type, seq }) => /^(delegation|host)\./.test(type) && seq >= (seqs[0] ?? 0) && seq <= (seqs.at(-1) ?? 0),
      );
    expect(seqs).toEqual(wanted.map(({ seq }) => seq));
    follower.child.kill("SIGINT");
    expect((await follower.done).code).toBe(0);

    // As root could while the daemon is down: the end is cut where a shorter ledger is whole for itself.
    await host.stop();
    const last = join(
      host.state,
      "ledger",
      `0000000${host.entries().filter(({ type }) => type === "segment.closed").length}.jsonl`,
    );
    const whole = readFileSync(last, "utf8");
    writeFileSync(last, `${whole.split("\n").slice(0, 2).join("\n")}\n`);
    const cut = await host.cli("audit", "verify");
    expect([cut.code, verdicts(cut.json<Verified>())]).toEqual([1, ["ahead", "ahead", "unread", "unread"]]);
    writeFileSync(last, whole);
    expect((await host.cli("audit", "verify")).code).toBe(0);
  });
});
