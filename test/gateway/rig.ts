/** A real gateway process, upstream servers that record all they see, and clients that write raw bytes. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EventData } from "../../src/domain/event.ts";
import { type Gateway, type LaneSpec, startGateway } from "../../src/gateway/process.ts";

export type RequestEvent = EventData<"request">;
export type VerbCall = { sandbox: string; verb: string; body: unknown };

export interface Rig extends AsyncDisposable {
  gateway: Gateway;
  directory: string;
  events: RequestEvent[];
  verbs: VerbCall[];
  exits: string[];
  /** Opens a lane and gives its socket's path. */
  lane(spec: Partial<LaneSpec>): Promise<string>;
  /** The events of one lane, once there are `count` of them. */
  eventsOf(path: string, count: number): Promise<RequestEvent[]>;
}

let lastLane = 0;
/** A fresh sandbox id. */
export function sandboxId(): string {
  lastLane += 1;
  const digits = [...lastLane.toString(26)]
    .map((digit) => String.fromCharCode(97 + Number.parseInt(digit, 26)))
    .join("");
  return `s-${digits.padStart(16, "a")}`;
}

export async function startRig(
  onVerb: (call: VerbCall) => Promise<{ status: number; body: unknown }> = async () => ({
    status: 200,
    body: { ok: true },
  }),
): Promise<Rig> {
  const directory = await mkdtemp(join(tmpdir(), "gateway-test-"));
  const events: RequestEvent[] = [];
  const verbs: VerbCall[] = [];
  const exits: string[] = [];
  const gateway = await startGateway({
    directory,
    uid: 10002,
    gid: 10002,
    onRequest: (event) => events.push(event),
    onVerb: (call) => {
      verbs.push(call);
      return onVerb(call);
    },
    // Models cost nothing here: what counts them has a rig of its own.
    onReserve: async ({ ask }) => ({ ok: true, reservation: "r-aaaaaaaaaaaaaaaa", output: ask.output ?? 100 }),
    onExit: (reason) => exits.push(reason),
    log: (line) => console.error(line),
  }).catch(async (error: unknown) => {
    await rm(directory, { recursive: true, force: true });
    throw error;
  });
  return {
    gateway,
    directory,
    events,
    verbs,
    exits,
    async lane(spec) {
      const opened = await gateway.openLane({
        sandbox: sandboxId(),
        role: "executor",
        network: [],
        models: {},
        requests: 1000,
        verbs: [],
        ...spec,
      });
      return join(opened.directory, "host.sock");
    },
    async eventsOf(path, count) {
      const sandbox = path.split("/").at(-2);
      const mine = () => events.filter((event) => event.sandbox === sandbox);
      await until(() => mine().length >= count);
      return mine();
    },
    async [Symbol.asyncDispose]() {
      await gateway.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Waits for a condition, at most `time` ms. */
export async function until(condition: () => boolean, time = 5000): Promise<void> {
  const end = Date.now() + time;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not so within ${time} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export interface Seen {
  method: string;
  url: string;
  rawHeaders: string[];
  body: string;
}

export interface Recorder extends AsyncDisposable {
  port: number;
  /** Requests whose head came whole, in order. */
  seen: Seen[];
  connections(): number;
  /** Connections that are there now. */
  open(): number;
  server: ReturnType<typeof createServer>;
}

const echo: RequestListener = (_, response) => response.end("upstream says hello");

/** An HTTP server on loopback that records every request. */
export async function recorder(answer: RequestListener = echo): Promise<Recorder> {
  const server = createServer();
  return { ...(await record(server, answer)), server };
}

/** Has a server, of HTTP or HTTPS, listen on loopback and record every request. */
export async function record(server: Server, answer: RequestListener = echo): Promise<Omit<Recorder, "server">> {
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const entry: Seen = {
      method: request.method ?? "",
      url: request.url ?? "",
      rawHeaders: request.rawHeaders,
      body: "",
    };
    seen.push(entry);
    request.on("data", (chunk: Buffer) => {
      if (entry.body.length < 1 << 20) entry.body += chunk.toString("latin1");
    });
    request.on("error", () => undefined);
    answer(request, response);
  });
  server.on("connection", (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const port = await listen(server);
  return {
    port,
    seen,
    connections: () => connections,
    open: () => sockets.size,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A TCP server on loopback. */
export async function tcpServer(onConnection: (socket: Socket) => void): Promise<{ port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  const port = await listen(server);
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** Opens a connection and keeps what comes. */
export function dial(path: string): { socket: Socket; text(): string; closed: Promise<void> } {
  let text = "";
  const socket = connect({ path, allowHalfOpen: true });
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  socket.on("end", () => socket.end());
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  return { socket, text: () => text, closed };
}

/** Writes bytes and gives all that comes back until the connection ends, or is silent for `quiet` ms after it began. */
export async function raw(path: string, bytes: string | Buffer, quiet = 150): Promise<string> {
  const { socket, text, closed } = dial(path);
  socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  let over = false;
  void closed.then(() => {
    over = true;
  });
  let last = "";
  let since = Date.now();
  const end = since + 5000;
  while (!over && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (text() !== last) {
      last = text();
      since = Date.now();
    } else if (last !== "" && Date.now() - since > quiet) break;
  }
  socket.destroy();
  return text();
}

/** The status of a raw answer, 0 where there is none. */
export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
}

/** The denial in a raw answer. */
export function denialOf(answer: string): { code: string; rule: string; why: string; next: string } {
  return JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4));
}

/** A plain proxy request to loopback. */
export function proxied(port: number, path = "/", method = "GET", extra = ""): string {
  return `${method} http://127.0.0.1:${port}${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${extra}\r\n`;
}

/** A rule that names a loopback server. */
export function loopback(port: number, more: object = {}): LaneSpec["network"][number] {
  return { host: "127.0.0.1", port, addresses: ["127.0.0.1"], ...more };
}
