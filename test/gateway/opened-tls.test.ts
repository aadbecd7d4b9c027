/** TLS that is opened at the gateway: each request inside is decided, upstream is verified, and names must agree. */
import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { Duplex } from "node:stream";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { denialOf, loopback, type Rig, raw, statusOf, until } from "./rig.ts";
import {
  type Authority,
  createAuthority,
  exchange,
  laneAuthority,
  listen,
  localhost,
  openSecure,
  openTunnel,
  rawTls,
  shakeHands,
  startTlsRig,
  type TlsRecorder,
  tlsRecorder,
} from "./tls-rig.ts";

let authority: Authority;
let rig: Rig;
let server: TlsRecorder;
let bench: Awaited<ReturnType<typeof startTlsRig>>;
beforeAll(async () => {
  bench = await startTlsRig("DNS:localhost,IP:127.0.0.1");
  ({ authority, rig, server } = bench);
});
afterAll(() => bench?.[Symbol.asyncDispose]());
afterEach(() => expect(rig.exits).toEqual([]));

const get = (path: string, host = `localhost:${server.port}`, extra = "") =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${extra}\r\n`;

/** Ends a connection once the gateway has its handshake whole, which a client of TLS 1.3 does not wait for. */
async function leave(secure: TLSSocket): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  secure.destroy();
}

test("a request inside goes upstream as it was decided, and is recorded as itself", async () => {
  const lane = await rig.lane({ network: [localhost(server.port)], requests: 1 });
  const before = server.seen.length;
  const answer = await rawTls(lane, server.port, get("/a/../b%2fc?q=1"));
  expect(answer).toContain("upstream says hello");
  expect(server.seen.slice(before).map(({ method, url }) => [method, url])).toEqual([["GET", "/b%2Fc?q=1"]]);
  expect(server.names.at(-1)).toBe("localhost");
  // One request, one event: the CONNECT that carried it is neither counted nor recorded beside it.
  const events = await rig.eventsOf(lane, 1);
  expect(events).toHaveLength(1);
  expect(events[0]).toMatchObject({
    method: "GET",
    url: `https://localhost:${server.port}/b%2Fc?3`,
    decision: "allow",
    code: "allowed",
    rule: "network[0] localhost",
    status: 200,
    received: 19,
    address: "127.0.0.1",
  });
});

test("each request on a kept-alive connection is decided anew", async () => {
  const lane = await rig.lane({ network: [localhost(server.port, { methods: ["GET"], paths: ["/open/**"] })] });
  const before = server.seen.length;
  const secure = await openSecure(lane, "localhost", server.port);
  const { text } = listen(secure);
  for (const [path, status] of [
    ["/open/1", 200],
    ["/closed", 403],
    ["/open/%2e%2e/closed", 403],
    ["/open/..%2fclosed", 403],
    ["//open/2", 200],
    ["/open/3;x=/../../closed", 403],
  ] as const) {
    const count = text().split("HTTP/1.1 ").length;
    secure.write(get(path));
    await until(() => text().split("HTTP/1.1 ").length > count);
    expect([path, statusOf(`HTTP/1.1 ${text().split("HTTP/1.1 ").at(-1)}`)]).toEqual([path, status]);
  }
  secure.destroy();
  expect(server.seen.slice(before).map((seen) => seen.url)).toEqual(["/open/1", "/open/2"]);
  const denied = await rawTls(lane, server.port, `POST /open/1 HTTP/1.1\r\nHost: localhost:${server.port}\r\n\r\n`);
  expect(denialOf(denied)).toMatchObject({ code: "method", rule: "network[0] localhost" });
  expect((await rig.eventsOf(lane, 7)).map((event) => event.decision)).toEqual([
    "allow",
    "deny",
    "deny",
    "deny",
    "allow",
    "deny",
    "deny",
  ]);
});

