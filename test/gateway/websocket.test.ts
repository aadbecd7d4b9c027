/** WebSockets: opened where a rule says so, over TLS and without; every other change of protocol is refused. */
import { createHash } from "node:crypto";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { denialOf, dial, loopback, type Recorder, type Rig, raw, recorder, statusOf, until } from "./rig.ts";
import { listen, localhost, openSecure, rawTls, startTlsRig, type TlsRecorder } from "./tls-rig.ts";

let rig: Rig;
let secure: TlsRecorder;
let plain: Recorder;
const upgraded: string[] = [];

/** Answers every handshake, and then gives each byte back. */
function echo(server: { on: Server["on"] }): void {
  server.on("upgrade", (request, socket: Socket, head: Buffer) => {
    upgraded.push(`${request.headers.host} ${request.url} ${request.headers["sec-websocket-protocol"] ?? "-"}`);
    socket.on("error", () => undefined);
    if (request.url === "/refuses") {
      return void socket.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope");
    }
    const accept = createHash("sha1")
      .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    const protocol = request.url === "/other" ? "h2c" : "websocket";
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${protocol}\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    if (head.length > 0) socket.write(head);
    socket.pipe(socket);
  });
}

let bench: Awaited<ReturnType<typeof startTlsRig>>;
beforeAll(async () => {
  bench = await startTlsRig();
  ({ rig, server: secure } = bench);
  echo(secure.server);
  plain = await recorder();
  echo(plain.server);
});
afterAll(async () => {
  await plain?.[Symbol.asyncDispose]();
  await bench?.[Symbol.asyncDispose]();
});

const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const shake = (target: string, host: string, extra = "") =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n${key}Sec-WebSocket-Version: 13\r\n${extra}\r\n`;

test("over TLS: the handshake is decided, bytes go both ways, and are counted", async () => {
  const lane = await rig.lane({ network: [localhost(secure.port, { websocket: true, paths: ["/chat/**"] })] });
  const host = `localhost:${secure.port}`;
  const socket = await openSecure(lane, "localhost", secure.port);
  const { text, closed } = listen(socket);
  socket.write(shake("/chat/1", host, "Sec-WebSocket-Protocol: v1\r\n"));
  await until(() => text().includes("\r\n\r\n"));
  expect(text()).toMatch(/^HTTP\/1\.1 101 /);
  expect(text()).toContain("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  expect(upgraded.at(-1)).toBe(`${host} /chat/1 v1`);
  socket.write(Buffer.from("\x81\x02hi and whatever", "latin1"));
  await until(() => text().includes("whatever"));
  socket.end();
  await until(closed);
  expect(await rig.eventsOf(lane, 1)).toMatchObject([
    {
      method: "GET",
      url: `https://${host}/chat/1`,
      upgrade: "websocket",
      decision: "allow",
      status: 101,
      sent: 17,
      received: 17,
    },
  ]);
  const denied = await rawTls(lane, secure.port, shake("/chat/../admin", host));
  expect([statusOf(denied), denialOf(denied).code]).toEqual([403, "path"]);
});

test("through the plain proxy too; a handshake that is refused upstream comes back as it is", async () => {
  const lane = await rig.lane({ network: [loopback(plain.port, { websocket: true })] });
  const host = `127.0.0.1:${plain.port}`;
  const { socket, text } = dial(lane);
  socket.write(shake(`http://${host}/x`, host));
  await until(() => text().includes("101 Switching"));
  socket.write("ping");
  await until(() => text().includes("ping"));
  socket.destroy();
  const refused = await raw(lane, shake(`http://${host}/refuses`, host));
  expect(statusOf(refused)).toBe(401);
  expect(refused).toContain("nope");
  expect((await rig.eventsOf(lane, 2)).map((event) => event.status).sort()).toEqual([101, 401]);
  const other = await raw(lane, shake(`http://${host}/other`, host));
  expect(statusOf(other)).toBe(502);
});

test("without a rule for it, and in every other form, nothing goes upstream (N8, N11)", async () => {
  const lane = await rig.lane({
    network: [localhost(secure.port), loopback(plain.port), localhost(plain.port, { websocket: true })],
  });
  const before = upgraded.length;
  const tls = await rawTls(lane, secure.port, shake("/", `localhost:${secure.port}`));
  expect([statusOf(tls), denialOf(tls).code]).toEqual([403, "websocket"]);
  const host = `127.0.0.1:${plain.port}`;
  const bare = await raw(lane, shake(`http://${host}/`, host));
  expect([statusOf(bare), denialOf(bare).code]).toEqual([403, "websocket"]);
  const named = `localhost:${plain.port}`;
  const line = `GET http://${named}/ HTTP/1.1\r\nHost: ${named}\r\nConnection: Upgrade\r\n`;
  for (const bytes of [
    `${line}Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n`,
    `${line}Upgrade: websocket, h2c\r\n${key}Sec-WebSocket-Version: 13\r\n\r\n`,
    `${line}Upgrade: websocket\r\nUpgrade: h2c\r\n${key}Sec-WebSocket-Version: 13\r\n\r\n`,
    `${line}Upgrade: websocket\r\n${key}\r\n`,
    `${line}Upgrade: websocket\r\n${key}${key}Sec-WebSocket-Version: 13\r\n\r\n`,
    `${line}Upgrade: websocket\r\nSec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    `${line.replace("GET", "POST")}Upgrade: websocket\r\n${key}Sec-WebSocket-Version: 13\r\n\r\n`,
    `${line}Upgrade: TLS/1.0\r\n\r\n`,
  ]) {
    const answer = await raw(lane, bytes);
    expect([bytes, statusOf(answer), denialOf(answer).code]).toEqual([bytes, 400, "upgrade"]);
  }
  const withBody = await raw(lane, shake(`http://${named}/`, named, "Content-Length: 3\r\n").concat("abc"));
  expect(denialOf(withBody).code).toBe("body-refused");
  const own = await raw(lane, shake("/model/x", "sallyport"));
  expect(statusOf(own)).toBe(404);
  expect(upgraded.length).toBe(before);
  // Well-formed handshakes are recorded as what they are; what is none is recorded as the request that it was.
  const events = await rig.eventsOf(lane, 12);
  expect(new Set(events.filter(({ upgrade }) => upgrade).map(({ code }) => code))).toEqual(
    new Set(["websocket", "body-refused", "path-unknown"]),
  );
  expect(secure.seen.length + plain.seen.length).toBe(0);
});

test("it ends with its lane, on both sides", async () => {
  const lane = await rig.lane({ network: [loopback(plain.port, { websocket: true })] });
  const host = `127.0.0.1:${plain.port}`;
  const open = dial(lane);
  open.socket.write(shake(`http://${host}/x`, host));
  await until(() => open.text().includes("101 Switching"));
  await rig.gateway.closeLane(lane.split("/").at(-2) ?? "");
  await open.closed;
  expect(await rig.eventsOf(lane, 1)).toMatchObject([{ code: "lane-closed", upgrade: "websocket" }]);
  await until(() => plain.open() === 0);
});
