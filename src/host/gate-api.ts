/** The API's routes for the gate: how it stands, canaries now, open and close. */
import type { FastifyInstance } from "fastify";
import { calibrateBody, canaryParams, gateBody } from "../domain/api.ts";
import type { Host } from "./host.ts";
import { parseRequest } from "./parse-request.ts";

/** Adds the routes to an API. */
export function addGateRoutes(app: FastifyInstance, host: Host): void {
  app.get("/v1/gate", async () => host.gate.status());
  app.post("/v1/gate/calibrate", async (request, reply) => {
    const answer = await host.gate.calibrate(parseRequest(calibrateBody, request.body ?? {}));
    return reply.status(201).send(answer);
  });
  app.get("/v1/gate/canaries/:id", async (request) => host.gate.canary(parseRequest(canaryParams, request.params).id));
  app.post("/v1/gate/open", async (request) => {
    const { reason, who } = parseRequest(gateBody, request.body);
    return host.gate.open(reason, who);
  });
  app.post("/v1/gate/close", async (request) => {
    const { reason, who } = parseRequest(gateBody, request.body);
    return host.gate.close(reason, who);
  });
}
