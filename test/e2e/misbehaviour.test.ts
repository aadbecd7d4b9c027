/** Executors and verifiers that misbehave, and Ctrl-C: each ends with its own reason, in time, and leaves nothing. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openHost, type TestHost } from "./daemon.ts";
import { leftovers, until } from "./leftovers.ts";

let host: TestHost;
beforeAll(async () => {
  host = await openHost({
    policies: {
      small: {
        version: 1,
        extends: "quick",
        sandbox: { memory: "128MiB", pids: 48, disk: "16MiB" },
        budget: { wall: "12s", attempts: 1, output: "1MiB" },
      },
    },
  });
}, 600_000);
afterAll(() => host?.close());

describe("executors that misbehave", () => {
  const cases: [string, string, string, RegExp][] = [
    ["hangs", "sleep 1000", "over-budget", /wall/],
    ["ignores every signal", "trap '' TERM INT HUP QUIT; while :; do sleep 1; done", "over-budget", /wall/],
    ["stops itself", "kill -STOP 1; kill -STOP $$; sleep 1000", "over-budget", /wall/],
    ["crashes", "kill -SEGV $$", "rejected", /no-change/],
    ["exits with an error", "exit 3", "rejected", /no-change/],
    ["writes nothing", "true", "rejected", /no-change/],
    [
      "writes a million files",
      'node -e \'const fs = require("fs"); for (let i = 0; i < 1e6; i++) fs.writeFileSync("src/f" + i, "")\'',
      "rejected",
      /layer-too-large|patch-too-large/,
    ],
    [
      "fills its disk",
      "head -c 15000000 /dev/urandom > src/a; head -c 15000000 /dev/urandom > src/b",
      "rejected",
      /layer-too-large|patch-too-large/,
    ],
    ["forks for ever", "f() { f | f & f; }; f; sleep 1000", "", /./],
    ["uses all memory", "node -e 'const a = []; for (;;) a.push(Buffer.alloc(1 << 22, 1))'", "", /./],
    ["prints a gigabyte", "head -c 1000000000 /dev/zero", "over-budget", /output/],
    ["prints one endless line", "tr '\\0' x < /dev/zero", "over-budget", /output/],
  ];
  for (const [name, instructions, state, reason] of cases) {
    it(`one that ${name}`, async () => {
      const begun = performance.now();
      const d = await host.turn(host.repository(), { policy: "small", instructions });
      const all = JSON.stringify([d.reason, d.attempts.map((a) => [a.rejection, a.failure])]);
      if (state) expect([d.state, all]).toEqual([state, expect.stringMatching(reason)]);
      expect(["rejected", "over-budget"], all).toContain(d.state);
      expect(performance.now() - begun).toBeLessThan(45_000);
      const ended = host.entries(d.id).filter((e) => e.type === "sandbox.ended");
      expect(ended.length).toBeGreaterThan(0);
      await until(
        "nothing of it left",
        () => leftovers(join(host.state, "lanes")).filter((l) => !l.includes("process")).length === 0,
        10,
      );
    });
  }
});

describe("verifiers that misbehave", () => {
  const cases: [string, string, string, string][] = [
    ["says nothing", "true", "rejected", "verdict-missing"],
    ["crashes", "kill -KILL $PPID; kill -KILL $$", "rejected", "verdict-"],
    ["never answers", "sleep 1000", "rejected", "verdict-late"],
    ["prints too much", "yes", "rejected", "verdict-killed"],
    ["uses all memory", "node -e 'const a = []; for (;;) a.push(Buffer.alloc(1 << 22, 1))'", "rejected", "verdict-"],
    ["answers prose", "verdict raw 'I approve this change.'; echo approve", "rejected", "verdict-m"],
    ["answers half", 'verdict raw \'{"decision":"approve"}\'', "rejected", "verdict-malformed"],
    [
      "approves without evidence",
      `verdict raw '{"decision":"approve","criteria":[],"refutations":[{"tried":"x","found":false}],"feedback":[]}'`,
      "rejected",
      "verdict-incomplete",
    ],
    [
      "approves with evidence that is not there",
      `verdict raw '{"decision":"approve","criteria":[{"id":"A1","status":"met","evidence":[{"path":"src/none.js","line":1}],"why":"x"}],"refutations":[{"tried":"x","found":false}],"feedback":[]}'`,
      "rejected",
      "verdict-unresolved",
    ],
    [
      "approves without trying to refute",
      `verdict raw '{"decision":"approve","criteria":[{"id":"A1","status":"met","evidence":[{"path":"src/money.js","line":2}],"why":"x"}],"refutations":[],"feedback":[]}'`,
      "rejected",
      "verdict-without-refutation",
    ],
    [
      "approves what is unproven",
      `verdict raw '{"decision":"approve","criteria":[{"id":"A1","status":"unproven","evidence":[],"why":"x"}],"refutations":[{"tried":"x","found":false}],"feedback":[]}'`,
      "rejected",
      "verdict-unproven",
    ],
    [
      "sends a verdict of 10 MB, then none",
      "head -c 10000000 /dev/zero | tr '\\0' x | curl -s -X POST -H 'content-type: application/json' --data-binary @- http://127.0.0.1:3128/verdict",
      "rejected",
      "verdict-m",
    ],
    ["rejects, then approves: the first counts", "verdict reject; verdict approve", "rejected", "verdict-"],
    ["approves, then rejects: the first counts", "verdict approve; verdict reject; exit 1", "approved", ""],
    ["mends a malformed answer", "verdict raw '{}'; verdict approve", "approved", ""],
  ];
  for (const [name, intent, state, reason] of cases) {
    it(`one that ${name}`, async () => {
      const d = await host.turn(host.repository(), { policy: "small", intent });
      const reasons = d.attempts.flatMap((a) => a.rejection?.findings.map((f) => f.reason) ?? []);
      expect([d.state, JSON.stringify(d.attempts.map((a) => a.failure))]).toEqual([state, "[null]"]);
      if (reason) expect(reasons[0]).toContain(reason);
    });
  }
});

describe("Ctrl-C", () => {
  it("of delegate --wait leaves the delegation running", async () => {
    const { child, done } = host.begin(
      "delegate",
      host.brief({ instructions: "sleep 4; sed -i s/floor/round/ src/money.js" }),
      "--repo",
      host.repository("ctrl").path,
      "--wait",
    );
    const accepted = await until(
      "it runs",
      () => host.entries().find((e) => e.type === "delegation.accepted" && e.data.repository.endsWith("/ctrl")),
      30,
    );
    const id = accepted.delegation ?? "";
    await host.seen(id, "sandbox.started");
    child.kill("SIGINT");
    expect((await done).code).not.toBe(0);
    expect((await host.rest(id)).state).toBe("approved");
  });

  it("of the daemon, once and twice: the next start goes on", async () => {
    for (const times of [1, 2]) {
      const id = await host.send(host.repository(), {
        instructions: "sleep 3; sed -i s/floor/round/ src/money.js",
        policy: "quick",
      });
      await host.seen(id, "sandbox.started");
      const { pid } = host;
      for (let i = 0; i < times; i++) {
        process.kill(pid, "SIGINT");
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      await until(
        "the daemon's end",
        () => !leftovers(host.directory).some((line) => line.startsWith(`process ${pid} `)),
        20,
      );
      await until("nothing left", () => leftovers(host.directory).length === 0, 10);
      await host.kill();
      await host.up();
      const d = await host.rest(id);
      expect([times, d.state, d.attempts.length]).toEqual([times, "approved", 2]);
    }
  });
});
