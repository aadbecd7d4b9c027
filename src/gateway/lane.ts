/**
 * One lane's server: one Unix socket, whose connections belong to one sandbox and no other. It holds the lane's rules,
 * budget, upstream connections and open records, and takes all of them down at once when the lane is closed.
 */
import { once } from "node:events";
import { chmod } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createBudget, delayOverBudget } from "./budget.ts";
import { checkRequest, type Head } from "./check-request.ts";
import { answerBare, answerDenial, type Denial, malformed, usedUp } from "./denial.ts";
import type { LaneServices } from "./lane-services.ts";
import * as limits from "./limits.ts";
import type { LaneSpec } from "./messages.ts";
import { openRecord, type Record } from "./record.ts";
import { createResolver } from "./resolve.ts";
import { createServe, type Serve } from "./serve.ts";
import { createUpstream } from "./upstream.ts";

export interface Lane {
  listen(path: string): Promise<void>;
  /** Ends listener, connections and upstream at once; every open record is sent before it resolves. */
  close(): Promise<void>;
}

interface Connection {
  /** Requests read and not yet answered. */
  open: number;
  pipelined: boolean;
  /** The authority of the tunnel this connection has become, if it has. */
  inside?: string;
}

const pipelined = malformed(
  "pipelined",
  "a request behind one that is not answered yet",
  "Wait for each answer, or use more connections.",
);

