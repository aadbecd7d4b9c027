/** What a running daemon answers is what its description says: every GET of the table, strictly, after real work. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { z } from "zod";
import type { Delegation } from "../../src/domain/delegation.ts";
import { type RouteKey, type RouteShape, routes } from "../../src/domain/routes.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { until } from "./leftovers.ts";
import { part, parts, planOf, planTurn, tested } from "./plan-turn.ts";

let host: TestHost;
beforeAll(async () => {
  host = await openHost({
    policies: { tested, "planner-once": { version: 1, extends: "planner", budget: { attempts: 1, wall: "30s" } } },
    missions: { harnesses: ["scripted"], executors: ["scripted"], policies: ["tested"] },
  });
}, 600_000);
afterAll(() => host?.close());

/** Asks a route; fails where the answer is not as the table says. Gives it. */
async function asked(key: RouteKey, id = "", body?: unknown, query = ""): Promise<Record<string, unknown>> {
  const [method = "", pattern = ""] = key.split(" ");
  const { status, body: text } = await host.api(method, pattern.replace(/:(?:id|name)/, id) + query, body);
  const route: RouteShape = routes[key];
  expect([key, status, status >= 400 ? text : ""]).toEqual([key, route.status ?? 200, ""]);
  const answer = JSON.parse(text) as Record<string, unknown>;
  const parsed = (route.answer as z.ZodType).safeParse(answer);
  expect([key, parsed.error?.issues ?? []]).toEqual([key, []]);
  // Nothing that the answer has is missing from the description.
  expect(JSON.parse(JSON.stringify(parsed.data))).toEqual(answer);
  seen.add(key);
  return answer;
}
const seen = new Set<RouteKey>();

it("of delegations, plans, missions, and of the host", async () => {
  const repository = host.repository(undefined, parts);
  const change = (id: string, file: string) =>
    part(id, { instructions: `echo '//${id}' >> src/${file}.js`, writable: [`src/${file}.js`] });
  const money = host.repository();
  const made = await asked("POST /v1/delegations", "", {
    repository: money.path,
    onto: "fix",
    brief: {
      title: "Round half up",
      intent: "verdict approve",
      instructions: "sed -i s/Math.floor/Math.round/ src/money.js",
      accept: [{ id: "A1", must: "cents() rounds", checks: [{ absent: "Math\\.floor", in: "src/**" }] }],
      executor: "scripted",
      policy: "quick",
    },
  });
  const id = String(made.id);
  await host.rest(id);
  const rejected = await host.turn(money, { intent: "verdict reject", budget: { attempts: 1 } });
  expect(rejected.state).toBe("rejected");
  const plan = await planTurn(host, repository, planOf([change("B1", "one"), change("B2", "two")]));
  expect(plan.state).toBe("approved");
  const mission = String(
    (
      await asked("POST /v1/missions", "", {
        repository: repository.path,
        onto: "whole",
        mission: "#!attempt 1\nreport stuck nothing to plan",
        policy: "planner-once",
      })
    ).id,
  );
  await until(
    "the mission's end",
    async () => {
      const { body } = await host.api("GET", `/v1/missions/${mission}/wait?seconds=5`);
      return (JSON.parse(body) as { rests: boolean }).rests;
    },
    120,
  );

  for (const one of [id, rejected.id, plan.combined.delegation]) await asked("GET /v1/delegations/:id", one);
  await asked("GET /v1/delegations/:id/wait", id);
  await asked("POST /v1/delegations/:id/verify", id, {});
  const landed = await asked("POST /v1/delegations/:id/land", id, {});
  expect(landed.state).toBe("landed");
  await asked("GET /v1/delegations/:id", id);
  await asked("POST /v1/plans/:id/land", plan.id, {});
  await asked("GET /v1/plans/:id", plan.id);
  await asked("GET /v1/plans/:id/wait", plan.id);
  await asked("GET /v1/missions/:id", mission);
  await asked("GET /v1/missions/:id/wait", mission);
  for (const key of ["GET /v1/delegations", "GET /v1/plans", "GET /v1/missions"] as const) {
    await asked(key);
    await asked(key, "", undefined, "?limit=1");
  }
  for (const one of [id, plan.id, mission]) await asked("GET /v1/cost/:id", one);
  for (const key of [
    "GET /v1/status",
    "GET /v1/policies",
    "GET /v1/executors",
    "GET /v1/gate",
    "GET /v1/openapi.json",
    "GET /v1/summaries",
    "GET /v1/chain",
  ] as const)
    await asked(key);
  await asked("GET /v1/summaries", "", undefined, "?limit=1&kind=delegation");
  for (const one of [id, rejected.id]) await asked("GET /v1/delegations/:id/page", one, undefined, "?patches=true");
  await asked("GET /v1/plans/:id/page", plan.id);
  await asked("GET /v1/missions/:id/page", mission);
  await asked("GET /v1/policies/:name/explain", "quick", undefined, "?request=GET%20https://example.org/");
  const canaries = (await asked("POST /v1/gate/calibrate", "", { policy: "quick", count: 1 })).canaries as string[];
  const canary = canaries[0] ?? "";
  await asked("GET /v1/gate/canaries/:id", canary);
  await until(
    "the canary's end",
    async () => {
      const { state } = await asked("GET /v1/gate/canaries/:id", canary);
      return state === "judged" || state === "failed";
    },
    120,
  );
  const open = (await asked("GET /v1/gate")).open === true;
  await asked(open ? "POST /v1/gate/close" : "POST /v1/gate/open", "", { reason: "to see both answers" });
  await asked("GET /v1/status");
  await asked(open ? "POST /v1/gate/open" : "POST /v1/gate/close", "", { reason: "to see both answers" });
  if (!open) await asked("POST /v1/gate/open", "", { reason: "as it was" });
  const slow = await host.send(money, { instructions: "sleep 60" });
  await host.seen(slow, "attempt.started");
  await asked("GET /v1/status");
  const stopped = await asked("POST /v1/delegations/:id/stop", slow);
  expect(stopped.state).toBe("discarded");
  expect(((await host.show(slow)) as Delegation).state).toBe("discarded");

  const json = Object.entries(routes).filter(([, { answer }]) => typeof answer !== "string");
  const reads = json.map(([key]) => key).filter((key) => key.startsWith("GET "));
  expect(reads.filter((key) => !seen.has(key as RouteKey))).toEqual([]);
}, 400_000);
