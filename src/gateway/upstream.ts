/**
 * One lane's connections to upstream servers. A pool belongs to one lane, one origin and one checked address: a
 * connection opened under one decision is never used under another, and all of them end with the lane.
 */
import { createServer } from "node:http";
import { isIP } from "node:net";
import { Readable } from "node:stream";
import { buildConnector, type Dispatcher, Pool } from "undici";
import { connectTime, headerBytes, laneConnections, lanePools, upstreamSilence } from "./limits.ts";

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
  /** The pool for an origin at a checked address. */
  at(origin: Origin, address: string): Dispatcher;
  /** Ends every connection at once, those in use too. */
  destroy(): void;
}

export function createUpstream(): Upstream {
  const pools = new Map<string, Pool>();
  const alive = new Set<Pool>();
  return {
    at(origin, address) {
      const url = originOf(origin);
      const key = `${url} ${address}`;
      const known = pools.get(key);
      if (known) {
        pools.delete(key);
        pools.set(key, known);
        return known;
      }
      if (pools.size >= lanePools) {
        const [oldest, pool] = pools.entries().next().value ?? [];
        if (oldest !== undefined) pools.delete(oldest);
        pool?.close().then(
          () => alive.delete(pool),
          () => undefined,
        );
      }
      const pool = open(url, origin, address);
      pools.set(key, pool);
      alive.add(pool);
      return pool;
    },
    destroy() {
      for (const pool of alive) pool.destroy(new Error("the lane is closed")).catch(() => undefined);
      pools.clear();
      alive.clear();
    },
  };
}

function open(url: string, origin: Origin, address: string): Pool {
  const connect = buildConnector({ timeout: connectTime, allowH2: false, rejectUnauthorized: true });
  return new Pool(url, {
    // The connector is told the checked address; the name stays for Host, SNI and the certificate's check.
    connect: (options, callback) => {
      const { servername: _, ...rest } = options;
      connect(
        {
          ...rest,
          hostname: address,
          ...(origin.scheme === "https" && isIP(origin.host) === 0 ? { servername: origin.host } : {}),
        },
        callback,
      );
    },
    connections: laneConnections,
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: headerBytes,
    headersTimeout: upstreamSilence,
    bodyTimeout: upstreamSilence,
  });
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
    const pool = upstream.at({ scheme: "http", host: "127.0.0.1", port: bound.port }, "127.0.0.1");
    const { body } = await pool.request({ path: "/", method: "POST", body: Readable.from(["x"]) });
    await body.text();
  } finally {
    upstream.destroy();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}
