/** A host that must use a proxy: asked for by name, still verified end to end, and never a way to private addresses. */
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { TLSSocket, connect as tlsConnect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readProxies } from "../../src/gateway/upstream-proxy.ts";
import { denialOf, dial, type Rig, raw, statusOf, until } from "./rig.ts";
import {
  type Authority,
  createAuthority,
  exchange,
  openTunnel,
  shakeHands,
  startTrustingRig,
  type TlsRecorder,
  tlsRecorder,
} from "./tls-rig.ts";

test("the environment says which proxy, and what goes without one", () => {
  const find = readProxies({
    HTTPS_PROXY: "http://user:p%40ss@proxy.example:8080",
    http_proxy: "https://other.example",
    NO_PROXY: "localhost, .corp.example,*.lab.example plain.example:8443",
  });
  expect(find("https", "a.example", 443)).toEqual({
    scheme: "http",
    host: "proxy.example",
    port: 8080,
    authorization: `Basic ${Buffer.from("user:p@ss").toString("base64")}`,
  });
  expect(find("http", "a.example", 80)).toMatchObject({ scheme: "https", host: "other.example", port: 443 });
  for (const host of ["localhost", "corp.example", "git.corp.example", "x.lab.example"]) {
    expect(find("https", host, 443)).toBeUndefined();
  }
  expect(find("https", "plain.example", 443)).toBeDefined();
  expect(find("https", "plain.example", 8443)).toBeUndefined();
  expect(find("https", "notcorp.example", 443)).toBeDefined();
  expect(readProxies({})("https", "a.example", 443)).toBeUndefined();
  expect(readProxies({ HTTPS_PROXY: "http://p", no_proxy: "*" })("https", "a.example", 443)).toBeUndefined();
  expect(() => readProxies({ HTTPS_PROXY: "socks5://p:1" })).toThrow("not an http or https URL");
});

interface Inspecting extends AsyncDisposable {
  port: number;
  /** Request lines that the proxy read, with the credentials that came with them. */
  asked: string[];
}

/** A proxy as enterprises have them: it opens TLS with an authority of its own, and resolves every name itself. */
async function inspectingProxy(authority: Authority, to: number): Promise<Inspecting> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const leaf = authority.certify("DNS:a.example.test,DNS:pinned.example.test");
  const server: Server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.host} ${request.headers["proxy-authorization"]}`);
    response.end("plain through the proxy");
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  server.on("connect", (request, socket: Socket, head: Buffer) => {
    asked.push(`CONNECT ${request.url} ${request.headers["proxy-authorization"]}`);
    if (request.url?.startsWith("refused.")) {
      return void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    }
    if (request.url?.startsWith("early.")) {
      return void socket.write("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    socket.unshift(head);
    if (request.url?.startsWith("raw.")) {
      const direct = connect(to, "127.0.0.1");
      direct.on("error", () => undefined);
      sockets.add(direct);
      return void socket.pipe(direct).pipe(socket);
    }
    const inside = new TLSSocket(socket, { isServer: true, ...leaf });
    const upstream = tlsConnect({
      host: "127.0.0.1",
      port: to,
      servername: "a.example.test",
      rejectUnauthorized: false,
    });
    sockets.add(upstream);
    for (const one of [inside, upstream]) one.on("error", () => socket.destroy());
    inside.pipe(upstream).pipe(inside);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

let authority: Authority;
let rig: Rig;
let server: TlsRecorder;
let proxy: Inspecting;
const saved = { ...process.env };
const variables = ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"];
beforeAll(async () => {
  authority = createAuthority();
  server = await tlsRecorder(authority.certify("DNS:a.example.test,DNS:raw.example.test,DNS:localhost"));
  proxy = await inspectingProxy(authority, server.port);
  for (const name of variables) delete process.env[name];
  process.env.HTTPS_PROXY = `http://user:word@127.0.0.1:${proxy.port}`;
  process.env.HTTP_PROXY = `http://user:word@127.0.0.1:${proxy.port}`;
  process.env.NO_PROXY = "direct.example.invalid";
  rig = await startTrustingRig(authority);
});
afterAll(async () => {
  for (const name of variables) {
    if (saved[name] === undefined) delete process.env[name];
    else process.env[name] = saved[name];
  }
  await rig?.[Symbol.asyncDispose]();
  await proxy?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  authority?.remove();
});

