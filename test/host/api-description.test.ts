/** The API's description: valid, whole, of the roles that are enforced; and a route without roles keeps the daemon from starting. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Validator } from "@seriousme/openapi-schema-validator";
import fastify from "fastify";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import type { CostReport } from "../../src/delegation/cost.ts";
import type { costAnswer, delegationAnswer } from "../../src/domain/answers.ts";
import type { missionAnswer, planAnswer } from "../../src/domain/answers-plan.ts";
import type { Delegation } from "../../src/domain/delegation.ts";
import type { MissionView } from "../../src/domain/mission-record.ts";
import type { PlanView } from "../../src/domain/plan-record.ts";
import { routes } from "../../src/domain/routes.ts";
import { openCallers } from "../../src/host/callers.ts";
import { addRoles } from "../../src/host/roles.ts";
import { auditor, open, openApiRig } from "./api-rig.ts";

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
/** Checked by the compiler: what the API says it answers is what the house has. */
const same: [
  Same<z.output<typeof delegationAnswer>, Delegation>,
  Same<z.output<typeof planAnswer>, PlanView>,
  Same<z.output<typeof missionAnswer>, MissionView>,
  Same<z.output<typeof costAnswer>, CostReport>,
] = [true, true, true, true];

interface Description {
  openapi: string;
  components: { schemas: Record<string, unknown> };
  paths: Record<
    string,
    Record<string, { operationId: string; "x-roles": string[]; responses: Record<string, unknown> }>
  >;
}

async function described(): Promise<{
  description: Description;
  declared: { method: string; url: string; roles: readonly string[] }[];
}> {
  await using rig = await openApiRig();
  const answer = await open(await rig.socketFor(auditor), "/v1/openapi.json");
  let text = "";
  for await (const chunk of answer) text += String(chunk);
  return { description: JSON.parse(text) as Description, declared: rig.app.declaredRoutes() };
}

describe("the API's description", () => {
  it("is valid OpenAPI 3.1", async () => {
    const { description } = await described();
    expect(same).not.toContain(false);
    const result = await new Validator().validate(structuredClone(description) as unknown as Record<string, unknown>);
    expect(result.errors ?? []).toEqual([]);
    expect([result.valid, description.openapi]).toEqual([true, "3.1.0"]);
    // The validator sees what is wrong.
    const broken = { ...description, paths: { "no slash": {} } };
    expect((await new Validator().validate(broken)).valid).toBe(false);
  });

  it("has every route, with the roles that are enforced, and nothing twice", async () => {
    const { description, declared } = await described();
    expect(declared.length).toBeGreaterThan(Object.keys(routes).length);
    for (const { method, url, roles } of declared.filter((route) => route.method !== "HEAD")) {
      const operation = description.paths[url.replace(/:(\w+)/g, "{$1}")]?.[method.toLowerCase()];
      expect([method, url, operation?.["x-roles"]]).toEqual([method, url, [...roles]]);
      expect(Object.keys(operation?.responses ?? {})).toContain("default");
    }
    const names = Object.values(description.paths).flatMap((path) => Object.values(path).map((one) => one.operationId));
    expect(new Set(names).size).toBe(names.length);
    const text = JSON.stringify(description);
    for (const name of Object.keys(description.components.schemas))
      expect([name, text.includes(`"#/components/schemas/${name}"`)]).toEqual([name, true]);
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g))
      expect(description.components.schemas).toHaveProperty(name as string);
  });

  it("is what docs/api.md says of roles", async () => {
    const { declared } = await described();
    const page = readFileSync(join(import.meta.dirname, "../../docs/api.md"), "utf8");
    const rows = declared
      .filter(({ method }) => method !== "HEAD")
      .map(({ method, url, roles }) => `| \`${method} ${url}\` | ${roles.join(", ")} |`);
    const written = page.split("\n").filter((line) => /^\| `[A-Z]+ \//.test(line));
    const cells = written.map((line) => line.split("|").slice(0, 3).join("|").concat("|"));
    expect(cells.toSorted()).toEqual(rows.toSorted());
  });

  it("lets a planner ask without an id only what was looked at: its own work, or what everybody may know", async () => {
    const { declared } = await described();
    const without = declared
      .filter(({ method, url, roles }) => method !== "HEAD" && roles.includes("planner") && !url.includes(":id"))
      .map(({ method, url }) => `${method} ${url}`);
    expect(without.toSorted()).toEqual([
      "DELETE /mcp",
      "GET /mcp",
      "GET /v1/delegations",
      "GET /v1/events",
      "GET /v1/executors",
      "GET /v1/missions",
      "GET /v1/openapi.json",
      "GET /v1/plans",
      "GET /v1/policies",
      "GET /v1/policies/:name/explain",
      "GET /v1/status",
      "GET /v1/summaries",
      "POST /mcp",
      "POST /v1/delegations",
      "POST /v1/missions",
      "POST /v1/plans",
    ]);
  });
});

describe("a route without roles", () => {
  const planted = async (config: object | undefined) => {
    const app = fastify();
    const nobody = { find: () => undefined, findPlan: () => undefined, findMission: () => undefined };
    addRoles(app, openCallers(), nobody);
    app.get("/v1/known", { config: { roles: ["auditor"] } }, async () => "");
    app.get("/v1/planted", config ? { config } : {}, async () => "secret");
    try {
      await app.ready();
    } finally {
      await app.close();
    }
  };
  it("keeps the daemon from starting, by its name", async () => {
    for (const config of [undefined, {}, { roles: [] }, { roles: ["everybody"] }])
      await expect(planted(config)).rejects.toThrow("no role is declared for GET /v1/planted");
    await expect(planted({ roles: ["operator"] })).resolves.toBeUndefined();
  });
});
