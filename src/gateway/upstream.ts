/**
 * One lane's connections to upstream servers. A pool belongs to one lane, one origin and one checked address: a
 * connection opened under one decision is never used under another, and all of them end with the lane.
 */
import { createServer } from "node:http";
import { isIP } from "node:net";
import { Readable } from "node:stream";
import { createSecureContext, type SecureContext } from "node:tls";
import { buildConnector, type Dispatcher, Pool } from "undici";
import { connectTime, headerBytes, laneConnections, lanePools, upstreamSilence } from "./limits.ts";
import type { Way } from "./reach.ts";
import { tunnelThrough } from "./upstream-proxy.ts";

export interface Origin {
  scheme: "http" | "https";
  host: string;
  port: number;
}

/** An origin as a URL, with IPv6 in brackets and the port always said. */
export function originOf(origin: Origin): string {
  const host = origin.host.includes(":") ? `[${origin.host}]` : origin.host;
  return `${origin.scheme}://${host}:${origin.port}`;
}

export interface Upstream {
  /** The pool for an origin on its way. A WebSocket's handshake is spoken in HTTP/1.1. */
  at(origin: Origin, way: Way, kind?: "websocket"): Route;
  /** Ends every connection at once, those in use too. */
  destroy(): void;
}

/** A pool, and what its request line and header hold beside what was decided. */
export interface Route {
  dispatcher: Dispatcher;
  /** Comes before the path: a plain request through a proxy names its whole URL. */
  prefix: string;
  headers: readonly string[];
}

export function createUpstream(): Upstream {
  const routes = new Map<string, Route & { pool: Pool }>();
  const alive = new Set<Pool>();
  // One for all connections of the lane: each would otherwise read every authority's certificate again.
  const secureContext = createSecureContext();
  return {
    at(origin, way, kind) {
      const key = `${originOf(origin)} ${"address" in way ? way.address : "proxy"} ${kind ?? ""}`;
      const known = routes.get(key);
      if (known) {
        if (routes.size > 1) {
          routes.delete(key);
          routes.set(key, known);
        }
        return known;
      }
      if (routes.size >= lanePools) {
        const [oldest, route] = routes.entries().next().value ?? [];
        if (oldest !== undefined) routes.delete(oldest);
        route?.pool.close().then(
          () => alive.delete(route.pool),
          () => undefined,
        );
      }
      const route = open(origin, way, secureContext, kind !== "websocket");
      routes.set(key, route);
      alive.add(route.pool);
      return route;
    },
    destroy() {
      for (const pool of alive) pool.destroy(new Error("the lane is closed")).catch(() => undefined);
      routes.clear();
      alive.clear();
    },
  };
}

function open(origin: Origin, way: Way, secureContext: SecureContext, http2: boolean): Route & { pool: Pool } {
  const secure = origin.scheme === "https";
  const allowH2 = http2 && secure;
  const options = {
    connections: laneConnections,
    pipelining: 1,
    allowH2,
    maxHeaderSize: headerBytes,
    headersTimeout: upstreamSilence,
    bodyTimeout: upstreamSilence,
  };
  const connector = buildConnector({ timeout: connectTime, allowH2, rejectUnauthorized: true, secureContext });
  // The name stays for Host, SNI and the certificate's check, wherever the connection goes.
  const name = secure && isIP(origin.host) === 0 ? { servername: origin.host } : {};
  if ("address" in way) {
    const pool = new Pool(originOf(origin), {
      ...options,
      connect: ({ servername: _, ...rest }, callback) => {
        connector({ ...rest, hostname: way.address, ...name }, callback);
      },
    });
    return { pool, dispatcher: pool, prefix: "", headers: [] };
  }
  const { proxy } = way;
  if (!secure) {
    const { authorization } = proxy;
    const pool = new Pool(originOf(proxy), { ...options, connect: { timeout: connectTime } });
    const headers = ["host", hostOf(origin), ...(authorization ? ["proxy-authorization", authorization] : [])];
    return { pool, dispatcher: pool, prefix: originOf(origin), headers };
  }
  const pool = new Pool(originOf(origin), {
    ...options,
    connect: ({ servername: _, ...rest }, callback) => {
      tunnelThrough(proxy, origin.host, origin.port).then(
        (httpSocket) => connector({ ...rest, hostname: origin.host, ...name, httpSocket }, callback),
        (error: Error) => callback(error, null),
      );
    },
  });
  return { pool, dispatcher: pool, prefix: "", headers: [] };
}

/** An origin as a Host header: with the port where it is not the scheme's own. */
function hostOf(origin: Origin): string {
  return originOf(origin)
    .replace(/^[a-z]+:\/\//, "")
    .replace(origin.scheme === "http" ? /:80$/ : /:443$/, "");
}

/**
 * Speaks one exchange with a server of its own, so that everything the HTTP client loads on first use is loaded while
 * the program's files can still be read.
 */
export async function warmUp(): Promise<void> {
  const server = createServer((_, response) => response.end("warm"));
  await new Promise<void>((done, failed) => server.once("error", failed).listen(0, "127.0.0.1", done));
  const upstream = createUpstream();
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port for the warm-up");
  try {
    const origin = { scheme: "http", host: "127.0.0.1", port: bound.port } as const;
    const { dispatcher } = upstream.at(origin, { address: "127.0.0.1" });
    const { body } = await dispatcher.request({
      origin: originOf(origin),
      path: "/",
      method: "POST",
      body: Readable.from(["x"]),
    });
    await body.text();
  } finally {
    upstream.destroy();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}
