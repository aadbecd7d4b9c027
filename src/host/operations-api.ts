/** The API's routes for operations: they are the operator's alone. */
import type { FastifyInstance } from "fastify";
import { type ClearAnswer, clearBody, type DrainAnswer, drainBody } from "../domain/operations.ts";
import type { Clearing } from "./clearing.ts";
import type { Drain } from "./drain.ts";
import type { Lanes } from "./lanes.ts";
import type { Metrics } from "./metrics.ts";
import { parseRequest } from "./parse-request.ts";

export interface Operations {
  drain: Drain;
  lanes: Pick<Lanes, "status">;
  metrics: Pick<Metrics, "text">;
  clear: Pick<Clearing, "now">;
}

/** What may still be asked of a daemon that is ending. */
const whileDraining = /\/(?:drain|stop|discard)$/;

/** Adds the routes to an API. */
export function addOperationRoutes(app: FastifyInstance, { drain, lanes, metrics, clear }: Operations): void {
  const readers = { roles: ["operator", "auditor"] as const };
  const operator = { config: { roles: ["operator"] as const } };
  app.addHook("onRequest", async (request) => {
    if (request.method === "POST" && !whileDraining.test(request.routeOptions.url ?? "")) drain.refuse();
  });
  app.get("/v1/metrics", { config: readers }, async (_request, reply) => {
    const { type, body } = await metrics.text();
    return reply.type(type).send(body);
  });
  app.post("/v1/gc", operator, async (request): Promise<ClearAnswer> => {
    const { dryRun, older } = parseRequest(clearBody, request.body ?? {});
    return clear.now(dryRun, older === undefined ? undefined : older * 1000);
  });
  app.post("/v1/drain", operator, async (request, reply): Promise<DrainAnswer> => {
    const { seconds } = parseRequest(drainBody, request.body ?? {});
    // Once it is answered: where nothing runs, the end would cut the answer off.
    reply.raw.once("close", () => drain.thenEnd(seconds * 1000));
    const { running, waiting } = lanes.status();
    reply.status(202);
    return { draining: true, running, waiting: waiting.length };
  });
}
