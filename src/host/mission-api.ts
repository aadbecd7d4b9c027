/** The API's routes for missions. */
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import type { Entry } from "../domain/event.ts";
import { hostOf } from "./delegation-api.ts";
import type { Host } from "./host.ts";
import { pageOf } from "./page-of.ts";
import { seenBy } from "./roles.ts";
import { serveRoute } from "./serve-route.ts";
import { followLog, waitUntil } from "./wait.ts";

/** Adds the routes to an API. */
export function addMissionRoutes(app: FastifyInstance, host: Host): void {
  const { store } = host;
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

  serveRoute(app, "GET /v1/missions", async ({ caller, query }) => {
    const mine = seenBy(caller, store.missions());
    const view = ({ id }: { id: string }) => host.viewMission(id);
    const { page, ...rest } = pageOf(mine, query, (one) => view(one).state, view);
    return { missions: page, ...rest };
  });
  serveRoute(app, "POST /v1/missions", async ({ caller, body }) => ({
    id: await hostOf(host, caller).acceptMission(body),
  }));
  serveRoute(app, "GET /v1/missions/:id", async ({ params }) => host.viewMission(params.id));
  serveRoute(app, "GET /v1/missions/:id/wait", async ({ params: { id }, query: { seconds, since } }) => {
    const about = isAbout(id);
    const changed = () => {
      const view = host.viewMission(id);
      return (view.rests && !view.plan?.combined.asked) || (since !== undefined && view.updated !== since);
    };
    await waitUntil(store.ledger, (entry) => about(entry) === true, changed, seconds);
    return host.viewMission(id);
  });
  serveRoute(app, "GET /v1/missions/:id/log", async ({ params: { id }, query: { follow, from } }) => {
    const about = isAbout(id);
    const which = { from, matches: (entry: Entry) => about(entry) === true };
    return Readable.from(followLog(store.ledger, which, () => !follow || host.viewMission(id).rests));
  });
  serveRoute(app, "GET /v1/missions/:id/diff", async ({ params }) =>
    host.diff(store.mission(params.id).plan, undefined),
  );
  serveRoute(app, "POST /v1/missions/:id/stop", async ({ caller, params }) => hostOf(host, caller).stop(params.id));
  serveRoute(app, "POST /v1/missions/:id/land", async ({ caller, params, body }) =>
    hostOf(host, caller).land(params.id, body.onto),
  );
  serveRoute(app, "POST /v1/missions/:id/act", async ({ caller, params, body }) =>
    hostOf(host, caller).act(params.id, body.action, body.again),
  );
  serveRoute(app, "POST /v1/missions/:id/verify", async ({ caller, params, body }) =>
    hostOf(host, caller).verify(params.id, body.onto),
  );
  serveRoute(app, "POST /v1/missions/:id/discard", async ({ caller, params }) =>
    hostOf(host, caller).discard(params.id),
  );
}
