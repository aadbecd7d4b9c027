/** Plans in tests: a repository of separable parts, briefs for the scripted executor, and a whole turn. */
import type { Delegation } from "../../src/domain/delegation.ts";
import type { PlanView } from "../../src/domain/plan-record.ts";
import type { TestHost } from "./daemon.ts";
import { until } from "./leftovers.ts";
import type { TestRepository } from "./repository.ts";

const testOf = (name: string, source: string, call: string, expected: number) =>
  `import test from "node:test";\nimport assert from "node:assert/strict";\nimport * as it from "../src/${source}";\n\ntest(${JSON.stringify(name)}, () => assert.equal(it.${call}, ${expected}));\n`;

/** Three files that know nothing of each other, each with a green test, and one that imports two of them. */
export const parts: Readonly<Record<string, string>> = {
  "package.json": '{ "name": "parts", "private": true, "type": "module", "scripts": { "test": "node --test" } }\n',
  "src/one.js": "export const one = () => 1;\n",
  "src/two.js": "export const two = () => 2;\n",
  "src/three.js": "export const three = () => 3;\n",
  "test/one.test.js": testOf("one", "one.js", "one()", 1),
};

/** The policy of these tests: real tests, the scripted verifier. */
export const tested = {
  version: 1,
  extends: "quick",
  tests: { run: "node --test", report: "exit", evidence: ["test/**"] },
};

/** A brief of a plan. */
export function part(id: string, fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id,
    title: `Work of ${id}`,
    intent: "verdict approve",
    accept: [{ id: "A1", must: `the file of ${id} says what it should` }],
    executor: "scripted",
    policy: "tested",
    ...fields,
  };
}

/** A plan over `briefs` whose whole is approved by the scripted verifier. */
export const planOf = (briefs: Record<string, unknown>[], fields: Record<string, unknown> = {}) => ({
  title: "All parts",
  intent: "verdict approve",
  briefs,
  ...fields,
});

/** Sends a plan; gives its id. Throws where it is refused. */
export async function sendPlan(
  host: TestHost,
  repository: TestRepository,
  plan: object,
  more: Record<string, unknown> = {},
): Promise<string> {
  const { status, body } = await host.api("POST", "/v1/plans", {
    repository: repository.path,
    onto: "whole",
    plan,
    ...more,
  });
  if (status !== 201) throw new Error(`refused: ${status} ${body}`);
  return (JSON.parse(body) as { id: string }).id;
}

/** Waits until a plan rests. */
export function planRest(host: TestHost, id: string, seconds = 180): Promise<PlanView> {
  return until(
    `${id} at rest`,
    async () => {
      const { status, body } = await host.api("GET", `/v1/plans/${id}/wait?seconds=5`);
      if (status !== 200) throw new Error(`${status} ${body}`);
      const view = JSON.parse(body) as PlanView;
      return view.state === "running" ? undefined : view;
    },
    seconds,
  );
}

export async function planTurn(
  host: TestHost,
  repository: TestRepository,
  plan: object,
  more: Record<string, unknown> = {},
): Promise<PlanView> {
  return planRest(host, await sendPlan(host, repository, plan, more));
}

/** The delegation of a brief of a plan. */
export function briefRecord(host: TestHost, view: PlanView, id: string): Promise<Delegation> {
  return host.show(view.briefs.find((brief) => brief.id === id)?.delegation ?? "");
}
