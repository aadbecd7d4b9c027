/** The API's routes for plans: the same words as for delegations, with a plan's id. */
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { actBody, landBody, logQuery, planBody, planParams, waitQuery } from "../domain/api.ts";
import type { Entry } from "../domain/event.ts";
import { restingPlanStates } from "../domain/plan-record.ts";
import type { Host } from "./host.ts";
import { parseRequest } from "./parse-request.ts";
import { followLog, waitUntil } from "./wait.ts";

/** Adds the routes to an API. */
export function addPlanRoutes(app: FastifyInstance, host: Host): void {
  const { store } = host;
  const idOf = (params: unknown) => parseRequest(planParams, params).id;
  /** A line that is about the plan, or about a delegation of it. */
  const isAbout = (id: string) => {
    const { briefs, combined } = store.plan(id);
    const all = new Set([id, combined.delegation, ...briefs.map((brief) => brief.delegation)]);
    return (entry: Entry) => entry.delegation !== undefined && all.has(entry.delegation);
  };
  const rests = (id: string) => restingPlanStates.has(store.plan(id).state);

  app.get("/v1/plans", async () => ({ plans: store.plans().map(({ id }) => host.viewPlan(id)) }));
  app.post("/v1/plans", async (request, reply) => {
    const accepted = await host.acceptPlan(parseRequest(planBody, request.body));
    return reply.status(201).send(accepted);
  });
  app.get("/v1/plans/:id", async (request) => host.viewPlan(idOf(request.params)));
  app.get("/v1/plans/:id/wait", async (request) => {
    const id = idOf(request.params);
    const { seconds, since } = parseRequest(waitQuery, request.query);
    const changed = () => rests(id) || (since !== undefined && host.viewPlan(id).updated !== since);
    await waitUntil(store.ledger, isAbout(id), changed, seconds);
    return host.viewPlan(id);
  });
  app.get("/v1/plans/:id/diff", async (request, reply) =>
    reply.type("text/x-diff; charset=utf-8").send(await host.diff(idOf(request.params), undefined)),
  );
  app.get("/v1/plans/:id/log", async (request, reply) => {
    const id = idOf(request.params);
    const { follow, from } = parseRequest(logQuery, request.query);
    const lines = followLog(store.ledger, { from, matches: isAbout(id) }, () => !follow || rests(id));
    return reply.type("application/x-ndjson").send(Readable.from(lines));
  });
  app.post("/v1/plans/:id/stop", async (request) => host.stop(idOf(request.params)));
  app.post("/v1/plans/:id/land", async (request) =>
    host.land(idOf(request.params), parseRequest(landBody, request.body ?? {}).onto),
  );
  app.post("/v1/plans/:id/act", async (request) => {
    const { action, again } = parseRequest(actBody, request.body);
    return host.act(idOf(request.params), action, again);
  });
  app.post("/v1/plans/:id/verify", async (request) =>
    host.verify(idOf(request.params), parseRequest(landBody, request.body ?? {}).onto),
  );
  app.post("/v1/plans/:id/discard", async (request) => host.discard(idOf(request.params)));
}
