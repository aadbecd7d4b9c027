/** The API's routes for whoever looks: rows, pages, the chain, and why a policy decides as it does. They change nothing. */
import type { FastifyInstance } from "fastify";
import { idParams, missionParams, planParams } from "../domain/api.ts";
import { chainQuery, explainQuery, pageQuery, policyParams, summariesQuery } from "../domain/page.ts";
import type { Host } from "./host.ts";
import { parseRequest } from "./parse-request.ts";

/** Who looks at everything; a planner sees its own work by the routes of delegations. */
const watchers = { config: { roles: ["operator", "auditor"] } };
const everybody = { config: { roles: ["operator", "planner", "auditor"] } };

/** Adds the routes to an API. */
export function addPageRoutes(app: FastifyInstance, { pages }: Host): void {
  app.get("/v1/summaries", watchers, async (request) => pages.summaries(parseRequest(summariesQuery, request.query)));
  app.get("/v1/chain", watchers, async (request) => pages.chain(parseRequest(chainQuery, request.query).again));
  app.get("/v1/delegations/:id/page", watchers, async (request) => {
    const { id } = parseRequest(idParams, request.params);
    return pages.delegation(id, parseRequest(pageQuery, request.query).patches);
  });
  app.get("/v1/plans/:id/page", watchers, async (request) => pages.plan(parseRequest(planParams, request.params).id));
  app.get("/v1/missions/:id/page", watchers, async (request) =>
    pages.plan(parseRequest(missionParams, request.params).id),
  );
  app.get("/v1/policies/:name/explain", everybody, async (request) => {
    const { name } = parseRequest(policyParams, request.params);
    return pages.explain(name, parseRequest(explainQuery, request.query).request);
  });
}
