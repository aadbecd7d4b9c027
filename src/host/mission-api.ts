/** The API's routes for missions. */
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { actBody, landBody, logQuery, missionBody, missionParams, waitQuery } from "../domain/api.ts";
import type { Entry } from "../domain/event.ts";
import type { Host } from "./host.ts";
import { parseRequest } from "./parse-request.ts";
import { followLog, waitUntil } from "./wait.ts";

/** Adds the routes to an API. */
export function addMissionRoutes(app: FastifyInstance, host: Host): void {
  const { store } = host;
  const idOf = (params: unknown) => parseRequest(missionParams, params).id;
  /** A line about the mission, its plan, or a delegation of that. The plan may come while somebody follows. */
  const isAbout = (id: string) => {
    const { plan: planId } = store.mission(id);
    return ({ delegation }: Entry) => {
      if (delegation === undefined) return false;
      if (delegation === id || delegation === planId) return true;
      const plan = store.findPlan(planId);
      return plan?.combined.delegation === delegation || plan?.briefs.some((one) => one.delegation === delegation);
    };
  };

  app.get("/v1/missions", async () => ({ missions: store.missions().map(({ id }) => host.viewMission(id)) }));
  app.post("/v1/missions", async (request, reply) => {
    const id = await host.acceptMission(parseRequest(missionBody, request.body));
    return reply.status(201).send({ id });
  });
  app.get("/v1/missions/:id", async (request) => host.viewMission(idOf(request.params)));
  app.get("/v1/missions/:id/wait", async (request) => {
    const id = idOf(request.params);
    const { seconds, since } = parseRequest(waitQuery, request.query);
    const about = isAbout(id);
    const changed = () => {
      const view = host.viewMission(id);
      return view.rests || (since !== undefined && view.updated !== since);
    };
    await waitUntil(store.ledger, (entry) => about(entry) === true, changed, seconds);
    return host.viewMission(id);
  });
  app.get("/v1/missions/:id/log", async (request, reply) => {
    const id = idOf(request.params);
    const { follow, from } = parseRequest(logQuery, request.query);
    const about = isAbout(id);
    const which = { from, matches: (entry: Entry) => about(entry) === true };
    const lines = followLog(store.ledger, which, () => !follow || host.viewMission(id).rests);
    return reply.type("application/x-ndjson").send(Readable.from(lines));
  });
  app.get("/v1/missions/:id/diff", async (request, reply) => {
    const { plan } = store.mission(idOf(request.params));
    return reply.type("text/x-diff; charset=utf-8").send(await host.diff(plan, undefined));
  });
  app.post("/v1/missions/:id/stop", async (request) => host.stop(idOf(request.params)));
  app.post("/v1/missions/:id/act", async (request) => {
    const { action, again } = parseRequest(actBody, request.body);
    return host.act(idOf(request.params), action, again);
  });
  app.post("/v1/missions/:id/verify", async (request) =>
    host.verify(idOf(request.params), parseRequest(landBody, request.body ?? {}).onto),
  );
  app.post("/v1/missions/:id/land", async (request) =>
    host.land(idOf(request.params), parseRequest(landBody, request.body ?? {}).onto),
  );
  app.post("/v1/missions/:id/discard", async (request) => host.discard(idOf(request.params)));
}
