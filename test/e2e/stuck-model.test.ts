/**
 * Stuck before a model, the choice among executors, track records and cost: on a real daemon with a real harness, whose
 * provider is a script behind the real protocol.
 */
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CostReport } from "../../src/delegation/cost.ts";
import type { TrackRecordView } from "../../src/host/track-records.ts";
import { run } from "./cli.ts";
import { openHost, type TestHost } from "./daemon.ts";

let server: Server;
let host: TestHost;
/** The command line as people read it. */
const text = (...args: string[]) => run([...args, "--state", host.state]);
let answer: (response: ServerResponse) => void;

/** Begins a stream of OpenAI Chat; gives what says one delta. */
function stream(response: ServerResponse): (delta: object, finish?: string) => void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  return (delta, finish) =>
    response.write(
      `data: ${JSON.stringify({ model: "gpt-5.1", choices: [{ index: 0, delta, finish_reason: finish ?? null }] })}\n\n`,
    );
}
const end = (response: ServerResponse) => {
  const usage = { prompt_tokens: 4000, completion_tokens: 100 };
  response.write(`data: ${JSON.stringify({ model: "gpt-5.1", choices: [], usage })}\n\n`);
  response.end("data: [DONE]\n\n");
};
const done = (response: ServerResponse) => {
  const say = stream(response);
  say({ role: "assistant", content: "done" });
  say({}, "stop");
  end(response);
};
/** Calls a tool of the harness. */
const tool = (name: string, args: object) => (response: ServerResponse) => {
  const say = stream(response);
  const call = {
    index: 0,
    id: `c${Math.random()}`,
    type: "function",
    function: { name, arguments: JSON.stringify(args) },
  };
  say({ role: "assistant", tool_calls: [call] });
  say({}, "tool_calls");
  end(response);
};

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume().on("end", () => answer(response));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const route = { base, addresses: ["127.0.0.1"], protocol: "openai-chat", prices: "openai", output: "4k" };
  const policy = (stuck: object, models: object = route) => ({
    version: 1,
    extends: "quick",
    sandbox: { cpus: 2, memory: "1GiB" },
    models: { openai: models },
    budget: { requests: 200, attempts: 1, wall: "60s" },
    stuck,
  });
  host = await openHost({
    images: ["pi"],
    policies: {
      late: policy({ upstream: "5s" }),
      idle: policy({ idleTokens: "20k" }),
      same: policy({ repeats: 2 }),
      calm: policy({}),
      // A subscription: nothing is paid for a request.
      flat: policy({}, { ...route, quota: [{ requests: 1000, window: "1h" }] }),
    },
  });
}, 600_000);
afterAll(async () => {
  await host?.close();
  server?.closeAllConnections();
  server?.close();
});

const brief = { executor: "pi", instructions: "Round half up in src/money.js." };

describe("a harness before its model", () => {
  it("that gets nothing back is stuck; one whose answer drips in for longer is not", async () => {
    answer = (response) => stream(response)({ role: "assistant", content: "hm" });
    const stuck = await host.turn(host.repository(), { ...brief, policy: "late" });
    expect(stuck).toMatchObject({ state: "stuck", stuckBy: "host", detected: { detector: "no-upstream" } });

    answer = (response) => {
      const say = stream(response);
      let left = 9;
      const drip = setInterval(() => {
        say({ content: "." });
        left -= 1;
        if (left > 0) return;
        clearInterval(drip);
        say({}, "stop");
        end(response);
      }, 1000);
    };
    const slow = await host.turn(host.repository(), { ...brief, policy: "late" });
    // Its answer changed nothing, which is said of it, and no more.
    expect([slow.state, slow.detected, slow.attempts[0]?.rejection?.findings[0]?.reason]).toEqual([
      "rejected",
      undefined,
      "no-change",
    ]);
  }, 120_000);

  it("that only reads and reads is stuck by its tokens; one that writes between is not", async () => {
    answer = tool("read", { path: "src/money.js" });
    const stuck = await host.turn(host.repository(), { ...brief, policy: "idle" });
    expect(stuck).toMatchObject({ state: "stuck", detected: { detector: "idle-tokens" } });
    // Five requests of 4,100 tokens pass 20,000. How many more it sends before it is ended is the machine's pace; none
    // of those that come once it is being ended goes out.
    const entries = host.entries(stuck.id);
    const detected = entries.findIndex(({ type }) => type === "stuck.detected");
    const asked = entries.flatMap(({ type }, at) => (type === "budget.reserved" ? [at] : []));
    expect(asked.filter((at) => at < detected).length).toBeGreaterThanOrEqual(5);
    expect(asked.filter((at) => at > detected).length).toBeLessThanOrEqual(1);
    expect(stuck.spend.executor?.requests).toBeLessThan(100);

    let turn = 0;
    answer = (response) => {
      turn += 1;
      if (turn > 12) return done(response);
      const content = `export function cents(x) {\n  return Math.round(x * 100); // ${turn}\n}\n`;
      return tool("write", { path: "src/money.js", content })(response);
    };
    const works = await host.turn(host.repository(), { ...brief, policy: "idle", budget: { wall: "60s" } });
    expect([works.detected, works.state, works.spend.executor?.requests]).toEqual([undefined, "approved", 13]);
  }, 180_000);

  it("that sends the very same request again and again is stuck", async () => {
    answer = (response) => response.writeHead(500).end("{}");
    const d = await host.turn(host.repository(), { ...brief, policy: "same" });
    expect(d).toMatchObject({ state: "stuck", detected: { detector: "same-model-request" } });
    const bodies = host.entries(d.id).flatMap((e) => (e.type === "budget.reserved" ? [e.data.body] : []));
    expect(new Set(bodies).size).toBe(1);
  }, 120_000);
});

