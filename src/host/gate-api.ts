/** The API's routes for the gate: how it stands, canaries now, open and close. */
import type { FastifyInstance } from "fastify";
import type { Host } from "./host.ts";
import { serveRoute } from "./serve-route.ts";

/** Adds the routes to an API. */
export function addGateRoutes(app: FastifyInstance, { gate }: Host): void {
  serveRoute(app, "GET /v1/gate", async () => gate.status());
  serveRoute(app, "POST /v1/gate/calibrate", async ({ body }) => gate.calibrate(body));
  serveRoute(app, "GET /v1/gate/canaries/:id", async ({ params }) => gate.canary(params.id));
  serveRoute(app, "POST /v1/gate/open", async ({ body: { reason, who } }) => gate.open(reason, who));
  serveRoute(app, "POST /v1/gate/close", async ({ body: { reason, who } }) => gate.close(reason, who));
}
