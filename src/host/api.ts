/** The HTTP API on the daemon's Unix socket. File permissions on the socket are the authorisation. */

import { Readable } from "node:stream";
import fastify, { type FastifyInstance } from "fastify";
import {
  actBody,
  costParams,
  delegateBody,
  diffQuery,
  executorsQuery,
  idParams,
  landBody,
  logQuery,
  waitQuery,
} from "../domain/api.ts";
import { type Delegation, restingStates } from "../domain/delegation.ts";
import { asSallyportError, exitCode, SallyportError } from "../domain/error.ts";
import type { Entry } from "../domain/event.ts";
import { costOf } from "./cost-of.ts";
import { addGateRoutes } from "./gate-api.ts";
import type { Host } from "./host.ts";
import { addMissionRoutes } from "./mission-api.ts";
import { addPageRoutes } from "./page-api.ts";
import { parseRequest } from "./parse-request.ts";
import { addPlanRoutes } from "./plan-api.ts";
import { followLog, waitUntil } from "./wait.ts";

const statusOf: Record<number, number> = {
  [exitCode.usage]: 400,
  [exitCode.refused]: 403,
  [exitCode.rejected]: 409,
  [exitCode.failed]: 500,
};
const notFound = 404;

/** Whether nothing of a delegation goes on by itself: it rests, and nobody lands it. */
const isQuiet = ({ state, asked }: Delegation) => restingStates.has(state) && !asked;

/** The routes over a host. The caller listens. */
export function buildApi(host: Host): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: 48 * 1024 * 1024,
    forceCloseConnections: true,
    // A key such as __proto__ in a body is an error, not a surprise (ATTACKS A2).
    onProtoPoisoning: "error",
    onConstructorPoisoning: "error",
  });
  app.setErrorHandler((thrown: unknown, _request, reply) => {
    const status = (thrown as { statusCode?: number }).statusCode;
    // The server's own word on a request (RFC 9110, 15.5): a body too large, of another type, not JSON.
    if (status !== undefined && status >= 400 && status < 500 && !(thrown instanceof SallyportError)) {
      const next = "Correct the request.";
      const error = new SallyportError("request-invalid", (thrown as Error).message, { next });
      return reply.status(status).send({ error });
    }
    const error = asSallyportError(thrown);
    if (error.exitCode === exitCode.failed) host.log.error({ err: thrown }, "request failed");
    return reply.status(error.code === "not-found" ? notFound : (statusOf[error.exitCode] ?? 500)).send({ error });
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new SallyportError("not-found", `there is no ${request.method} ${request.url.slice(0, 200)}`, {
      next: "See the README for the API.",
    });
    return reply.status(notFound).send({ error });
  });
  // A browser page cannot reach a Unix socket; a proxy in front of it can be asked to. Browsers always send Origin.
  app.addHook("onRequest", async (request) => {
    if (request.headers.origin !== undefined) {
      throw new SallyportError("request-invalid", "requests from web pages are refused", {
        next: "Use the command line.",
      });
    }
  });

  app.get("/v1/status", async () => host.status());
  app.get("/v1/delegations", async () => ({ delegations: host.store.list() }));
  app.post("/v1/delegations", async (request, reply) => {
    const id = await host.delegate(parseRequest(delegateBody, request.body));
    return reply.status(201).send({ id });
  });
  app.get("/v1/delegations/:id", async (request) => host.store.record(parseRequest(idParams, request.params).id));
  app.get("/v1/delegations/:id/wait", async (request) => {
    const { id } = parseRequest(idParams, request.params);
    const { seconds, since } = parseRequest(waitQuery, request.query);
    const changed = () => {
      const record = host.store.record(id);
      return restingStates.has(record.state) || (since !== undefined && record.updated !== since);
    };
    await waitUntil(host.store.ledger, (entry) => entry.delegation === id, changed, seconds);
    return host.store.record(id);
  });
  app.get("/v1/delegations/:id/diff", async (request, reply) => {
    const { id } = parseRequest(idParams, request.params);
    return reply
      .type("text/x-diff; charset=utf-8")
      .send(await host.diff(id, parseRequest(diffQuery, request.query).attempt));
  });
  app.get("/v1/delegations/:id/log", async (request, reply) => {
    const { id } = parseRequest(idParams, request.params);
    host.store.record(id);
    const { follow, from } = parseRequest(logQuery, request.query);
    const which = { from, delegation: id, matches: (entry: Entry) => entry.delegation === id };
    const ends = () => !follow || isQuiet(host.store.record(id));
    return reply.type("application/x-ndjson").send(Readable.from(followLog(host.store.ledger, which, ends)));
  });
  app.get("/v1/cost/:id", async (request) => costOf(host.store, parseRequest(costParams, request.params).id));
  app.get("/v1/policies", async () => ({ policies: await host.policies() }));
  app.get("/v1/executors", async (request) => {
    const { since } = parseRequest(executorsQuery, request.query);
    return host.trackRecords(since === undefined ? undefined : new Date(since));
  });
  app.post("/v1/delegations/:id/stop", async (request) => host.stop(parseRequest(idParams, request.params).id));
  app.post("/v1/delegations/:id/land", async (request) => {
    const { id } = parseRequest(idParams, request.params);
    return host.land(id, parseRequest(landBody, request.body ?? {}).onto);
  });
  app.post("/v1/delegations/:id/act", async (request) => {
    const { action, again } = parseRequest(actBody, request.body);
    return host.act(parseRequest(idParams, request.params).id, action, again);
  });
  app.post("/v1/delegations/:id/verify", async (request) => {
    const { id } = parseRequest(idParams, request.params);
    return host.verify(id, parseRequest(landBody, request.body ?? {}).onto);
  });
  app.post("/v1/delegations/:id/discard", async (request) => host.discard(parseRequest(idParams, request.params).id));
  addGateRoutes(app, host);
  addPlanRoutes(app, host);
  addMissionRoutes(app, host);
  addPageRoutes(app, host);
  return app;
}
