/**
 * Two small programs for bench/gateway.ts, each a process of its own: a TLS server that answers a fixed number of bytes,
 * and a client that loads a proxy. Both speak raw bytes: an HTTP library would be the slowest part of what is measured.
 * (wrk cannot use a proxy.) They talk to the benchmark over Node's IPC channel.
 */
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, type Socket } from "node:net";
import { createServer, type TLSSocket, connect as tlsConnect } from "node:tls";

export interface LoadRequest {
  /** The proxy: a Unix socket's path, or a port of loopback; left out: straight to the server. */
  proxy?: string | number | undefined;
  /** host:port of the server. */
  authority: string;
  ca: string;
  connections: number;
  /** Milliseconds to measure, after a run-up of a quarter of it; ignored for `connects`. */
  time: number;
  mode: "requests" | "bulk" | "connects";
  /** New connections to open one after another, for `connects`. */
  count?: number;
  /** For `connects`: the number of the first of as many host names not used before; only the handshake is made. */
  fresh?: number;
}

export interface LoadResult {
  /** Requests (or new connections) that were measured. */
  requests: number;
  /** Those of the run-up too. */
  asked: number;
  /** Bytes of the run-up too. */
  carried: number;
  /** What the client speaks with the proxy: version and cipher. */
  tls: string;
  /** Seconds they took. */
  seconds: number;
  bytes: number;
  /** Microseconds. */
  p50: number;
  p99: number;
}

function serve(keyFile: string, certFile: string): void {
  const head = (length: number) =>
    Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n\r\n`);
  const small = Buffer.concat([head(1024), Buffer.alloc(1024, "a")]);
  const large = Buffer.concat([head(64 * 1024 ** 2), Buffer.alloc(64 * 1024 ** 2, "b")]);
  const spokenWith = new Set<string>();
  process.on("message", () => process.send?.({ tls: [...spokenWith] }));
  const server = createServer({ key: readFileSync(keyFile), cert: readFileSync(certFile) }, (socket) => {
    spokenWith.add(spoken(socket));
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        socket.write(text.startsWith("GET /large") ? large : small);
        text = text.slice(end + 4);
      }
    });
  });
  server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
}

async function openThrough({ proxy, ca }: LoadRequest, authority: string): Promise<TLSSocket> {
  const servername = authority.split(":")[0] ?? "";
  const shake = (socket: Socket): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const secure = tlsConnect({ socket, servername, ca }, () => resolve(secure));
      secure.once("error", reject);
    });
  if (proxy === undefined) return shake(connect(Number(authority.split(":")[1]), "127.0.0.1"));
  const socket: Socket = typeof proxy === "number" ? connect(proxy, "127.0.0.1") : connect(proxy);
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const answer = await new Promise<Buffer>((resolve, reject) => {
    socket.once("data", resolve);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed at CONNECT")));
  });
  if (!/^HTTP\/1\.[01] 200/.test(answer.toString("latin1"))) throw new Error(answer.toString("latin1"));
  return shake(socket);
}

const spoken = (secure: TLSSocket) => `${secure.getProtocol()} ${secure.getCipher().name}`;

const request = (authority: string, path: string) =>
  Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${authority}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n`);

const lastChunk = "\r\n0\r\n\r\n";

/** One request at a time on a kept-alive connection, until told to stop. */
function repeat(
  secure: TLSSocket,
  bytes: Buffer,
  done: (microseconds: number, size: number) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let total = -1;
    let have = 0;
    let begun = performance.now();
    let head = "";
    let tail = "";
    secure.on("data", (chunk: Buffer) => {
      have += chunk.length;
      if (total < 0) {
        head += chunk.toString("latin1");
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        if (!head.startsWith("HTTP/1.1 200")) return reject(new Error(head.slice(0, 300)));
        const length = /content-length: (\d+)/i.exec(head.slice(0, end))?.[1];
        // A scrubbed answer has no length ahead of it. The bodies are of one letter, so that these bytes are its end alone.
        total = length === undefined ? Number.POSITIVE_INFINITY : end + 4 + Number(length);
        tail = head.slice(-lastChunk.length);
      } else if (total === Number.POSITIVE_INFINITY) {
        tail = (tail + chunk.toString("latin1", Math.max(0, chunk.length - lastChunk.length))).slice(-lastChunk.length);
      }
      if (have < total && tail !== lastChunk) return;
      const now = performance.now();
      const more = done((now - begun) * 1000, have);
      have = 0;
      tail = "";
      total = -1;
      head = "";
      if (!more) return resolve();
      begun = now;
      secure.write(bytes);
    });
    secure.on("error", reject);
    secure.on("close", () => reject(new Error("closed in the middle")));
    secure.write(bytes);
  });
}

async function load(spec: LoadRequest): Promise<LoadResult> {
  const times: number[] = [];
  let bytes = 0;
  const sorted = () => times.sort((a, b) => a - b);
  const at = (p: number) => sorted()[Math.min(times.length - 1, Math.floor(times.length * p))] ?? Number.NaN;
  if (spec.mode === "connects") {
    const begun = performance.now();
    const [, port = ""] = spec.authority.split(":");
    let failures = 0;
    let tls = "";
    for (let turn = 0; turn < (spec.count ?? 1); turn++) {
      const authority = spec.fresh === undefined ? spec.authority : `h${spec.fresh + turn}.bench.invalid:${port}`;
      const from = performance.now();
      try {
        const secure = await openThrough(spec, authority);
        if (spec.fresh === undefined) await repeat(secure, request(authority, "/"), () => false);
        times.push((performance.now() - from) * 1000);
        tls = spoken(secure);
        secure.destroy();
      } catch (error) {
        // A peer that resets one connection in a hundred is still worth measuring; one that resets more is broken.
        failures += 1;
        if (failures > 3) throw error;
      }
    }
    return {
      requests: times.length,
      asked: times.length,
      carried: 0,
      tls,
      seconds: (performance.now() - begun) / 1000,
      bytes: 0,
      p50: at(0.5),
      p99: at(0.99),
    };
  }
  const sockets = await Promise.all(Array.from({ length: spec.connections }, () => openThrough(spec, spec.authority)));
  const start = performance.now() + spec.time / 4;
  const end = start + spec.time;
  const wire = request(spec.authority, spec.mode === "bulk" ? "/large" : "/");
  let last = start;
  let asked = 0;
  let carried = 0;
  await Promise.all(
    sockets.map((secure) =>
      repeat(secure, wire, (microseconds, size) => {
        const now = performance.now();
        asked += 1;
        carried += size;
        if (now >= start) {
          times.push(microseconds);
          bytes += size;
          last = now;
        }
        return now < end;
      }),
    ),
  );
  const tls = sockets[0] ? spoken(sockets[0]) : "";
  for (const secure of sockets) secure.destroy();
  const seconds = (last - start) / 1000;
  return { requests: times.length, asked, carried, seconds, bytes, tls, p50: at(0.5), p99: at(0.99) };
}

const [role, ...rest] = process.argv.slice(2);
if (role === "serve") serve(rest[0] ?? "", rest[1] ?? "");
if (role === "load") {
  process.on("message", (spec: LoadRequest) => {
    load(spec).then(
      (result) => process.send?.({ result }),
      (error: unknown) => process.send?.({ error: String(error) }),
    );
  });
}
