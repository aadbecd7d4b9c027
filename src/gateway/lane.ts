/**
 * One lane's server: its Unix sockets, whose connections belong to one sandbox and no other. It holds the lane's rules,
 * budget, upstream connections and open records, and takes all of them down at once when the lane is closed.
 */
import { once } from "node:events";
import { chmod } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSocketServer, type Socket, type Server as SocketServer } from "node:net";
import type { Duplex } from "node:stream";
import { createBudget, delayOverBudget } from "./budget.ts";
import { checkRequest, type Head, isWebSocket, type Way } from "./check-request.ts";
import { answerBare, answerDenial, type Denial, malformed, usedUp } from "./denial.ts";
import type { LaneCa } from "./lane-ca.ts";
import type { LaneServices } from "./lane-services.ts";
import * as limits from "./limits.ts";
import type { LaneSpec } from "./messages.ts";
import { createReach } from "./reach.ts";
import { openRecord, type Record, type RecordKeeper } from "./record.ts";
import { createResolver } from "./resolve.ts";
import { createServe } from "./serve.ts";
import type { ServeContext } from "./serve-context.ts";
import { createServeTunnel } from "./serve-tunnel.ts";
import { laneFiles, type Transparent } from "./transparent.ts";
import { createUpstream } from "./upstream.ts";

export interface Lane {
  /** Opens the lane's sockets in a directory of its own. */
  listen(directory: string, transparent: Transparent): Promise<void>;
  /** Ends listener, connections and upstream at once; every open record is sent before it resolves. */
  close(): Promise<void>;
}

interface Connection {
  /** The answer to the last request that was read. */
  answering?: ServerResponse;
  /** It has left HTTP for a tunnel or a WebSocket. */
  left: boolean;
  pipelined: boolean;
  /** How it came, where that is not the proxy's own port. */
  way?: Way;
  /** The record of its tunnel, until the first request stands for it. */
  opening?: Record | undefined;
}

/** Whether a request was read on it that is not answered yet, or one that took it out of HTTP. */
const isBusy = ({ answering, left }: Connection): boolean => left || (answering !== undefined && !answering.closed);

const pipelined = malformed(
  "pipelined",
  "a request behind one that is not answered yet",
  "Wait for each answer, or use more connections.",
);

