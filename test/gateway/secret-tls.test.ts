/** Secrets inside TLS that is opened at the gateway: put in, scrubbed, refused, as in plain requests. */
import { createSecureServer } from "node:http2";
import { brotliCompressSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { secretCanary } from "../canary/canaries.ts";
import { dial, until } from "./rig.ts";
import { type SecretRig, startSecretRig } from "./secret-rig.ts";
import { type Authority, createAuthority, localhost, rawTls, type TlsRecorder, tlsRecorder } from "./tls-rig.ts";

const value = secretCanary("tls");
let authority: Authority;
let rig: SecretRig;
let server: TlsRecorder;
let other: TlsRecorder;
beforeAll(async () => {
  authority = createAuthority();
  const before = process.env.NODE_EXTRA_CA_CERTS;
  process.env.NODE_EXTRA_CA_CERTS = authority.pem;
  try {
    rig = await startSecretRig();
  } finally {
    if (before === undefined) delete process.env.NODE_EXTRA_CA_CERTS;
    else process.env.NODE_EXTRA_CA_CERTS = before;
  }
  rig.file("key", value);
  server = await tlsRecorder(authority.certify("DNS:localhost"), (request, response) => {
    response.setHeader("x-echo", String(request.headers.authorization));
    response.end(`echo ${request.headers.authorization} ${Buffer.from(value).toString("base64")}`);
  });
  other = await tlsRecorder(authority.certify("DNS:localhost"));
});
afterEach(() => rig.closeLanes());
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  authority?.remove();
});

const request = (port: number, path: string, extra = "", method = "GET") =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n${extra}\r\n`;
const lane = () =>
  rig.lane({
    secrets: { key: { header: "authorization", form: "Bearer {}", env: "TOKEN" } },
    network: [
      localhost(server.port, { methods: ["GET"], paths: ["/api/**"], secret: "key" }),
      localhost(server.port),
      localhost(other.port, { websocket: true }),
    ],
  });

test("the value goes upstream, and comes back masked", async () => {
  const { socket, placeholders } = await lane();
  const answer = await rawTls(
    socket,
    server.port,
    request(server.port, "/api/x", `Authorization: Bearer ${placeholders.key}\r\n`),
  );
  expect(server.seen.at(-1)?.rawHeaders).toContain(`Bearer ${value}`);
  expect(answer).toContain("x-echo: Bearer [secret:key]");
  expect(answer).toContain("echo Bearer [secret:key]");
  expect(answer).not.toContain("canary");
  expect(answer).not.toContain(Buffer.from(value).toString("base64").slice(2, -2));
});

test("over HTTP/2 upstream too: put in, and scrubbed from headers, coded bodies and trailers", async () => {
  const seen: string[] = [];
  const h2 = createSecureServer({ ...authority.certify("DNS:localhost"), allowHTTP1: false });
  h2.on("stream", (stream, headers) => {
    seen.push(`${headers[":path"]} ${headers.authorization} ${headers.range}`);
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-late": value }));
    const coded = headers[":path"]?.startsWith("/api/coded") ?? false;
    const fields = { "x-echo": String(headers.authorization), ...(coded ? { "content-encoding": "br" } : {}) };
    stream.respond({ ":status": 200, ...fields }, { waitForTrailers: true });
    const body = Buffer.from(`you sent ${headers.authorization}, and ${encodeURIComponent(value)}`);
    // In pieces: frames have borders of their own.
    const bytes = coded ? brotliCompressSync(body) : body;
    for (let at = 0; at < bytes.length; at += 5) stream.write(bytes.subarray(at, at + 5));
    stream.end();
  });
  const sessions = new Set<{ destroy(): void }>();
  h2.on("session", (session) => sessions.add(session));
  await new Promise<void>((done) => h2.listen(0, "127.0.0.1", done));
  const { port } = h2.address() as { port: number };
  try {
    const { socket, placeholders } = await rig.lane({
      secrets: { key: { header: "authorization", form: "Bearer {}" } },
      network: [localhost(port, { paths: ["/api/**"], secret: "key" }), localhost(port)],
    });
    for (const path of ["/api/x", "/api/coded"]) {
      const fields = `Authorization: Bearer ${placeholders.key}\r\nRange: bytes=0-3\r\n`;
      // Without the sizes of its chunks.
      const answer = (await rawTls(socket, port, request(port, path, fields))).replace(/\r\n[0-9a-f]+\r\n/g, "");
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      expect(answer).toContain("x-echo: Bearer [secret:key]");
      expect(answer).toMatch(/you sent Bearer \[secret:key\]/);
      expect(answer).not.toContain("canary");
    }
    expect(seen).toEqual([`/api/x Bearer ${value} undefined`, `/api/coded Bearer ${value} undefined`]);
    const refused = await rawTls(
      socket,
      port,
      request(port, "/elsewhere", `Authorization: Bearer ${placeholders.key}\r\n`),
    );
    expect(refused).toContain("secret-unbound");
    expect(seen).toHaveLength(2);
  } finally {
    for (const session of sessions) session.destroy();
    await new Promise((done) => h2.close(done));
  }
});

test.each([
  ["another path", () => server, "/other", "GET"],
  ["another method", () => server, "/api/x", "DELETE"],
  ["another host", () => other, "/api/x", "GET"],
])("to %s it is refused, and the placeholder stays here", async (_, to, path, method) => {
  const { socket, placeholders } = await lane();
  const count = to().seen.length;
  const answer = await rawTls(
    socket,
    to().port,
    request(to().port, path, `Authorization: Bearer ${placeholders.key}\r\n`, method),
  );
  expect(answer).toContain("secret-unbound");
  expect(to().seen.length).toBe(count);
});

test("a WebSocket, whose frames nobody could scrub, is not opened in a lane with secrets", async () => {
  const { socket } = await lane();
  const handshake =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const bytes = `GET /ws HTTP/1.1\r\nHost: localhost:${other.port}\r\n${handshake}\r\n`;
  const answer = await rawTls(socket, other.port, bytes);
  expect(answer).toMatch(/^HTTP\/1\.1 403 /);
  expect(other.seen.filter(({ url }) => url === "/ws")).toEqual([]);
});

test("a tunnel that is passed through carries no secret in its CONNECT", async () => {
  const passing = await rig.lane({
    secrets: { key: { header: "authorization" } },
    network: [
      localhost(server.port, { paths: ["/api/**"], secret: "key" }),
      localhost(other.port, { tls: "passthrough" }),
    ],
  });
  const { socket, text } = dial(passing.socket);
  socket.write(
    `CONNECT localhost:${other.port} HTTP/1.1\r\nHost: localhost:${other.port}\r\nProxy-Authorization: ${passing.placeholders.key}\r\n\r\n`,
  );
  await until(() => text().includes("\r\n\r\n"));
  socket.destroy();
  expect(JSON.stringify(other.seen)).not.toContain("placeholder");
});
