/** The figures of a real daemon that did real work: their form, their values, their labels; and that what asks for them is there. */
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse } from "yaml";
import { openMetrics } from "../../src/host/metrics.ts";
import { root } from "../e2e/cli.ts";
import { openHost, type TestHost } from "../e2e/daemon.ts";

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

let host: TestHost;
let port: number;
beforeAll(async () => {
  port = await freePort();
  host = await openHost({ config: { metrics: { port } } });
}, 600_000);
afterAll(() => host?.close());

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** Prometheus' text format, version 0.0.4, read strictly: a line that is not of it fails. */
function read(body: string): { samples: Sample[]; types: Map<string, string> } {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  expect(body.endsWith("\n")).toBe(true);
  for (const line of body.split("\n").filter(Boolean)) {
    const type = /^# TYPE ([a-z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary)$/.exec(line);
    if (type) {
      expect(types.has(type[1] ?? ""), line).toBe(false);
      types.set(type[1] ?? "", type[2] ?? "");
      continue;
    }
    if (/^# HELP [a-z_:][a-zA-Z0-9_:]* \S/.test(line)) continue;
    const found = /^([a-z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (\S+)$/.exec(line);
    expect(found, line).not.toBeNull();
    const labels = Object.fromEntries(
      [...(found?.[2] ?? "").matchAll(/([a-z_]\w*)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [
        name,
        value ?? "",
      ]),
    ) as Record<string, string>;
    samples.push({ name: found?.[1] ?? "", labels, value: Number(found?.[3]) });
  }
  return { samples, types };
}

const scrape = async () => {
  const { status, body } = await host.api("GET", "/v1/metrics");
  expect(status).toBe(200);
  const { samples, types } = read(body);
  const value = (name: string, labels: Record<string, string> = {}) =>
    samples.find((one) => one.name === name && Object.entries(labels).every(([key, of]) => one.labels[key] === of))
      ?.value;
  return { samples, types, value };
};

const get = (headers: Record<string, string>, path = "/metrics", method = "GET") =>
  new Promise<{ status: number; body: string }>((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, method, headers, timeout: 10_000 }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
    });
    asked.once("error", reject).end();
  });

it("counts what was done, and says nothing of whose it was", { timeout: 200_000 }, async () => {
  const before = await scrape();
  expect(before.value("sallyport_delegations", { state: "approved" })).toBe(0);
  expect(before.value("sallyport_gate_open")).toBe(1);
  expect(before.value("sallyport_gateway_starts_total")).toBe(1);
  const repository = host.repository();
  const probe = "node -e 'fetch(\"http://secret-name.example/\").catch(()=>{})' || true; ";
  const record = await host.turn(repository, { instructions: `${probe}sed -i s/Math.floor/Math.round/ src/money.js` });
  expect(record.state).toBe("approved");
  const rejected = await host.turn(host.repository(), { intent: "verdict reject" });
  expect(rejected.state).toBe("stuck");
  const { samples, value } = await scrape();
  expect(value("sallyport_delegations", { state: "approved" })).toBe(1);
  expect(value("sallyport_delegations_ended_total", { state: "approved", executor: "scripted" })).toBe(1);
  expect(value("sallyport_verdicts_total", { decision: "approve" })).toBe(1);
  expect(value("sallyport_verdicts_total", { decision: "reject" })).toBeGreaterThan(0);
  expect(value("sallyport_attempts_total", { outcome: "rejected-by-verifier" })).toBeGreaterThan(0);
  expect(value("sallyport_sandbox_start_seconds_count", { role: "executor" })).toBeGreaterThan(1);
  expect(value("sallyport_ledger_append_seconds_count")).toBeGreaterThan(5);
  expect(value("sallyport_ledger_head_seq")).toBeGreaterThan(10);
  expect(value("sallyport_lanes")).toBe(2);
  // No label of ours holds an id, a path, an address or a name of a host.
  const own = samples.filter(({ name }) => name.startsWith("sallyport_"));
  expect(own.length).toBeGreaterThan(40);
  for (const { name, labels } of own)
    for (const text of Object.values(labels)) expect(text, name).toMatch(/^(?:[a-z0-9-]{0,40}|\+Inf|[\d.]+)$/);
  expect(JSON.stringify(own)).not.toMatch(/[cdps]-[a-z2-7]{16}|secret-name|example/);
});

it("by Prometheus' conventions: base units, and counters that end in _total", async () => {
  const { types } = await scrape();
  const own = [...types].filter(([name]) => name.startsWith("sallyport_"));
  for (const [name, type] of own) {
    expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"]);
    expect(name).not.toMatch(/milliseconds|microusd|_ms\b|percent/);
    if (type === "histogram") expect(name).toMatch(/_seconds$/);
  }
});

it("on its own port for this machine alone: one path, no foreign Host, no page", async () => {
  const good = await get({ host: `127.0.0.1:${port}` });
  expect(good.status).toBe(200);
  expect(read(good.body).types.get("sallyport_build_info")).toBe("gauge");
  expect((await get({ host: `evil.example:${port}` })).status).toBe(403);
  expect((await get({ host: `127.0.0.1:${port}`, origin: "http://127.0.0.1" })).status).toBe(403);
  expect((await get({ host: `127.0.0.1:${port}` }, "/v1/status")).status).toBe(404);
  expect((await get({ host: `127.0.0.1:${port}` }, "/metrics", "POST")).status).toBe(404);
});

it("every query of the dashboard and of the alerts asks for a figure that there is", async () => {
  const body = (await openMetrics().text()).body;
  const there = new Set(read(body).types.keys());
  expect(there.size).toBeGreaterThan(40);
  const dashboard = JSON.parse(readFileSync(join(root, "packaging/grafana/sallyport.json"), "utf8")) as {
    panels: { id: number; type: string; targets?: { expr: string }[] }[];
  };
  const rules = parse(readFileSync(join(root, "packaging/prometheus/sallyport.rules.yml"), "utf8")) as {
    groups: { rules: { alert: string; expr: string; annotations: { next: string } }[] }[];
  };
  const alerts = rules.groups.flatMap((group) => group.rules);
  const queries = [
    ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...alerts.map(({ expr }) => expr),
  ];
  const asked = new Set(queries.flatMap((query) => query.match(/\b(?:sallyport|process|nodejs)_\w+/g) ?? []));
  for (const name of asked) expect(there, name).toContain(name.replace(/_(?:bucket|sum|count)$/, ""));
  // And the other way round: no figure of ours that nobody looks at.
  const seen = [...asked].map((name) => name.replace(/_(?:bucket|sum|count)$/, ""));
  expect([...there].filter((name) => name.startsWith("sallyport_") && !seen.includes(name))).toEqual([]);
  const ids = dashboard.panels.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { alert, annotations } of alerts) expect(annotations.next, alert).toMatch(/\w/);
});