const word = `Basic ${Buffer.from("user:word").toString("base64")}`;
const get = (host: string, path = "/x") => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const ask = async (lane: string, host: string) =>
  exchange(await shakeHands(await openTunnel(lane, `${host}:443`), lane, { servername: host }), get(host));

test("https goes through it, opened there and here, verified by both; the record says so", async () => {
  const lane = await rig.lane({ network: [{ host: "a.example.test", paths: ["/x"] }] });
  expect(await ask(lane, "a.example.test")).toContain("upstream says hello");
  expect(proxy.asked.at(-1)).toBe(`CONNECT a.example.test:443 ${word}`);
  expect(server.seen.at(-1)).toMatchObject({ method: "GET", url: "/x" });
  expect(server.seen.at(-1)?.rawHeaders.join().toLowerCase()).not.toContain("proxy");
  expect(await rig.eventsOf(lane, 1)).toMatchObject([
    { url: "https://a.example.test:443/x", status: 200, address: `via proxy 127.0.0.1:${proxy.port}` },
  ]);
});

test("plain http goes through it as a whole URL", async () => {
  const lane = await rig.lane({ network: [{ host: "a.example.test", scheme: "http" }] });
  const answer = await raw(lane, `GET http://a.example.test/x?y HTTP/1.1\r\nHost: a.example.test\r\n\r\n`);
  expect(answer).toContain("plain through the proxy");
  expect(proxy.asked.at(-1)).toBe(`GET http://a.example.test:80/x?y a.example.test ${word}`);
});

test("what is passed through goes through it too", async () => {
  const lane = await rig.lane({ network: [{ host: "raw.example.test", tls: "passthrough" }] });
  const socket = await openTunnel(lane, "raw.example.test:443");
  const secure = await shakeHands(socket, lane, { servername: "raw.example.test", ca: [await pem()] });
  expect(await exchange(secure, get("raw.example.test"))).toContain("upstream says hello");
  expect(await rig.eventsOf(lane, 1)).toMatchObject([
    { method: "CONNECT", address: expect.stringContaining("via proxy") },
  ]);
});

const pem = async () => (await import("node:fs")).readFileSync(authority.pem, "utf8");

test("a name that it has no certificate for, a refusal, and an early word, are failures (N12)", async () => {
  const hosts = ["wrong.example.test", "refused.example.test", "early.example.test"];
  const lane = await rig.lane({ network: hosts.map((host) => ({ host })) });
  const codes = [];
  const before = server.seen.length;
  for (const host of hosts) codes.push(denialOf(await ask(lane, host)).code);
  expect(codes).toEqual(["upstream-certificate", "upstream-failed", "upstream-failed"]);
  expect(server.seen.length).toBe(before);
});

test("private addresses and the proxy's own loopback are refused; named addresses and exceptions go direct", async () => {
  const network = [
    { host: "localhost", port: server.port, addresses: ["127.0.0.1", "::1"] },
    { host: "inner.localhost", port: 443 },
    { host: "direct.example.invalid", port: 443 },
  ];
  const lane = await rig.lane({ network });
  const before = proxy.asked.length;
  expect(denialOf(await ask(lane, "inner.localhost"))).toMatchObject({ code: "address-refused" });
  expect(denialOf(await ask(lane, "direct.example.invalid"))).toMatchObject({ code: "resolve-failed" });
  const named = await openTunnel(lane, `localhost:${server.port}`);
  const secure = await shakeHands(named, lane, { servername: "localhost" });
  expect(await exchange(secure, get(`localhost:${server.port}`))).toContain("hello");
  for (const literal of ["169.254.169.254", "10.0.0.1", "127.0.0.1"]) {
    const answer = await raw(lane, `CONNECT ${literal}:443 HTTP/1.1\r\nHost: ${literal}:443\r\n\r\n`);
    expect(statusOf(answer)).toBe(403);
  }
  expect(proxy.asked.length).toBe(before);
});

test("closing the lane ends what goes through it", async () => {
  const lane = await rig.lane({ network: [{ host: "raw.example.test", tls: "passthrough" }] });
  const open = dial(lane);
  open.socket.write("CONNECT raw.example.test:443 HTTP/1.1\r\nHost: raw.example.test:443\r\n\r\n");
  await until(() => open.text().includes("200"));
  await rig.gateway.closeLane(lane.split("/").at(-2) ?? "");
  await open.closed;
  expect(await rig.eventsOf(lane, 1)).toMatchObject([{ code: "lane-closed" }]);
});
