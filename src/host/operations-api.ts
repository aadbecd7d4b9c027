/** The API's routes for operations. */
import type { FastifyInstance } from "fastify";
import type { Clearing } from "./clearing.ts";
import type { Drain } from "./drain.ts";
import type { Lanes } from "./lanes.ts";
import type { Metrics } from "./metrics.ts";
import { serveRoute } from "./serve-route.ts";

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
  app.addHook("onRequest", async (request) => {
    if (request.method === "POST" && !whileDraining.test(request.routeOptions.url ?? "")) drain.refuse();
  });
  serveRoute(app, "GET /v1/metrics", async () => (await metrics.text()).body);
  serveRoute(app, "POST /v1/gc", async ({ body: { dryRun, older } }) =>
    clear.now(dryRun, older === undefined ? undefined : older * 1000),
  );
  serveRoute(app, "POST /v1/drain", async ({ body, reply }) => {
    // Once it is answered: where nothing runs, the end would cut the answer off.
    reply.raw.once("close", () => drain.thenEnd(body.seconds * 1000));
    const { running, waiting } = lanes.status();
    return { draining: true as const, running: [...running], waiting: waiting.length };
  });
}
