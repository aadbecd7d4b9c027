/**
 * CONNECT, passed through: TLS for the name that was decided, or plain HTTP decided request by request; nothing else, and
 * nothing before. What is opened is in opened-tls.test.ts.
 */
import { readFileSync } from "node:fs";
import type { AddressInfo, Socket } from "node:net";
import { createServer as createTlsServer, connect as tlsConnect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { denialOf, dial, loopback, type Rig, raw, recorder, startRig, statusOf, tcpServer, until } from "./rig.ts";
import { type Authority, createAuthority, localhost as named, openTunnel } from "./tls-rig.ts";

let rig: Rig;
let authority: Authority;
let tls: { key: string; cert: string };
beforeAll(async () => {
  rig = await startRig();
  authority = createAuthority();
  tls = authority.certify("DNS:localhost,IP:127.0.0.1");
});
afterAll(async () => {
  authority?.remove();
  await rig?.[Symbol.asyncDispose]();
});

async function tlsEcho(): Promise<
  { port: number; names: (string | false | null)[]; connections(): number } & AsyncDisposable
> {
  const names: (string | false | null)[] = [];
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createTlsServer({ ...tls, SNICallback: undefined }, (socket) => {
    names.push(socket.servername);
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.on("connection", (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
  });
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    names,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const connectLine = (authority: string) => `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`;

/** Speaks TLS through a tunnel; resolves with what the echo gave back, or with the error's code. */
function throughTls(socket: Socket, servername: string | undefined): Promise<string> {
  return new Promise((resolve) => {
    const secure = tlsConnect({
      socket,
      ...(servername === undefined ? {} : { servername }),
      ca: readFileSync(authority.pem),
      checkServerIdentity: () => undefined,
    });
    secure.on("secureConnect", () => secure.write("ping"));
    secure.on("data", (chunk) => {
      resolve(chunk.toString());
      secure.destroy();
    });
    secure.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    secure.on("close", () => resolve("closed"));
  });
}

const localhost = (port: number, more: object = { tls: "passthrough" }) => named(port, more);

test("TLS that names the tunnel's host passes; bytes are counted", async () => {
  await using server = await tlsEcho();
  const lane = await rig.lane({ network: [localhost(server.port)] });
  expect(await throughTls(await openTunnel(lane, `localhost:${server.port}`), "localhost")).toBe("ping");
  expect(server.names).toEqual(["localhost"]);
  const [event] = await rig.eventsOf(lane, 1);
  expect(event).toMatchObject({
    method: "CONNECT",
    url: `localhost:${server.port}`,
    decision: "allow",
    code: "allowed",
    status: 200,
  });
  expect(event?.sent).toBeGreaterThan(200);
  expect(event?.received).toBeGreaterThan(500);
});

test("another server name, and none, open no connection upstream", async () => {
  await using server = await tlsEcho();
  const lane = await rig.lane({ network: [localhost(server.port)] });
  expect(await throughTls(await openTunnel(lane, `localhost:${server.port}`), "evil.example")).toContain(
    "UNRECOGNIZED_NAME",
  );
  expect(await throughTls(await openTunnel(lane, `localhost:${server.port}`), undefined)).toContain(
    "UNRECOGNIZED_NAME",
  );
  expect(server.connections()).toBe(0);
  expect((await rig.eventsOf(lane, 2)).map(({ decision, code }) => [decision, code])).toEqual([
    ["deny", "sni-mismatch"],
    ["deny", "sni-missing"],
  ]);
});

test("a tunnel to an address that the rule names needs no server name", async () => {
  await using server = await tlsEcho();
  const lane = await rig.lane({ network: [loopback(server.port, { tls: "passthrough" })] });
  expect(await throughTls(await openTunnel(lane, `127.0.0.1:${server.port}`), undefined)).toBe("ping");
  expect(await throughTls(await openTunnel(lane, `127.0.0.1:${server.port}`), "evil.example")).toContain(
    "UNRECOGNIZED_NAME",
  );
  expect(server.connections()).toBe(1);
});

test("a host without a rule, another port, and a rule for plain http alone, carry no TLS", async () => {
  await using server = await tlsEcho();
  const bare = await rig.lane({ network: [] });
  const other = await rig.lane({ network: [localhost(server.port + 1)] });
  for (const lane of [bare, other]) {
    const answer = await raw(lane, connectLine(`localhost:${server.port}`));
    expect(statusOf(answer)).toBe(403);
    expect(denialOf(answer).next).not.toBe("");
    expect((await rig.eventsOf(lane, 1))[0]).toMatchObject({ decision: "deny", method: "CONNECT", status: 403 });
  }
  expect(server.connections()).toBe(0);
});

test("what is neither TLS nor HTTP is not carried", async () => {
  let connections = 0;
  await using server = await tcpServer(() => {
    connections += 1;
  });
  const lane = await rig.lane({ network: [localhost(server.port)] });
  // Opened or passed through: both only ever speak TLS and HTTP.
  for (const bytes of [
    Buffer.from([0, 1, 2]),
    Buffer.from("\x16\x03\x01\x00\x05\x02\0\0\0\0", "latin1"),
    Buffer.from("ssh-2.0-x\r\n"),
  ]) {
    const socket = await openTunnel(lane, `localhost:${server.port}`);
    const closed = new Promise((resolve) => socket.on("end", resolve));
    socket.resume();
    socket.write(bytes);
    await closed;
    socket.destroy();
  }
  expect(connections).toBe(0);
  expect((await rig.eventsOf(lane, 3)).map((event) => event.code)).toEqual([
    "tunnel-protocol",
    "tunnel-protocol",
    "tunnel-protocol",
  ]);
});

test("plain HTTP in a tunnel is decided request by request, for the tunnel's host only", async () => {
  await using server = await recorder();
  const port = server.port;
  const lane = await rig.lane({ network: [localhost(port, { scheme: "http", paths: ["/open/**"] })] });
  const { socket, text } = dial(lane);
  socket.write(connectLine(`localhost:${port}`));
  await until(() => text().includes("200 Connection established"));
  socket.write(`GET /open/1 HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`);
  await until(() => text().includes("upstream says hello"));
  socket.write(`GET /open/%2e%2e/closed HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`);
  await until(() => text().includes("403 Forbidden"));
  socket.destroy();
  expect(server.seen.map((seen) => seen.url)).toEqual(["/open/1"]);

  for (const inside of [
    `GET /open/2 HTTP/1.1\r\nHost: evil.example\r\n\r\n`,
    `GET http://evil.example/open/2 HTTP/1.1\r\nHost: evil.example\r\n\r\n`,
    `CONNECT localhost:${port} HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`,
    `GET /open/2 HTTP/1.1\r\nHost: localhost:${port}\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n`,
  ]) {
    const answer = await raw(lane, connectLine(`localhost:${port}`) + inside);
    expect(answer.split("\r\n\r\n")[1]).toMatch(/^HTTP\/1\.1 400 /);
  }
  expect(server.seen).toHaveLength(1);
  // TLS in such a tunnel has no rule to vouch for it.
  const answer = await throughTls(await openTunnel(lane, `localhost:${port}`), "localhost");
  expect(answer).toContain("UNRECOGNIZED_NAME");
  expect(server.seen).toHaveLength(1);
});

test("a tunnel to a closed port ends with an alert and a record", async () => {
  let port = 0;
  {
    await using gone = await tcpServer(() => undefined);
    port = gone.port;
  }
  const lane = await rig.lane({ network: [localhost(port)] });
  expect(await throughTls(await openTunnel(lane, `localhost:${port}`), "localhost")).toContain("INTERNAL_ERROR");
  expect((await rig.eventsOf(lane, 1))[0]).toMatchObject({ decision: "allow", code: "upstream-failed" });
});

test("the gateway's own authority works through a tunnel too; other loopback ports do not", async () => {
  const lane = await rig.lane({ verbs: ["note"] });
  const call = `POST /report/note HTTP/1.1\r\nHost: 127.0.0.1:3128\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;
  expect(await raw(lane, connectLine("127.0.0.1:3128") + call)).toContain('{"ok":true}');
  expect(await raw(lane, connectLine("localhost:3128") + call.replace("127.0.0.1", "localhost"))).toContain(
    '{"ok":true}',
  );
  expect(await raw(lane, connectLine("[::1]:3128") + call.replace("127.0.0.1", "[::1]"))).toContain('{"ok":true}');
  for (const authority of [
    "127.0.0.1:3129",
    "[::1]:3129",
    "127.0.0.1:80",
    "127.0.0.1:22",
    "127.1:3128",
    "0.0.0.0:3128",
  ]) {
    expect([authority, statusOf(await raw(lane, connectLine(authority)))]).toEqual([authority, 403]);
  }
});