test("Host, CONNECT target, server name and request line must agree (N7)", async () => {
  const lane = await rig.lane({ network: [localhost(server.port), localhost(server.port + 1), loopback(server.port)] });
  const before = server.connections();
  const at = `localhost:${server.port}`;
  for (const [bytes, code] of [
    [get("/", "evil.example"), "host-mismatch"],
    [get("/", `localhost:${server.port + 1}`), "host-mismatch"],
    [get("/", `127.0.0.1:${server.port}`), "host-mismatch"],
    [get("/", at, `Host: evil.example\r\n`), "host-duplicate"],
    ["GET / HTTP/1.1\r\n\r\n", "host-missing"],
    [get(`https://evil.example/`, "evil.example"), "host-mismatch"],
    [get(`https://evil.example/`, at), "host-mismatch"],
    [get(`http://${at}/`, at), "scheme"],
    [get(`https://user@${at}/`, at), "userinfo"],
    [`CONNECT ${at} HTTP/1.1\r\nHost: ${at}\r\n\r\n`, "tunnel-nested"],
    ["GET /report/note HTTP/1.1\r\nHost: sallyport\r\n\r\n", "host-mismatch"],
  ] as const) {
    const answer = await rawTls(lane, server.port, bytes);
    expect([bytes, statusOf(answer), denialOf(answer).code]).toEqual([bytes, 400, code]);
  }
  for (const servername of ["evil.example", "127.0.0.1.example", undefined]) {
    const socket = await openTunnel(lane, at);
    const shaken = shakeHands(socket, lane, servername === undefined ? {} : { servername });
    await expect(shaken).rejects.toMatchObject({ code: expect.stringContaining("UNRECOGNIZED_NAME") });
  }
  expect(server.connections()).toBe(before);
  // Twins: the same name in capitals, and the whole URL in the request line.
  expect(await rawTls(lane, server.port, get(`https://${at}/`))).toContain("hello");
  expect(await rawTls(lane, server.port, get("/", at.toUpperCase()))).toContain("hello");
});

test("an address that a rule names has a certificate for that address", async () => {
  const lane = await rig.lane({ network: [loopback(server.port)] });
  const socket = await openTunnel(lane, `127.0.0.1:${server.port}`);
  const secure = await shakeHands(socket, lane, { host: "127.0.0.1" });
  expect(secure.getPeerX509Certificate()?.subjectAltName).toBe("IP Address:127.0.0.1");
  expect(await exchange(secure, get("/", `127.0.0.1:${server.port}`))).toContain("hello");
});

test("the authority is the lane's own, for its names alone, and its key is in no file", async () => {
  const network = [localhost(server.port), { host: "*.example.org" }];
  const lane = await rig.lane({ network });
  const other = await rig.lane({ network });
  const mine = new X509Certificate(laneAuthority(lane));
  expect(mine.ca).toBe(true);
  expect(mine.checkIssued(mine)).toBe(true);
  expect(new Date(mine.validTo).getTime() - Date.now()).toBeLessThan(8 * 86_400_000);
  expect(laneAuthority(other)).not.toBe(laneAuthority(lane));
  const secure = await openSecure(lane, "localhost", server.port);
  const leaf = secure.getPeerX509Certificate();
  expect(leaf?.subjectAltName).toBe("DNS:localhost");
  expect(leaf?.ca).toBe(false);
  expect(secure.alpnProtocol === false || secure.alpnProtocol === "http/1.1").toBe(true);
  await leave(secure);
  // Another lane's sandbox does not trust it.
  const socket = await openTunnel(lane, `localhost:${server.port}`);
  await expect(shakeHands(socket, lane, { servername: "localhost", ca: laneAuthority(other) })).rejects.toMatchObject({
    code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  });
  for (const name of readdirSync(dirname(lane))) {
    if (name.endsWith(".pem")) expect(readFileSync(`${dirname(lane)}/${name}`, "utf8")).not.toContain("PRIVATE");
  }
  await rig.gateway.closeLane(lane.split("/").at(-2) ?? "");
  expect(() => readdirSync(dirname(lane))).toThrow("ENOENT");
});

