/** Serves a route of the table: what it takes is checked by its schema, and whoever may not use it is refused before. */
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchemaCompiler } from "fastify";
import { errorAnswer } from "../domain/answers.ts";
import type { Caller } from "../domain/caller.ts";
import {
  type RouteAnswer,
  type RouteInput,
  type RouteKey,
  type RouteShape,
  routes,
  streams,
} from "../domain/routes.ts";
import { parseRequest } from "./parse-request.ts";

/** What a handler is given: the route's own input, who asks, and the request and reply for what is no JSON. */
export type Served<K extends RouteKey> = RouteInput<K> & {
  caller: Caller;
  request: FastifyRequest;
  reply: FastifyReply;
};

/** Adds one route of the table to an API. */
export function serveRoute<K extends RouteKey>(
  app: FastifyInstance,
  key: K,
  handler: (served: Served<K>) => Promise<RouteAnswer<K>>,
): void {
  const route: RouteShape = routes[key];
  const [method = "", url = ""] = key.split(" ");
  const { params, query, body, what, roles, answer, status } = route;
  const ok = typeof answer === "string" ? streamed(answer) : answer;
  app.route({
    method,
    url,
    config: { roles },
    // A stream without an end has no head to ask for.
    exposeHeadRoute: answer !== "events",
    schema: {
      summary: what,
      ...(params ? { params } : {}),
      ...(query ? { querystring: query } : {}),
      ...(body ? { body } : {}),
      response: { [status ?? 200]: ok, default: errorAnswer },
    },
    handler: async (request, reply) => {
      if (status !== undefined) reply.status(status);
      if (typeof answer === "string") reply.type(`${streams[answer].type}; charset=utf-8`);
      const { caller } = request;
      const input = { params: request.params, query: request.query, body: request.body };
      return handler({ ...input, caller, request, reply } as unknown as Served<K>);
    },
  });
}

function streamed(kind: keyof typeof streams) {
  const { type, what, schema } = streams[kind];
  return { description: what, content: { [type]: { schema } } };
}

/** Checks by zod schemas, in the error form of the house. A body that was left out is an empty one. */
export const checkByZod: FastifySchemaCompiler<Parameters<typeof parseRequest>[0]> =
  ({ schema, httpPart }) =>
  (value) => {
    try {
      return { value: parseRequest(schema, httpPart === "body" ? (value ?? {}) : value) };
    } catch (error) {
      return { error: error as Error };
    }
  };

/**
 * An answer is sent as the handler made it. A serialiser that follows the schema would drop what the schema does not name,
 * or refuse it: the description may lag behind, the answer may not. A test holds the one to the other.
 */
export const sendAsMade = () => (value: unknown) => JSON.stringify(value);
