/** A real coding CLI as the executor, its model behind the gateway: from a brief to a landed commit. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { EventData } from "../../src/domain/event.ts";
import { type Model, startModel, type Turn } from "../model/start-model.ts";
import { openHost, type TestHost } from "./daemon.ts";

let host: TestHost;
let model: Model;
let script: readonly Turn[] = [];
const edit = (oldText: string, newText: string): Turn => ({
  do: [{ edit: "src/money.js", from: oldText, to: newText }],
});

beforeAll(async () => {
  model = await startModel({ script: ({ turn }) => script[turn] ?? { text: "done" } });
  const route = { base: model.url, addresses: ["127.0.0.1"] };
  host = await openHost({
    images: ["pi"],
    policies: {
      coding: {
        version: 1,
        extends: "quick",
        sandbox: { cpus: 2, memory: "1GiB" },
        models: { openai: route },
        budget: { requests: 12 },
        tests: { run: "node --test", report: "exit", evidence: ["test/**"] },
      },
      "other-model": { version: 1, extends: "quick", models: { anthropic: route } },
    },
  });
}, 600_000);
afterAll(async () => {
  await host?.close();
  await model?.close();
});

const brief = { executor: "pi", policy: "coding", instructions: "Make cents() round to the nearest cent." };
const requests = (id: string) =>
  host
    .entries(id)
    .filter((e) => e.type === "request")
    .map((e) => e.data as EventData<"request">);

it("edits as its model says, is verified, and lands", async () => {
  script = [{ do: [{ read: "src/money.js" }] }, edit("Math.floor", "Math.round"), { text: "It rounds now." }];
  const repository = host.repository();
  const d = await host.turn(repository, brief, { onto: "fixed" });
  expect(d.state, JSON.stringify([d.reason, d.attempts])).toBe("approved");
  expect(d.attempts[0]?.proposal?.changes).toEqual([{ path: "src/money.js", kind: "modified" }]);
  expect((await host.cli("land", d.id)).code).toBe(0);
  expect(repository.git("show", "fixed:src/money.js")).toContain("Math.round(x * 100)");
  // Every request of it is in the ledger, and none left but to its model.
  const asked = requests(d.id);
  expect(asked.map((r) => [r.decision, r.method, new URL(r.url).pathname])).toEqual(
    Array(3).fill(["allow", "POST", "/v1/chat/completions"]),
  );
  expect(model.requests.filter((r) => r.turn < 0)).toEqual([]);
  const told = JSON.stringify(model.requests.at(-1)?.asked?.text);
  expect(told).toContain("Make cents() round to the nearest cent.");
  expect(told).not.toContain("verdict approve");
}, 120_000);

it("hears the feedback of the first attempt in the second", async () => {
  script = [edit("Math.floor", "Math.ceil")];
  const intent =
    'if grep -q Math.round /case/diff.patch; then verdict approve; else verdict reject "ceil is not the nearest"; fi';
  const id = await host.send(host.repository(), { ...brief, intent });
  await host.seen(id, "attempt.rejected", 90);
  script = [edit("Math.ceil", "Math.round")];
  const d = await host.rest(id);
  expect([d.state, d.attempts.length], JSON.stringify(d.attempts)).toEqual(["approved", 2]);
  expect(JSON.stringify(model.requests.at(-1)?.asked?.text)).toContain("ceil is not the nearest");
}, 150_000);

it("a failing model is an empty proposal, never an approval", async () => {
  script = Array(20).fill({ status: 400, text: "no such model" }) as Turn[];
  const d = await host.turn(host.repository(), { ...brief, budget: { attempts: 1 } });
  expect(d.state).toBe("rejected");
  expect(d.attempts[0]?.rejection?.findings[0]?.reason).toBe("no-change");
}, 120_000);

it("is refused by a policy without its model route, which says what to add", async () => {
  const said = await host.cli(
    "delegate",
    host.brief({ ...brief, policy: "other-model" }),
    "--repo",
    host.repository().path,
  );
  expect([said.code, said.error().code]).toEqual([2, "policy-invalid"]);
  expect(said.error().next).toContain("models: { openai:");
});
