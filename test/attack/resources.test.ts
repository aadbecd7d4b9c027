/** One lane's greed beside another lane's work (ATTACKS R1, R2): capped, ended in time, and everything is given back. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openHost, type TestHost } from "../e2e/daemon.ts";
import { containersOf, leftovers, until } from "../e2e/leftovers.ts";
import type { TestRepository } from "../e2e/repository.ts";

let host: TestHost;
let repository: TestRepository;
beforeAll(async () => {
  host = await openHost({
    lanes: 2,
    queue: 3,
    policies: {
      greedy: {
        version: 1,
        extends: "quick",
        sandbox: { memory: "128MiB", pids: 48, disk: "16MiB", cpus: 0.5 },
        budget: { wall: "8s", attempts: 1, output: "1MiB" },
      },
    },
  });
  repository = host.repository();
}, 600_000);
afterAll(() => host?.close());

const memoryOf = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
const work = { instructions: "for i in 1 2 3; do node -e 1; sleep 0.3; done; sed -i s/floor/round/ src/money.js" };

describe("R1: one lane takes what it can; the other works on, and the ledger goes on", () => {
  const greedy: [string, string, string[]][] = [
    ["a fork bomb", "f() { f | f & f; }; f; sleep 100", ["rejected", "over-budget"]],
    ["memory", "node -e 'const a = []; for (;;) a.push(Buffer.alloc(1 << 22, 1))'", ["rejected"]],
    [
      "memory in tmpfs and shared memory",
      "cat /dev/zero > /dev/shm/x; cat /dev/zero > /tmp/x; cat /dev/zero > $HOME/x; sleep 100",
      ["rejected", "over-budget"],
    ],
    ["disk", "cat /dev/zero > src/zero; sleep 1", ["rejected"]],
    [
      "inodes",
      'node -e \'const fs = require("fs"); for (let i = 0; ; i++) fs.writeFileSync("src/f" + i, "")\'',
      ["rejected", "over-budget"],
    ],
    [
      "open files and sockets",
      'node -e \'const net = require("net"); const s = net.createServer().listen(9000, () => { for (;;) try { require("fs").openSync("/dev/null"); } catch { break; } for (let i = 0; i < 5000; i++) net.connect(3128, "127.0.0.1").on("error", () => {}); }); setTimeout(() => {}, 1e6)\'',
      ["over-budget", "rejected"],
    ],
    ["output without end", "yes; sleep 100", ["over-budget"]],
    ["one endless line on both streams", "tr '\\0' x < /dev/zero 1>&2", ["over-budget"]],
    ["ignored signals", "trap '' TERM INT HUP; while :; do :; done", ["over-budget"]],
    ["a stopped process", "kill -STOP $$", ["over-budget"]],
    [
      "requests without end",
      // Ended by its budget, or before that by the host, which sees that it goes in circles.
      "while :; do curl -s -o /dev/null http://127.0.0.1:3128/report/note -d x; done",
      ["over-budget", "stuck"],
    ],
  ];
  for (const [name, instructions, ends] of greedy) {
    it(name, async () => {
      const before = memoryOf(host.pid);
      const id = await host.send(repository, { policy: "greedy", instructions });
      await host.seen(id, "sandbox.started");
      const twin = await host.turn(repository, work);
      expect(twin.state, JSON.stringify([twin.reason, twin.attempts])).toBe("approved");
      const d = await host.rest(id, 60);
      expect([d.state, JSON.stringify([d.reason, d.attempts])]).toEqual([
        expect.toSatisfy((s: string) => ends.includes(s)),
        expect.anything(),
      ]);
      expect(d.sandboxes.filter((s) => s.role === "executor").every((s) => (s.milliseconds ?? 0) < 20_000)).toBe(true);
      expect(memoryOf(host.pid) - before).toBeLessThan(150);
      expect((await host.api("GET", "/v1/status")).status).toBe(200);
    });
  }
});

describe("R2: many at once", () => {
  it("a bounded queue, and everything is given back afterwards", async () => {
    const count = () => ({
      descriptors: readdirSync(`/proc/${host.pid}/fd`).length,
      processes: leftovers(host.directory).filter((l) => l.startsWith("process")).length,
      mounts: leftovers(host.directory).filter((l) => l.startsWith("mount")).length,
      loops: leftovers(host.directory).filter((l) => l.startsWith("loop")).length,
      containers: containersOf(host.directory).length,
    });
    await host.turn(repository, work);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const before = count();
    expect([before.mounts, before.loops, before.containers]).toEqual([0, 0, 0]);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        host
          .send(repository, { instructions: "sleep 1; sed -i s/floor/round/ src/money.js" })
          .catch((error: Error) => error.message),
      ),
    );
    const taken = answers.filter((a) => a.startsWith("d-"));
    const turned = answers.filter((a) => !a.startsWith("d-"));
    expect(taken.length).toBeGreaterThanOrEqual(5);
    expect(taken.length).toBeLessThanOrEqual(6);
    for (const answer of turned) expect(answer).toContain("queue-full");
    const most = await until(
      "the lanes are full",
      () => (containersOf(host.directory).length === 2 ? 2 : undefined),
      20,
    );
    expect(most).toBe(2);
    for (const id of taken) expect((await host.rest(id)).state).toBe("approved");
    await until(
      "all is given back",
      () => {
        const now = count();
        return (
          now.mounts + now.loops + now.containers === 0 &&
          now.processes === before.processes &&
          now.descriptors <= before.descriptors + 3
        );
      },
      15,
    ).catch(() => expect(count()).toEqual(before));
    expect(
      readdirSync(join(host.state, "lanes")).flatMap((name) => readdirSync(join(host.state, "lanes", name))),
    ).toEqual([]);
  });

  it("the disk that layers and proposals take is bounded by what is kept", () => {
    const used = Number(execFileSync("du", ["-s", "--block-size=1", host.state]).toString().split("\t")[0]);
    expect(used).toBeLessThan(64 * 1024 * 1024);
    expect(statSync(join(host.state, "ledger")).isDirectory()).toBe(true);
  });
});
