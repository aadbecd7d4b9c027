/**
 * The same server over streamable HTTP, inside the daemon: each request is served by an instance of its own, so there is
 * no session that could outlive its caller's rights or be taken over; who asks was told before, by socket or token.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler } from "@modelcontextprotocol/server";
import type { Api } from "./api.ts";
import { mcpServer } from "./server.ts";

export interface HttpMcp {
  /** Answers one request whose body was read already. */
  handle(request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void>;
  close(): Promise<void>;
}

/** Serves one caller: what the tools may do is what `api` may. */
export function httpMcp(api: Api, onerror: (error: Error) => void): HttpMcp {
  const handler = createMcpHandler(() => mcpServer(api), { onerror });
  const handle = toNodeHandler(handler, { onerror });
  return {
    handle: (request, response, body) =>
      handle(request as Parameters<typeof handle>[0], response as Parameters<typeof handle>[1], body),
    close: () => handler.close(),
  };
}
