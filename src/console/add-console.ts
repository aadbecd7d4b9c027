/** The pages as routes of the daemon's own listener, where it has one that browsers reach. Who may read is that listener's. */
import type { Bundle } from "./bundle.ts";
import { cacheOf, pageHeaders } from "./page-headers.ts";

/** What is used of a server: a fastify instance is one. */
export interface ConsoleRoutes {
  get(
    path: string,
    options: { config: { roles: ("operator" | "auditor")[] } },
    handler: (request: unknown, reply: ConsoleReply) => unknown,
  ): unknown;
}
interface ConsoleReply {
  headers(values: Record<string, string>): unknown;
  type(value: string): unknown;
  send(body: Buffer): unknown;
}

/** Adds the pages below `prefix`, which ends with a slash; they ask the API at `/v1/` of the same origin. */
export function addConsole(app: ConsoleRoutes, bundle: Bundle, prefix = "/console/"): void {
  for (const [path, file] of bundle) {
    // The page says where the API is; on loopback it is below the page's own path.
    const bytes =
      path === "" ? Buffer.from(file.bytes.toString("utf8").replace('content="v1/"', 'content="/v1/"')) : file.bytes;
    app.get(`${prefix}${path}`, { config: { roles: ["operator", "auditor"] } }, (_request, reply) => {
      reply.headers({ ...pageHeaders, "cache-control": cacheOf(file) });
      reply.type(file.type);
      return reply.send(bytes);
    });
  }
}
