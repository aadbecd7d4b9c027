/** MCP over streamable HTTP at /mcp, where a socket or the network is configured for it. What serves it is given from above. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";
import { errorAnswer } from "../domain/answers.ts";
import type { Caller } from "../domain/caller.ts";
import { type ErrorCode, SallyportError } from "../domain/error.ts";
import { type Callers, lentHeader } from "./callers.ts";

/** The API as one caller's, without a connection. */
export interface InnerApi {
  call<T>(method: "GET" | "POST", path: string, body?: unknown, signal?: AbortSignal): Promise<T>;
  bytes(path: string): Promise<Buffer>;
}

/** Serves MCP over an API; `src/mcp` has it. */
export type OpenMcp = (
  api: InnerApi,
  onerror: (error: Error) => void,
) => {
  handle(request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void>;
  close(): Promise<void>;
};

/** Adds the route to an API. */
export function addMcpRoute(
  app: FastifyInstance,
  callers: Callers,
  openMcp: OpenMcp,
  onerror: (error: Error) => void,
): void {
  const served = new Map<string, ReturnType<OpenMcp>>();
  const of = (caller: Caller) => {
    const key = JSON.stringify([caller.role, caller.planner]);
    const known = served.get(key) ?? openMcp(innerApi(app, callers, caller), onerror);
    served.set(key, known);
    return known;
  };
  app.addHook("onClose", async () => {
    for (const one of served.values()) await one.close();
  });
  for (const method of ["POST", "GET", "DELETE"] as const) {
    app.route({
      method,
      url: "/mcp",
      config: { roles: ["operator", "planner"] },
      exposeHeadRoute: false,
      schema: {
        summary: "MCP over streamable HTTP (modelcontextprotocol.io), where it is configured.",
        response: { default: errorAnswer },
      },
      handler: async ({ caller, raw, body }, reply) => {
        if (!caller.mcp)
          throw new SallyportError("not-found", `MCP is not served to ${caller.by}`, {
            next: "The operator writes `mcp: true` beside the socket or `listen` in config.yaml; or use `sallyport mcp`.",
          });
        reply.hijack();
        await of(caller)
          .handle(raw, reply.raw, body)
          .catch((error: unknown) => {
            onerror(error as Error);
            reply.raw.destroy();
          });
        return undefined;
      },
    });
  }
}

/** The caller's own requests, made inside the daemon: through the same routes, checks and rights. */
function innerApi(app: FastifyInstance, callers: Callers, caller: Caller): InnerApi {
  const send = async (method: "GET" | "POST", url: string, body?: unknown, signal?: AbortSignal) => {
    const lent = callers.lend(caller);
    try {
      const answer = await app.inject({
        method,
        url,
        headers: { host: "sallyport", [lentHeader]: lent },
        ...(body === undefined ? {} : { payload: body as object }),
        ...(signal ? { signal } : {}),
      });
      if (answer.statusCode < 400) return answer;
      const { error } = answer.json<{ error: { code: ErrorCode; message: string; next: string; at?: string } }>();
      throw new SallyportError(error.code, error.message, { next: error.next, ...(error.at ? { at: error.at } : {}) });
    } finally {
      callers.takeBack(lent);
    }
  };
  return {
    call: async <T>(method: "GET" | "POST", path: string, body?: unknown, signal?: AbortSignal) =>
      (await send(method, path, body, signal)).json<T>(),
    bytes: async (path) => (await send("GET", path)).rawPayload,
  };
}
