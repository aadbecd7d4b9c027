/** The HTTP API: its routes over a host, who may use them, and how errors are told. The callers listen. */
import fastify, { type FastifyInstance } from "fastify";
import { asSallyportError, exitCode, SallyportError } from "../domain/error.ts";
import type { Callers } from "./callers.ts";
import { addDelegationRoutes } from "./delegation-api.ts";
import { addDescription } from "./describe-api.ts";
import { addEventRoute } from "./event-api.ts";
import type { FeedOptions } from "./event-feed.ts";
import { addGateRoutes } from "./gate-api.ts";
import type { Host } from "./host.ts";
import { addMcpRoute, type OpenMcp } from "./mcp-api.ts";
import { addMissionRoutes } from "./mission-api.ts";
import { addOperationRoutes, type Operations } from "./operations-api.ts";
import { addPageRoutes } from "./page-api.ts";
import { addPlanRoutes } from "./plan-api.ts";
import { addRoles } from "./roles.ts";
import { checkByZod, sendAsMade } from "./serve-route.ts";

const statusOf: Record<number, number> = {
  [exitCode.usage]: 400,
  [exitCode.refused]: 403,
  [exitCode.rejected]: 409,
  [exitCode.failed]: 500,
};
/** Where the code says more than its exit code: RFC 9110 (15.5.2, 15.5.5) and RFC 6585 (4). */
const statusOfCode: Record<string, number> = { "not-found": 404, "token-refused": 401, "rate-limited": 429 };

/** The routes over a host. The caller listens. */
export async function buildApi(
  host: Host,
  callers: Callers,
  more: { operations: Operations; mcp?: OpenMcp | undefined; feed?: Partial<FeedOptions> | undefined },
): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: 48 * 1024 * 1024,
    forceCloseConnections: true,
    // A key such as __proto__ in a body is an error, not a surprise (ATTACKS A2).
    onProtoPoisoning: "error",
    onConstructorPoisoning: "error",
  });
  app.setValidatorCompiler(checkByZod);
  app.setSerializerCompiler(sendAsMade);
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
    if (error.code === "token-refused") reply.header("www-authenticate", 'Bearer realm="sallyport"');
    // Whoever is not known keeps no connection.
    if (error.code === "token-refused" || error.code === "rate-limited") reply.header("connection", "close");
    return reply.status(statusOfCode[error.code] ?? statusOf[error.exitCode] ?? 500).send({ error });
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new SallyportError("not-found", `there is no ${request.method} ${request.url.slice(0, 200)}`, {
      next: "See docs/api.md for the API.",
    });
    return reply.status(404).send({ error });
  });
  const { routes } = addRoles(app, callers, host.store);
  app.decorate("declaredRoutes", routes);
  await addDescription(app);
  addDelegationRoutes(app, host);
  addPlanRoutes(app, host);
  addMissionRoutes(app, host);
  addGateRoutes(app, host);
  addEventRoute(app, host, more.feed);
  addPageRoutes(app, host);
  addOperationRoutes(app, more.operations);
  if (more.mcp) addMcpRoute(app, callers, more.mcp, (error) => host.log.warn({ err: error }, "MCP"));
  return app;
}
