/** The API's routes for plans: the same words as for delegations, with a plan's id. */
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import type { Entry } from "../domain/event.ts";
import { restingPlanStates } from "../domain/plan-record.ts";
import { hostOf } from "./delegation-api.ts";
import type { Host } from "./host.ts";
import { pageOf } from "./page-of.ts";
import { seenBy } from "./roles.ts";
import { serveRoute } from "./serve-route.ts";
import { followLog, waitUntil } from "./wait.ts";

/** Adds the routes to an API. */
export function addPlanRoutes(app: FastifyInstance, host: Host): void {
  const { store } = host;
  /** A line that is about the plan, or about a delegation of it. */
  const isAbout = (id: string) => {
    const { briefs, combined } = store.plan(id);
    const all = new Set([id, combined.delegation, ...briefs.map((brief) => brief.delegation)]);
    return (entry: Entry) => entry.delegation !== undefined && all.has(entry.delegation);
  };
  const rests = (id: string) => {
    const { state, combined } = store.plan(id);
    return restingPlanStates.has(state) && !store.find(combined.delegation)?.asked;
  };

  serveRoute(app, "GET /v1/plans", async ({ caller, query }) => {
    const mine = seenBy(caller, store.plans());
    const { page, ...rest } = pageOf(
      mine,
      query,
      ({ state }) => state,
      ({ id }) => host.viewPlan(id),
    );
    return { plans: page, ...rest };
  });
  serveRoute(app, "POST /v1/plans", async ({ caller, body }) => hostOf(host, caller).acceptPlan(body));
  serveRoute(app, "GET /v1/plans/:id", async ({ params }) => host.viewPlan(params.id));
  serveRoute(app, "GET /v1/plans/:id/wait", async ({ params: { id }, query: { seconds, since } }) => {
    const changed = () => rests(id) || (since !== undefined && host.viewPlan(id).updated !== since);
    await waitUntil(store.ledger, isAbout(id), changed, seconds);
    return host.viewPlan(id);
  });
  serveRoute(app, "GET /v1/plans/:id/diff", async ({ params }) => host.diff(params.id, undefined));
  serveRoute(app, "GET /v1/plans/:id/log", async ({ params: { id }, query: { follow, from } }) => {
    const lines = followLog(store.ledger, { from, matches: isAbout(id) }, () => !follow || rests(id));
    return Readable.from(lines);
  });
  serveRoute(app, "POST /v1/plans/:id/stop", async ({ caller, params }) => hostOf(host, caller).stop(params.id));
  serveRoute(app, "POST /v1/plans/:id/land", async ({ caller, params, body }) =>
    hostOf(host, caller).land(params.id, body.onto),
  );
  serveRoute(app, "POST /v1/plans/:id/act", async ({ caller, params, body }) =>
    hostOf(host, caller).act(params.id, body.action, body.again),
  );
  serveRoute(app, "POST /v1/plans/:id/verify", async ({ caller, params, body }) =>
    hostOf(host, caller).verify(params.id, body.onto),
  );
  serveRoute(app, "POST /v1/plans/:id/discard", async ({ caller, params }) => hostOf(host, caller).discard(params.id));
}