test.each([
  ["wrong", "DNS:elsewhere.example", 2],
  ["expired", "DNS:localhost", -1],
])("an upstream certificate that is %s is refused; no request is sent (N12)", async (_, subject, days) => {
  await using bad = await tlsRecorder(authority.certify(subject, days));
  const lane = await rig.lane({ network: [localhost(bad.port)] });
  const answer = await rawTls(lane, bad.port, get("/", `localhost:${bad.port}`));
  expect(statusOf(answer)).toBe(502);
  expect(denialOf(answer)).toMatchObject({ code: "upstream-certificate" });
  expect(bad.seen).toEqual([]);
});

test("a certificate of an unknown authority is refused (N12)", async () => {
  const unknown = createAuthority();
  try {
    await using bad = await tlsRecorder(unknown.certify("DNS:localhost"));
    const lane = await rig.lane({ network: [localhost(bad.port)] });
    expect(denialOf(await rawTls(lane, bad.port, get("/", `localhost:${bad.port}`)))).toMatchObject({
      code: "upstream-certificate",
    });
    expect(bad.seen).toEqual([]);
  } finally {
    unknown.remove();
  }
});

test("a redirect is the client's to follow, and is decided anew (N10)", async () => {
  await using moved = await tlsRecorder(authority.certify("DNS:localhost"), (_, response) => {
    response.writeHead(302, { location: `https://127.0.0.1:${server.port}/stolen` });
    response.end();
  });
  const lane = await rig.lane({ network: [localhost(moved.port)] });
  const before = server.connections();
  const answer = await rawTls(lane, moved.port, get("/", `localhost:${moved.port}`, "Authorization: Bearer x\r\n"));
  expect(statusOf(answer)).toBe(302);
  const authorityOf = `127.0.0.1:${server.port}`;
  const hop = await raw(lane, `CONNECT ${authorityOf} HTTP/1.1\r\nHost: ${authorityOf}\r\n\r\n`);
  expect(denialOf(hop)).toMatchObject({ code: "no-rule" });
  expect(server.connections()).toBe(before);
});

test("a name that resolves to a private address is refused unless the rule names it (N4)", async () => {
  const lane = await rig.lane({ network: [{ host: "localhost", port: server.port }] });
  const before = server.connections();
  expect(denialOf(await rawTls(lane, server.port, get("/")))).toMatchObject({ code: "address-refused" });
  expect(server.connections()).toBe(before);
});

test("the budget counts requests, not tunnels; a tunnel without a request counts as one", async () => {
  const lane = await rig.lane({ network: [localhost(server.port)], requests: 4 });
  for (let turn = 0; turn < 2; turn++) expect(statusOf(await rawTls(lane, server.port, get("/")))).toBe(200);
  await leave(await openSecure(lane, "localhost", server.port));
  expect((await rig.eventsOf(lane, 3)).at(-1)).toMatchObject({ method: "CONNECT", code: "tunnel-unused" });
  const secure = await openSecure(lane, "localhost", server.port);
  const { text } = listen(secure);
  secure.write(get("/"));
  await until(() => text().includes("hello"));
  secure.write(get("/"));
  await until(() => text().includes("requests-used-up"));
  await expect(openSecure(lane, "localhost", server.port)).rejects.toThrow("429");
  expect(server.seen.length).toBeGreaterThan(2);
});

test("closing the lane ends what is inside TLS at once, and records it", async () => {
  await using slow = await tlsRecorder(
    authority.certify("DNS:localhost"),
    (_, response) => void response.write("begun"),
  );
  const lane = await rig.lane({ network: [localhost(slow.port)] });
  const secure = await openSecure(lane, "localhost", slow.port);
  const { text, closed } = listen(secure);
  secure.write(get("/", `localhost:${slow.port}`));
  await until(() => text().includes("begun"));
  await rig.gateway.closeLane(lane.split("/").at(-2) ?? "");
  await until(closed);
  expect(await rig.eventsOf(lane, 1)).toMatchObject([{ method: "GET", code: "lane-closed", received: 5 }]);
});