export function createLane(spec: LaneSpec, services: LaneServices): Lane {
  const sockets = new Set<Duplex>();
  const records = new Set<Record>();
  const connections = new WeakMap<Duplex, Connection>();
  const upstream = createUpstream();
  const budget = createBudget(spec.requests);
  let closed = false;
  /** Set when the last record was sent: the daemon takes none of a lane that it knows to be closed. */
  let silent = false;

  const open = (method: string, url: string): Record => {
    const record = openRecord(
      spec.sandbox,
      method,
      url,
      (event) => {
        records.delete(record);
        if (!silent) services.emit(event);
      },
      services.now,
    );
    records.add(record);
    return record;
  };

  /** Takes one request off the budget. Once it is used up: the denial, and its record unless there are too many. */
  const spend = (method: string, url: string): Denial | undefined => {
    const taken = budget.take();
    if (taken.ok) return undefined;
    if (taken.record) open(method, url).deny(usedUp);
    return usedUp;
  };

  const serve: Serve = createServe({
    spec,
    services,
    rules: services.decisions.compileRules(spec.network),
    resolver: createResolver(services.decisions, services.lookup),
    upstream,
    open,
    spend,
    over: budget.over,
    closed: () => closed,
    track: (socket) => track(socket),
    inner(socket, authority, bytes) {
      connections.set(socket, { open: 0, pipelined: false, inside: authority });
      if (bytes.length > 0) socket.unshift(bytes);
      server.emit("connection", socket);
      socket.resume();
    },
  });

  const track = (socket: Duplex) => {
    if (closed) socket.destroy();
    if (sockets.has(socket)) return;
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
  };
  const connectionOf = (socket: Duplex): Connection => {
    let found = connections.get(socket);
    if (!found) {
      found = { open: 0, pipelined: false };
      connections.set(socket, found);
    }
    return found;
  };
  const headOf = (request: IncomingMessage): Head => ({
    method: request.method ?? "",
    target: request.url ?? "",
    version: request.httpVersion,
    rawHeaders: request.rawHeaders,
  });

  const server = createServer({
    maxHeaderSize: limits.headerBytes,
    insecureHTTPParser: false,
    // Our own check says why, and leaves a record.
    requireHostHeader: false,
    headersTimeout: limits.headerTime,
    requestTimeout: limits.requestTime,
    keepAliveTimeout: limits.idleTime,
    connectionsCheckingInterval: 1000,
  });
  server.maxHeadersCount = 0;
  server.maxConnections = limits.laneConnections;
  server.on("connection", track);

  const onRequest = async (request: IncomingMessage, response: ServerResponse, expects: boolean) => {
    const connection = connectionOf(request.socket);
    if (connection.open > 0) {
      // Whoever reads the connection next to us may see these bytes as something else: it ends here.
      if (connection.pipelined) return request.socket.destroy();
      connection.pipelined = true;
      const head = headOf(request);
      const denial = spend(head.method, head.target) ?? pipelined;
      if (denial === pipelined) open(head.method, head.target).deny(denial);
      return answerDenial(response, denial, true);
    }
    connection.open += 1;
    response.once("close", () => {
      connection.open -= 1;
    });
    await services.room();
    if (closed || response.destroyed) return request.socket.destroy();
    const head = headOf(request);
    const checked = checkRequest(head, connection.inside);
    await serve.request({ request, response, head, checked, expects });
  };

  const onConnect = async (request: IncomingMessage, socket: Socket, bytes: Buffer) => {
    const connection = connectionOf(socket);
    const head = headOf(request);
    const open_ = connection.open > 0;
    connection.open += 1;
    await services.room();
    if (closed || socket.destroyed) return socket.destroy();
    if (open_) {
      if (!spend(head.method, head.target)) open(head.method, head.target).deny(pipelined);
      return socket.destroy();
    }
    await serve.tunnel({ socket, bytes, head, checked: checkRequest(head, connection.inside) });
  };

  const onFault = async (error: Error & { code?: string }, socket: Duplex) => {
    if (closed || error.code === "ECONNRESET" || !socket.writable) return socket.destroy();
    if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") {
      if (connectionOf(socket).open > 0) return socket.destroy();
      return answerBare(
        socket,
        malformed("request-late", "the request did not arrive in time", "Send it at once.", 408),
      );
    }
    const large = error.code === "HPE_HEADER_OVERFLOW";
    const denial =
      spend("-", "-") ??
      malformed(
        large ? "header-too-large" : "malformed",
        large
          ? `the header is larger than ${limits.headerBytes} bytes`
          : `not one HTTP/1.1 request (${error.code ?? "unreadable"})`,
        "Send one well-formed request.",
        large ? 431 : 400,
      );
    if (denial !== usedUp) open("-", "-").deny(denial);
    // In the middle of another answer these bytes would be read as a part of it.
    if (connectionOf(socket).open > 0) return socket.destroy();
    if (budget.over()) await delayOverBudget();
    answerBare(socket, denial);
  };

  const guard =
    <A extends unknown[]>(socketOf: (...a: A) => Duplex, work: (...a: A) => Promise<unknown>) =>
    (...a: A) => {
      work(...a).catch(() => socketOf(...a).destroy());
    };
  server.on(
    "request",
    guard(
      (request: IncomingMessage, _: ServerResponse) => request.socket,
      (q, s) => onRequest(q, s, false),
    ),
  );
  server.on(
    "checkContinue",
    guard(
      (request: IncomingMessage, _: ServerResponse) => request.socket,
      (q, s) => onRequest(q, s, true),
    ),
  );
  server.on(
    "checkExpectation",
    guard(
      (request: IncomingMessage, _: ServerResponse) => request.socket,
      (q, s) => onRequest(q, s, false),
    ),
  );
  server.on(
    "connect",
    guard(
      (_: IncomingMessage, socket: Duplex, __: Buffer) => socket,
      (q, s, b) => onConnect(q, s as Socket, b),
    ),
  );
  server.on(
    "clientError",
    guard((_: Error, socket: Duplex) => socket, onFault),
  );

  return {
    async listen(path) {
      server.listen(path);
      await once(server, "listening");
      // The sandbox's uid is nobody here; the directory it is mounted from says who reaches it.
      await chmod(path, 0o666);
    },
    async close() {
      closed = true;
      const done = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const record of [...records]) record.abandon("lane-closed");
      for (const socket of sockets) socket.destroy();
      upstream.destroy();
      const uncounted = budget.unrecorded();
      if (uncounted > 0) open("-", `(${uncounted} more requests)`).deny(usedUp);
      silent = true;
      await done;
    },
  };
}