describe("a brief of two executors", () => {
  it("goes to the least known first, with the reasons in the ledger, and each has its own record", async () => {
    answer = done;
    const instructions = "sed -i s/Math.floor/Math.round/ src/money.js";
    const both = { executor: ["pi", "scripted"], instructions, policy: "calm" };
    const before = (await host.cli("executors", "--json")).json<TrackRecordView>();
    const triesOf = (name: string) => before.totals.find((r) => r.executor === name)?.firstTry.of ?? 0;
    // Of the harness with a model there are some by now; the other was never seen.
    expect([triesOf("pi") > 0, triesOf("scripted")]).toEqual([true, 0]);

    const d = await host.turn(host.repository(), both);
    expect([d.state, d.executor, d.attempts[0]?.executor]).toEqual(["approved", "scripted", "scripted"]);
    expect(d.approval?.predicate.images.executor).toBe(d.candidates?.find((c) => c.executor === "scripted")?.image);
    const types = host.entries(d.id).map((e) => e.type);
    expect(types.indexOf("executor.chosen")).toBeLessThan(types.indexOf("attempt.started"));
    const chosen = host.entries(d.id).find((e) => e.type === "executor.chosen");
    expect(chosen).toMatchObject({ data: { attempt: 1, executor: "scripted" } });
    expect(JSON.stringify(chosen)).toMatch(/scripted has 0 first tries, the fewest/);

    const after = (await host.cli("executors", "--json")).json<TrackRecordView>();
    expect(after.totals.find((r) => r.executor === "scripted")).toMatchObject({
      delegations: 1,
      firstTry: { count: 1, of: 1 },
      approved: { count: 1, of: 1 },
    });
    const pi = after.records.find((r) => r.executor === "pi" && r.kind === "source:javascript");
    expect(pi).toMatchObject({ model: "gpt-5.1", approved: { count: 1 } });
    expect(pi?.costPerApproved).toBeGreaterThan(0);
  }, 120_000);

  it("is refused with a name twice, with a verifier among them, or with one that is not there", async () => {
    const cases: [string[], string][] = [
      [["scripted", "scripted"], "brief-invalid"],
      [["scripted", "verifier-script"], "brief-invalid"],
      [["scripted", "nobody"], "not-found"],
      [[], "brief-invalid"],
    ];
    for (const [executor, code] of cases) {
      const said = await host.cli("delegate", host.brief({ executor }), "--repo", host.repository().path, "--json");
      expect([executor, said.error().code]).toEqual([executor, code]);
    }
  }, 60_000);
});

describe("what it cost", () => {
  it("is shown by tier, adds up, and says what a subscription saved", async () => {
    answer = done;
    const d = await host.turn(host.repository(), { ...brief, policy: "flat", budget: { attempts: 1 } });
    const { cost } = (await host.cli("show", d.id, "--json")).json<{ cost: CostReport }>();
    expect(cost.total).toMatchObject({ modelRequests: 1, tokens: 4100, microusd: 0, list: 6000, saved: 6000 });
    expect(cost.tiers.find(({ tier }) => tier === "execute")).toMatchObject({ list: 6000, rejected: { list: 6000 } });
    const sum = (pick: (of: CostReport["tiers"][number]) => number) => cost.tiers.reduce((all, t) => all + pick(t), 0);
    expect([sum((t) => t.milliseconds), sum((t) => t.requests), sum((t) => t.list)]).toEqual([
      cost.total.milliseconds,
      cost.total.requests,
      cost.total.list,
    ]);
    const api = JSON.parse((await host.api("GET", `/v1/cost/${d.id}`)).body) as CostReport;
    expect(api).toEqual(cost);
    const said = await text("show", d.id);
    expect(said.stdout).toMatch(/execute +\d+ +1 +4100 +\$0\.00/);
    expect(said.stdout).toMatch(/subscriptions saved \$0\.006: the list price is \$0\.006/);
  }, 120_000);

  it("executors prints a table, takes a time, and refuses what is none", async () => {
    const said = await text("executors", "--since", "1h");
    expect([said.code, said.stdout]).toEqual([0, expect.stringMatching(/EXECUTOR +MODEL +KIND[\s\S]*pi +gpt-5\.1/)]);
    const none = await host.cli("executors", "--since", "2001-01-01", "--json");
    expect(none.json<TrackRecordView>().records.length).toBeGreaterThan(0);
    const later = await text("executors", "--since", new Date(Date.now() + 86_400_000).toISOString().slice(0, 10));
    expect(later.stdout).toContain("nothing is known of any executor yet");
    expect((await host.cli("executors", "--since", "soon", "--json")).error()).toMatchObject({ code: "usage" });
  }, 60_000);
});
