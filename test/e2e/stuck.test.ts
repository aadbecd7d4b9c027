/** Executors that get nowhere, on real containers: each is ended with its own reason, and its twin that works is not. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "./cli.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { leftovers, until } from "./leftovers.ts";

let host: TestHost;
/** The command line as people read it. */
const text = (...args: string[]) => run([...args, "--state", host.state], { seconds: 120 });
beforeAll(async () => {
  host = await openHost({
    policies: {
      watched: {
        version: 1,
        extends: "quick",
        network: [{ host: "allowed.invalid", methods: ["GET"] }],
        budget: { attempts: 2, wall: "40s", requests: 100 },
        stuck: { silence: "3s", repeats: 4, denials: 8 },
      },
    },
  });
}, 600_000);
afterAll(() => host?.close());

const work = "sed -i s/floor/round/ src/money.js";
const asks = (count: number, url: string, more = "") =>
  `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); curl -s -o /dev/null -x http://127.0.0.1:3128 ${url}; ${more}sleep 0.2; done`;

describe("an executor that gets nowhere is ended as stuck, with what the host saw", () => {
  const cases: [string, string, string, RegExp][] = [
    ["waits for a person's answer", 'echo "Allow this command? [y/N]"; sleep 60', "silent", /no processor/],
    [
      "asks for the same denied thing again and again",
      `${asks(30, "http://denied.invalid/same")}; sleep 60`,
      "same-denied-request",
      /denied.invalid:80\/same/,
    ],
    [
      "is denied one thing after another",
      `${asks(30, "http://denied.invalid/$i")}; sleep 60`,
      "denial-streak",
      /8 requests in a row/,
    ],
  ];
  for (const [name, instructions, detector, why] of cases) {
    it(`one that ${name}`, async () => {
      const d = await host.turn(host.repository(), { policy: "watched", instructions });
      expect(d).toMatchObject({ state: "stuck", stuckBy: "host", detected: { attempt: 1, detector } });
      expect(d.reason).toMatch(why);
      const entries = host.entries(d.id);
      const place = (type: string) => entries.findIndex((e) => e.type === type);
      // Written down before it took effect.
      expect(place("stuck.detected")).toBeGreaterThan(0);
      expect(place("stuck.detected")).toBeLessThan(place("sandbox.ended"));
      expect(place("sandbox.ended")).toBeLessThan(place("delegation.stuck"));
      expect(entries.find((e) => e.type === "sandbox.ended")).toMatchObject({ data: { end: "stopped" } });
    });
  }

  it("and not one that works: quietly on the processor, slowly in the layer, or between denials", async () => {
    const works = [
      // Longer than the silence that is allowed: without a word, but busy.
      `node -e 'const end = Date.now() + 5000; while (Date.now() < end);'; ${work}`,
      `(set +x; for i in 1 2 3 4 5; do sleep 1.2; echo $i > src/step.txt; done; rm src/step.txt); ${work}`,
      `${asks(7, "http://denied.invalid/same", "echo $i > src/x.txt; ")}; rm src/x.txt; ${work}`,
    ];
    for (const instructions of works) {
      const d = await host.turn(host.repository(), { policy: "watched", instructions });
      expect([d.state, d.reason, d.detected]).toEqual(["approved", undefined, undefined]);
    }
  });

  it("its own word comes first, and is marked as its own", async () => {
    const d = await host.turn(host.repository(), {
      policy: "watched",
      instructions: 'report stuck "the brief asks for two things at once"; sleep 60',
    });
    expect(d).toMatchObject({ state: "stuck", stuckBy: "executor", reason: "the brief asks for two things at once" });
    expect(host.entries(d.id).map((e) => e.type)).not.toContain("stuck.detected");
    // Its dossier goes to the person who gave the brief, and the next step with it.
    expect(await host.seen(d.id, "stuck.escalated")).toMatchObject({ data: { to: "person" } });
    const said = await text("show", d.id);
    expect(said.code).toBe(3);
    expect(said.stdout).toContain('as the executor\'s claim says: "the brief asks for two things at once"');
    expect(said.stdout).toContain("next: Mend the brief");
  });

  it("delegate --wait prints the dossier and ends with 3", async () => {
    const instructions = `${asks(6, "http://denied.invalid/same")}; report stuck "no way out"`;
    const path = host.brief({ policy: "watched", instructions });
    const said = await text("delegate", path, "--repo", host.repository().path, "--wait");
    expect(said.code).toBe(3);
    expect(said.stdout).toMatch(/same-denied-request/);
    expect(said.stdout).toMatch(/denied \d+ × GET http:\/\/denied\.invalid:80\/same/);
    expect(said.stdout).toMatch(/would allow it: network: - \{ host: denied\.invalid, scheme: http/);
  });
});

describe("harnesses of the sort that only seem to work", () => {
  it("one that ends at once, as if all were well, is rejected for it, each time, and never a success", async () => {
    const d = await host.turn(host.repository(), { policy: "watched", instructions: "exit 0" });
    const reasons = d.attempts.map((a) => a.rejection?.findings.map((f) => f.reason));
    // The same rejection a second time ends it.
    expect([d.state, reasons]).toEqual(["stuck", [["no-change"], ["no-change"]]]);
  });

  it("one that leaves processes behind: they end with its first process, and write nothing afterwards", async () => {
    const background = "(set +x; while :; do date >> src/late.txt; sleep 0.1; done) > /dev/null 2>&1 &";
    const d = await host.turn(host.repository(), {
      policy: "watched",
      instructions: `setsid sh -c '${background.slice(0, -1)}' &\n${background}\nnohup sleep 321 > /dev/null 2>&1 &\n${work}`,
    });
    expect(d.state).toBe("approved");
    // Sandboxes of later roles are gone as well by now; a process that outlived the first would be here.
    await until(
      "no process of a sandbox left",
      () => leftovers(host.directory).every((line) => !line.includes("sleep 321")),
      5,
    );
    const executor = host.entries(d.id).find((e) => e.type === "sandbox.ended");
    expect(executor).toMatchObject({ data: { end: "exit", exit: 0 } });
  });
});
