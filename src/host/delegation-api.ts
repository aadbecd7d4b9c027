/** The API's routes for the daemon as a whole and for delegations. */
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { type Caller, operatorsPlanner } from "../domain/caller.ts";
import { type Delegation, restingStates } from "../domain/delegation.ts";
import type { Entry } from "../domain/event.ts";
import { costOf } from "./cost-of.ts";
import type { Host } from "./host.ts";
import { pageOf } from "./page-of.ts";
import { seenBy, sees } from "./roles.ts";
import { serveRoute } from "./serve-route.ts";
import { followLog, waitUntil } from "./wait.ts";

/** Whether nothing of a delegation goes on by itself: it rests, and nobody lands it. */
const isQuiet = ({ state, asked }: Delegation) => restingStates.has(state) && !asked;

/** The host's words as a caller's planner says them; an auditor has none, and is shown the operator's. */
export const hostOf = (host: Host, { planner }: Caller): Host => host.as(planner ?? operatorsPlanner);

/** Adds the routes to an API. */
export function addDelegationRoutes(app: FastifyInstance, host: Host): void {
  const { store } = host;
  serveRoute(app, "GET /v1/status", async ({ caller }) => {
    const { anchors = [], ...rest } = hostOf(host, caller).status((id) => sees(store, caller, id));
    return caller.role === "planner" ? rest : { ...rest, anchors };
  });
  serveRoute(app, "GET /v1/delegations", async ({ caller, query }) => {
    const { page, ...rest } = pageOf(
      seenBy(caller, store.list()),
      query,
      ({ state }) => state,
      (one) => one,
    );
    return { delegations: page, ...rest };
  });
  serveRoute(app, "POST /v1/delegations", async ({ caller, body }) => ({
    id: await hostOf(host, caller).delegate(body),
  }));
  serveRoute(app, "GET /v1/delegations/:id", async ({ params }) => store.record(params.id));
  serveRoute(app, "GET /v1/delegations/:id/wait", async ({ params: { id }, query: { seconds, since } }) => {
    const changed = () => {
      const record = store.record(id);
      return isQuiet(record) || (since !== undefined && record.updated !== since);
    };
    await waitUntil(store.ledger, (entry) => entry.delegation === id, changed, seconds);
    return store.record(id);
  });
  serveRoute(app, "GET /v1/delegations/:id/diff", async ({ params, query }) => host.diff(params.id, query.attempt));
  serveRoute(app, "GET /v1/delegations/:id/log", async ({ params: { id }, query: { follow, from } }) => {
    store.record(id);
    const which = { from, delegation: id, matches: (entry: Entry) => entry.delegation === id };
    const ends = () => !follow || isQuiet(store.record(id));
    return Readable.from(followLog(store.ledger, which, ends));
  });
  serveRoute(app, "GET /v1/cost/:id", async ({ params }) => costOf(store, params.id));
  serveRoute(app, "GET /v1/policies", async () => ({ policies: await host.policies() }));
  serveRoute(app, "GET /v1/executors", async ({ query: { since } }) =>
    host.trackRecords(since === undefined ? undefined : new Date(since)),
  );
  serveRoute(app, "POST /v1/delegations/:id/stop", async ({ caller, params }) => hostOf(host, caller).stop(params.id));
  serveRoute(app, "POST /v1/delegations/:id/land", async ({ caller, params, body }) =>
    hostOf(host, caller).land(params.id, body.onto),
  );
  serveRoute(app, "POST /v1/delegations/:id/act", async ({ caller, params, body }) =>
    hostOf(host, caller).act(params.id, body.action, body.again),
  );
  serveRoute(app, "POST /v1/delegations/:id/verify", async ({ caller, params, body }) =>
    hostOf(host, caller).verify(params.id, body.onto),
  );
  serveRoute(app, "POST /v1/delegations/:id/discard", async ({ caller, params }) =>
    hostOf(host, caller).discard(params.id),
  );
}
