/** An authority of the tests' own, TLS servers that record, and clients that speak TLS inside a lane's tunnel. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createServer, type ServerOptions } from "node:https";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import type { LaneSpec } from "../../src/gateway/process.ts";
import { dial, type Recorder, type Rig, record, startRig, until } from "./rig.ts";

export interface Authority {
  directory: string;
  /** The path of its certificate. */
  pem: string;
  /** A key and certificate for names such as `DNS:localhost`, valid for `days` from now (negative: expired). */
  certify(subject: string, days?: number): { key: string; cert: string };
  /** A key and certificate that nobody else vouches for. */
  selfSign(subject: string): { key: string; cert: string };
  remove(): void;
}

const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** Makes an authority with openssl. */
export function createAuthority(): Authority {
  const directory = mkdtempSync(join(tmpdir(), "gateway-authority-"));
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "ignore", cwd: directory });
  const read = (name: string) => readFileSync(join(directory, name), "utf8");
  openssl("req", "-x509", ...curve, "-days", "2", "-subj", "/CN=tests", "-keyout", "ca.key", "-out", "ca.pem");
  writeFileSync(join(directory, "index"), "");
  writeFileSync(
    join(directory, "ca.cnf"),
    "[ca]\ndefault_ca=d\n[d]\ndir=.\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\ncertificate=ca.pem\nprivate_key=ca.key\n" +
      "default_md=sha256\npolicy=p\ncopy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n",
  );
  const time = (days: number) =>
    `${new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\..*/g, "")}Z`;
  let made = 0;
  return {
    directory,
    pem: join(directory, "ca.pem"),
    certify(subject, days = 2) {
      const name = `leaf${made++}`;
      const names = ["-subj", "/CN=x", "-addext", `subjectAltName=${subject}`];
      openssl("req", "-new", ...curve, ...names, "-keyout", `${name}.key`, "-out", `${name}.csr`);
      const dates = ["-startdate", time(-10), "-enddate", time(days)];
      openssl("ca", "-batch", "-config", "ca.cnf", "-in", `${name}.csr`, "-out", `${name}.crt`, ...dates, "-notext");
      return { key: read(`${name}.key`), cert: read(`${name}.crt`) };
    },
    selfSign(subject) {
      const name = `self${made++}`;
      const names = ["-subj", "/CN=x", "-addext", `subjectAltName=${subject}`];
      openssl("req", "-x509", ...curve, "-days", "2", ...names, "-keyout", `${name}.key`, "-out", `${name}.crt`);
      return { key: read(`${name}.key`), cert: read(`${name}.crt`) };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** A gateway that trusts an authority beside the public ones. */
export async function startTrustingRig(authority: Authority): Promise<Rig> {
  const before = process.env.NODE_EXTRA_CA_CERTS;
  process.env.NODE_EXTRA_CA_CERTS = authority.pem;
  try {
    return await startRig();
  } finally {
    if (before === undefined) delete process.env.NODE_EXTRA_CA_CERTS;
    else process.env.NODE_EXTRA_CA_CERTS = before;
  }
}

export interface TlsRecorder extends Omit<Recorder, "server"> {
  /** Server names of the handshakes. */
  names: (string | false | null)[];
  server: ReturnType<typeof createServer>;
}

/** An HTTPS server on loopback that records every request. */
export async function tlsRecorder(options: ServerOptions, answer?: RequestListener): Promise<TlsRecorder> {
  const names: (string | false | null)[] = [];
  const server = createServer(options);
  server.on("secureConnection", (socket) => names.push(socket.servername));
  server.on("tlsClientError", () => undefined);
  return { ...(await record(server, answer)), names, server };
}

/** A gateway that trusts an authority, and a server that this authority vouches for as `subject`. */
export async function startTlsRig(
  subject = "DNS:localhost",
): Promise<{ authority: Authority; rig: Rig; server: TlsRecorder } & AsyncDisposable> {
  await using undo = new AsyncDisposableStack();
  const authority = undo.adopt(createAuthority(), (made) => made.remove());
  const rig = undo.use(await startTrustingRig(authority));
  const server = undo.use(await tlsRecorder(authority.certify(subject)));
  const kept = undo.move();
  return { authority, rig, server, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** The certificate that a lane's sandbox trusts. */
export const laneAuthority = (lane: string) => readFileSync(join(dirname(lane), "ca.pem"), "utf8");

/** Opens a tunnel and gives its socket, once the gateway said 200. */
export async function openTunnel(lane: string, authority: string): Promise<Socket> {
  const { socket, text } = dial(lane);
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  await until(() => text().includes("\r\n\r\n"));
  if (!/^HTTP\/1\.1 200 /.test(text())) throw new Error(text());
  socket.removeAllListeners("data");
  socket.removeAllListeners("end");
  socket.allowHalfOpen = false;
  return socket;
}

/** Shakes hands inside a tunnel, trusting the lane's authority alone. Rejects with the handshake's error. */
export function shakeHands(socket: Socket, lane: string, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = tlsConnect({ ca: laneAuthority(lane), ...options, socket });
    secure.once("secureConnect", () => resolve(secure));
    secure.once("error", reject);
    secure.once("close", () => reject(new Error("closed")));
  });
}

/** A connection of TLS to `host:port` through a lane's proxy. */
export async function openSecure(lane: string, host: string, port: number): Promise<TLSSocket> {
  return shakeHands(await openTunnel(lane, `${host}:${port}`), lane, { servername: host });
}

/** Keeps what comes on a connection. */
export function listen(socket: Socket): { text(): string; closed(): boolean } {
  let text = "";
  let closed = false;
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    closed = true;
  });
  return { text: () => text, closed: () => closed };
}

/** Writes bytes on a connection and gives what comes back until it ends, or is silent for `quiet` ms after it began. */
export async function exchange(socket: Socket, bytes: string | Buffer, quiet = 150): Promise<string> {
  const { text, closed } = listen(socket);
  socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  let last = "";
  let since = Date.now();
  const end = since + 5000;
  while (!closed() && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (text() !== last) {
      last = text();
      since = Date.now();
    } else if (last !== "" && Date.now() - since > quiet) break;
  }
  socket.destroy();
  return text();
}

/** Raw bytes inside TLS to `localhost:port`, and what comes back. */
export async function rawTls(lane: string, port: number, bytes: string | Buffer, quiet?: number): Promise<string> {
  return exchange(await openSecure(lane, "localhost", port), bytes, quiet);
}

/** A rule for the name localhost. */
export function localhost(port: number, more: object = {}): LaneSpec["network"][number] {
  return { host: "localhost", port, addresses: ["127.0.0.1", "::1"], ...more };
}