export function createLane(spec: LaneSpec, services: LaneServices, ca: LaneCa): Lane {
  const sockets = new Set<Duplex>();
  const records = new Set<Record>();
  const connections = new WeakMap<Duplex, Connection>();
  const upstream = createUpstream();
  const budget = createBudget(spec.requests);
  let closed = false;
  /** Set when the last record was sent: the daemon takes none of a lane that it knows to be closed. */
  let silent = false;

  const keeper: RecordKeeper = {
    sandbox: spec.sandbox,
    now: services.now,
    ended(record, event) {
      records.delete(record);
      if (!silent) services.emit(event);
    },
    dropped: (record) => void records.delete(record),
  };
  const open = (method: string, url: string): Record => {
    const record = openRecord(keeper, method, url);
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

  const context: ServeContext = {
    spec,
    services,
    rules: services.decisions.compileRules(spec.network),
    reach: createReach(services.decisions, createResolver(services.decisions, services.lookup), services.findProxy),
    upstream,
    transform: services.makeTransform(spec),
    ca,
    open,
    spend,
    over: budget.over,
    closed: () => closed,
    track: (socket) => track(socket),
    inner(socket, way, bytes, opening) {
      connections.set(socket, { left: false, pipelined: false, way, opening });
      socket.once("close", () => connections.get(socket)?.opening?.abandon("tunnel-unused"));
      if (bytes.length > 0) socket.unshift(bytes);
      server.emit("connection", socket);
      socket.resume();
    },
  };
  const serve = createServe(context);
  const tunnels = createServeTunnel(context);

  const track = (socket: Duplex) => {
    if (closed) socket.destroy();
    if (sockets.has(socket)) return;
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
  };
  let admitted = 0;
  /** Connections of all the lane's sockets count together: one lane must not take the descriptors of another. */
  const admit = (socket: Socket): boolean => {
    if (admitted >= limits.laneConnections) {
      socket.destroy();
      return false;
    }
    admitted += 1;
    socket.once("close", () => {
      admitted -= 1;
    });
    return true;
  };
  const connectionOf = (socket: Duplex): Connection => {
    let found = connections.get(socket);
    if (!found) {
      found = { left: false, pipelined: false };
      connections.set(socket, found);
    }
    return found;
  };
  /** Whether the tunnel has paid for this request: its first stands in the record for both. */
  const takeOpening = (connection: Connection): boolean => {
    const { opening } = connection;
    connection.opening = undefined;
    opening?.drop();
    return opening !== undefined;
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
    // Every other change of protocol stays a request, and is refused as one.
    shouldUpgradeCallback: (request) => isWebSocket(headOf(request)),
  });
  server.maxHeadersCount = 0;
  server.maxConnections = limits.laneConnections;
  server.on("connection", (socket: Socket) => {
    track(socket);
    // One inside a tunnel was admitted with its tunnel.
    if (!connections.has(socket)) admit(socket);
  });

  const onRequest = async (request: IncomingMessage, response: ServerResponse, expects: boolean) => {
    const connection = connectionOf(request.socket);
    if (isBusy(connection)) {
      // Whoever reads the connection next to us may see these bytes as something else: it ends here.
      if (connection.pipelined) return request.socket.destroy();
      connection.pipelined = true;
      const head = headOf(request);
      const denial = spend(head.method, head.target) ?? pipelined;
      if (denial === pipelined) open(head.method, head.target).deny(denial);
      return answerDenial(response, denial, true);
    }
    connection.answering = response;
    const full = services.room();
    if (full) await full;
    if (closed || response.destroyed) return request.socket.destroy();
    const head = headOf(request);
    const checked = checkRequest(head, connection.way);
    await serve.request({ request, response, head, checked, expects, paid: takeOpening(connection) });
  };

  const onLeave = async (request: IncomingMessage, socket: Socket, bytes: Buffer, websocket: boolean) => {
    const connection = connectionOf(socket);
    const head = headOf(request);
    const behind = isBusy(connection);
    connection.left = true;
    await services.room();
    if (closed || socket.destroyed) return socket.destroy();
    if (behind) {
      if (!spend(head.method, head.target)) open(head.method, head.target).deny(pipelined);
      return socket.destroy();
    }
    const checked = checkRequest(head, connection.way, websocket);
    const call = { request, socket, bytes, head, checked, paid: takeOpening(connection) };
    await (websocket ? serve.webSocket(call) : tunnels.tunnel(call));
  };

  const onFault = async (error: Error & { code?: string }, socket: Duplex) => {
    if (closed || error.code === "ECONNRESET" || !socket.writable) return socket.destroy();
    if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") {
      if (isBusy(connectionOf(socket))) return socket.destroy();
      return answerBare(
        socket,
        malformed("request-late", "the request did not arrive in time", "Send it at once.", 408),
      );
    }
    const large = error.code === "HPE_HEADER_OVERFLOW";
    const paid = takeOpening(connectionOf(socket));
    const denial =
      (paid ? undefined : spend("-", "-")) ??
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
    if (isBusy(connectionOf(socket))) return socket.destroy();
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
      (q, s, b) => onLeave(q, s as Socket, b, false),
    ),
  );
  server.on(
    "upgrade",
    guard(
      (_: IncomingMessage, socket: Duplex, __: Buffer) => socket,
      (q, s, b) => onLeave(q, s as Socket, b, true),
    ),
  );
  server.on(
    "clientError",
    guard((_: Error, socket: Duplex) => socket, onFault),
  );

  const extras: SocketServer[] = [];
  const extra = (accept: (socket: Socket) => void): SocketServer => {
    const made = createSocketServer({ allowHalfOpen: true }, (socket) => {
      track(socket);
      if (admit(socket)) accept(socket);
    });
    extras.push(made);
    return made;
  };
  const onTls = guard(
    (socket: Socket) => socket,
    (socket) => tunnels.transparent(socket),
  );

  return {
    async listen(directory, transparent) {
      await listenAt(server, `${directory}/${laneFiles.proxy}`);
      if (transparent.http) {
        const plain = extra((socket) => context.inner(socket, { kind: "transparent" }, Buffer.alloc(0)));
        await listenAt(plain, `${directory}/${laneFiles.http}`);
      }
      if (transparent.https) await listenAt(extra(onTls), `${directory}/${laneFiles.https}`);
    },
    async close() {
      closed = true;
      const done = Promise.all(
        [server, ...extras].map((one) => new Promise<void>((resolve) => one.close(() => resolve()))),
      );
      serve.close();
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

async function listenAt(server: SocketServer, path: string): Promise<void> {
  server.listen(path);
  await once(server, "listening");
  // The sandbox's uid is nobody here; the directory it is mounted from says who reaches it.
  await chmod(path, 0o666);
}