test("a client that leaves before its hello is whole is recorded as silent", async () => {
  const lane = await rig.lane({ network: [localhost(server.port)] });
  const socket = await openTunnel(lane, `localhost:${server.port}`);
  // A handshake record that never ends, and then a close.
  socket.write(Buffer.from([0x16, 3, 1, 1, 0, 1, 0, 0, 0xfc]));
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  expect((await rig.eventsOf(lane, 1))[0]).toMatchObject({ method: "CONNECT", code: "tunnel-silent" });
});

test("an upstream that speaks HTTP/2 alone is spoken to so", async () => {
  const { createSecureServer } = await import("node:http2");
  const h2 = createSecureServer({ ...authority.certify("DNS:localhost"), allowHTTP1: false });
  const seen: string[] = [];
  h2.on("stream", (stream, headers) => {
    seen.push(`${headers[":method"]} ${headers[":authority"]} ${headers[":path"]}`);
    let body = "";
    stream.on("data", (chunk: Buffer) => {
      body += chunk;
    });
    stream.on("end", () => {
      stream.respond({ ":status": 201, "x-from": "h2" });
      stream.end(`got ${body}`);
    });
  });
  const sessions = new Set<{ destroy(): void }>();
  h2.on("session", (session) => sessions.add(session));
  await new Promise<void>((resolve) => h2.listen(0, "127.0.0.1", resolve));
  const { port } = h2.address() as { port: number };
  try {
    const lane = await rig.lane({ network: [localhost(port)] });
    const answer = await rawTls(
      lane,
      port,
      `POST /x?y=1 HTTP/1.1\r\nHost: localhost:${port}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
    );
    expect(statusOf(answer)).toBe(201);
    expect(answer.toLowerCase()).toContain("x-from: h2");
    expect(answer).toContain("got abc");
    expect(seen).toEqual([`POST localhost:${port} /x?y=1`]);
  } finally {
    for (const session of sessions) session.destroy();
    await new Promise((resolve) => h2.close(resolve));
  }
});

test("a client that cannot speak with us, and one that stops in its handshake, are told and recorded", async () => {
  const lane = await rig.lane({ network: [localhost(server.port)] });
  const at = `localhost:${server.port}`;
  const only2 = shakeHands(await openTunnel(lane, at), lane, { servername: "localhost", ALPNProtocols: ["h2"] });
  await expect(only2).rejects.toMatchObject({ code: expect.stringContaining("NO_APPLICATION_PROTOCOL") });
  expect((await rig.eventsOf(lane, 1))[0]).toMatchObject({
    method: "CONNECT",
    decision: "deny",
    code: "tls-handshake",
  });
  const old = shakeHands(await openTunnel(lane, at), lane, { servername: "localhost", maxVersion: "TLSv1.1" });
  await expect(old).rejects.toThrow();
  // A whole hello, and then nothing: ended by the clock.
  const socket = await openTunnel(lane, at);
  const { closed } = listen(socket);
  socket.write(await clientHello("localhost"));
  await until(() => closed(), 13_000);
  expect((await rig.eventsOf(lane, 3)).at(-1)).toMatchObject({ method: "CONNECT", code: "tls-handshake" });
}, 20_000);

/** What a client says first. */
function clientHello(servername: string): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = new Duplex({ read: () => undefined, write: (chunk: Buffer) => resolve(chunk) });
    tlsConnect({ socket, servername }).on("error", () => undefined);
  });
}

test("clients that leave in the middle of the handshake give their places back at once; one that stays is served", async () => {
  const lane = await rig.lane({ network: [localhost(server.port)], requests: 1000 });
  // More than a lane may have at once, and in less time than a handshake may take.
  for (let round = 0; round < 4; round++) {
    await Promise.all(
      Array.from({ length: 40 }, async () => {
        const socket = await openTunnel(lane, `localhost:${server.port}`);
        const secure = tlsConnect({ socket, servername: "localhost", ca: laneAuthority(lane) }, () => secure.destroy());
        secure.on("error", () => undefined);
        await new Promise<void>((resolve) => secure.once("close", () => resolve()));
      }),
    );
  }
  await rig.eventsOf(lane, 160);
  const secure = await openSecure(lane, "localhost", server.port);
  expect(statusOf(await exchange(secure, get("/stays")))).toBe(200);
  secure.destroy();
});
