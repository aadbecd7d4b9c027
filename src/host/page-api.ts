/** The API's routes for whoever looks: rows, pages, the chain, and why a policy decides as it does. They change nothing. */
import type { FastifyInstance } from "fastify";
import type { Host } from "./host.ts";
import { sees } from "./roles.ts";
import { serveRoute } from "./serve-route.ts";

/** Adds the routes to an API. */
export function addPageRoutes(app: FastifyInstance, { pages, store }: Host): void {
  serveRoute(app, "GET /v1/summaries", async ({ caller, query }) =>
    pages.summaries(query, caller.role === "planner" ? (id) => sees(store, caller, id) : undefined),
  );
  serveRoute(app, "GET /v1/chain", async ({ query }) => pages.chain(query.again));
  serveRoute(app, "GET /v1/delegations/:id/page", async ({ params, query }) =>
    pages.delegation(params.id, query.patches),
  );
  serveRoute(app, "GET /v1/plans/:id/page", async ({ params }) => pages.plan(params.id));
  serveRoute(app, "GET /v1/missions/:id/page", async ({ params }) => pages.plan(params.id));
  serveRoute(app, "GET /v1/policies/:name/explain", async ({ params, query }) =>
    pages.explain(params.name, query.request),
  );
}
