/** One request upstream, or none: whatever two readers could read differently is refused. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  denialOf,
  dial,
  loopback,
  proxied,
  type Recorder,
  type Rig,
  raw,
  recorder,
  startRig,
  statusOf,
  until,
} from "./rig.ts";

let rig: Rig;
let server: Recorder;
let lane: string;
beforeAll(async () => {
  rig = await startRig();
  server = await recorder();
  lane = await rig.lane({
    network: [loopback(server.port), { host: "localhost", port: server.port, addresses: ["127.0.0.1", "::1"] }],
  });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rig?.[Symbol.asyncDispose]();
});

const host = () => `127.0.0.1:${server.port}`;
const line = (method: string, extra: string, body = "") =>
  `${method} http://${host()}/x HTTP/1.1\r\nHost: ${host()}\r\n${extra}\r\n${body}`;

/** What is sent, and the code of the refusal. */
const refused: Record<string, [() => string | Buffer, string, number?]> = {
  "two Host headers": [() => line("GET", `Host: evil.example\r\n`), "host-duplicate"],
  "two equal Host headers": [() => line("GET", `hOST: ${host()}\r\n`), "host-duplicate"],
  "no Host header": [() => `GET http://${host()}/ HTTP/1.1\r\n\r\n`, "host-missing"],
  "absolute form unlike Host": [() => `GET http://${host()}/ HTTP/1.1\r\nHost: evil.example\r\n\r\n`, "host-mismatch"],
  "another port in Host": [() => `GET http://${host()}/ HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n`, "host-mismatch"],
  "Host with a path": [() => `GET http://${host()}/ HTTP/1.1\r\nHost: ${host()}/x\r\n\r\n`, "host-invalid"],
  "origin form for another Host": [() => `GET /x HTTP/1.1\r\nHost: ${host()}\r\n\r\n`, "host-mismatch"],
  userinfo: [() => `GET http://user:pass@${host()}/ HTTP/1.1\r\nHost: ${host()}\r\n\r\n`, "userinfo"],
  "userinfo that looks like the host": [
    () => `GET http://${host()}@evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n`,
    "userinfo",
  ],
  "body on GET": [() => line("GET", "Content-Length: 3\r\n", "abc"), "body-refused"],
  "chunked body on GET": [() => line("GET", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), "body-refused"],
  "body on HEAD": [() => line("HEAD", "Content-Length: 3\r\n", "abc"), "body-refused"],
  "h2c upgrade": [
    () =>
      line(
        "GET",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
      ),
    "upgrade",
  ],
  "Upgrade without Connection": [() => line("GET", "Upgrade: websocket\r\n"), "upgrade"],
  trailer: [() => line("POST", "Trailer: X-T\r\nTransfer-Encoding: chunked\r\n", "0\r\nX-T: 1\r\n\r\n"), "trailer"],
  "unknown expectation": [() => line("POST", "Expect: 200-ok\r\nContent-Length: 0\r\n"), "expectation", 417],
  "gzip transfer coding": [() => line("POST", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "framing"],
  "HTTP/1.0": [() => `GET http://${host()}/ HTTP/1.0\r\nHost: ${host()}\r\n\r\n`, "version"],
  "HTTP/0.9": [() => `GET http://${host()}/\r\n\r\n`, "version"],
  TRACE: [() => line("TRACE", ""), "method", 405],
  PROPFIND: [() => line("PROPFIND", ""), "method", 405],
  "OPTIONS *": [() => `OPTIONS * HTTP/1.1\r\nHost: ${host()}\r\n\r\n`, "target"],
  "https in a plain request": [() => `GET https://${host()}/ HTTP/1.1\r\nHost: ${host()}\r\n\r\n`, "scheme"],
  ftp: [() => `GET ftp://${host()}/ HTTP/1.1\r\nHost: ${host()}\r\n\r\n`, "target"],
  fragment: [() => `GET http://${host()}/a#b HTTP/1.1\r\nHost: ${host()}\r\n\r\n`, "target"],
  backslash: [() => `GET http://${host()}\\@evil.example/ HTTP/1.1\r\nHost: ${host()}\r\n\r\n`, "malformed"],
  "CL and TE": [() => line("POST", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "malformed"],
  "TE and CL": [() => line("POST", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), "malformed"],
  "two lengths": [() => line("POST", "Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), "malformed"],
  "a list of lengths": [() => line("POST", "Content-Length: 3, 3\r\n", "abc"), "malformed"],
  "a signed length": [() => line("POST", "Content-Length: +3\r\n", "abc"), "malformed"],
  "chunked twice": [
    () => line("POST", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    "malformed",
  ],
  "chunked not last": [() => line("POST", "Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), "malformed"],
  "a vertical tab before chunked": [() => line("POST", "Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"), "malformed"],
  "obs-fold": [() => line("GET", "X-A: 1\r\n 2\r\n"), "malformed"],
  "bare LF": [() => line("GET", "X-A: 1\n"), "malformed"],
  "bare LF everywhere": [() => `GET http://${host()}/ HTTP/1.1\nHost: ${host()}\n\n`, "malformed"],
  "bare CR": [() => line("GET", "X-A: 1\rX-B: 2\r\n"), "malformed"],
  "NUL in a value": [() => line("GET", "X-A: 1\0\r\n"), "malformed"],
  "space before the colon": [() => line("GET", "X-A : 1\r\n"), "malformed"],
  "an empty field name": [() => line("GET", ": 1\r\n"), "malformed"],
  "a folded first field": [() => `GET http://${host()}/ HTTP/1.1\r\n Host: x\r\nHost: ${host()}\r\n\r\n`, "malformed"],
  "the h2 preface": [() => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "malformed"],
  "HTTP/1.2": [() => `GET http://${host()}/ HTTP/1.2\r\nHost: ${host()}\r\n\r\n`, "malformed"],
  "not ASCII": [() => Buffer.from(`GET http://${host()}/é HTTP/1.1\r\nHost: ${host()}\r\n\r\n`), "malformed"],
  "a header of 20 KiB": [() => line("GET", `X-A: ${"a".repeat(20_000)}\r\n`), "header-too-large", 431],
  "300 header fields": [() => line("GET", "A:\r\n".repeat(300)), "header-fields", 431],
  "CONNECT unlike Host": [() => `CONNECT ${host()} HTTP/1.1\r\nHost: evil.example:443\r\n\r\n`, "host-mismatch"],
  "CONNECT with two Hosts": [
    () => `CONNECT ${host()} HTTP/1.1\r\nHost: ${host()}\r\nHost: evil.example\r\n\r\n`,
    "host-duplicate",
  ],
  "CONNECT with userinfo": [() => `CONNECT user@${host()} HTTP/1.1\r\nHost: ${host()}\r\n\r\n`, "target"],
  "CONNECT with a body": [
    () => `CONNECT ${host()} HTTP/1.1\r\nHost: ${host()}\r\nContent-Length: 3\r\n\r\nabc`,
    "body-refused",
  ],
  "CONNECT with chunks": [
    () => `CONNECT ${host()} HTTP/1.1\r\nHost: ${host()}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    "body-refused",
  ],
  "CONNECT without a port": [() => `CONNECT 127.0.0.1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`, "target"],
  "CONNECT with a URL": [() => `CONNECT http://${host()}/ HTTP/1.1\r\nHost: ${host()}\r\n\r\n`, "target"],
};

describe("refused before any rule is asked", () => {
  for (const [name, [bytes, code, status = 400]] of Object.entries(refused)) {
    test(name, async () => {
      const before = [rig.events.length, server.seen.length, server.connections()];
      const answer = await raw(lane, bytes());
      // The connection ends with the refusal: what follows on it is never read as a request.
      expect(statusOf(answer)).toBe(status);
      expect(answer.toLowerCase()).toContain("connection: close");
      if (name !== "body on HEAD") {
        expect(denialOf(answer)).toMatchObject({ code });
        expect(denialOf(answer).next).not.toBe("");
      }
      await until(() => rig.events.length > (before[0] ?? 0));
      expect(rig.events.slice(before[0])).toMatchObject([{ decision: "deny", code, status }]);
      expect([server.seen.length, server.connections()]).toEqual(before.slice(1));
    });
  }
});

/** The same in plain form must pass, or the refusals say nothing. */
const passing: Record<string, [() => string, string]> = {
  "a GET": [() => line("GET", ""), ""],
  "a GET of length zero": [() => line("GET", "Content-Length: 0\r\n"), ""],
  "Host in capitals": [
    () => `GET http://LOCALHOST:${server.port}/ HTTP/1.1\r\nHost: localhost:${server.port}\r\n\r\n`,
    "",
  ],
  "a POST with a length": [() => line("POST", "Content-Length: 3\r\n", "abc"), "abc"],
  "a POST in chunks": [() => line("POST", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), "abc"],
  "chunk extensions, which do not go upstream": [
    () => line("POST", "Transfer-Encoding: chunked\r\n", "3;a=b\r\nabc\r\n0\r\n\r\n"),
    "abc",
  ],
  "unannounced trailers, which do not either": [
    () => line("POST", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"),
    "abc",
  ],
  "Expect: 100-continue": [() => line("POST", "Expect: 100-continue\r\nContent-Length: 3\r\n", "abc"), "abc"],
  "a HEAD": [() => line("HEAD", ""), ""],
  "an empty PUT": [() => line("PUT", "Content-Length: 0\r\n"), ""],
};
describe("the benign twins pass", () => {
  for (const [name, [bytes, body]] of Object.entries(passing)) {
    test(name, async () => {
      const before = server.seen.length;
      const answer = await raw(lane, bytes());
      expect(answer).toContain("HTTP/1.1 200 OK");
      expect(server.seen.slice(before)).toMatchObject([{ body }]);
      const fields = server.seen.at(-1)?.rawHeaders.join("\n").toLowerCase() ?? "";
      expect(fields).not.toMatch(/expect|trailer|x-t/);
    });
  }
});

test("a request behind an unanswered one does not go upstream, and ends the connection", async () => {
  await using slow = await recorder((_, response) => setTimeout(() => response.end("slow"), 200));
  const path = await rig.lane({ network: [loopback(slow.port)] });
  const answer = await raw(path, proxied(slow.port, "/1") + proxied(slow.port, "/2"), 600);
  expect(answer).toContain("slow");
  expect(answer).toContain('"code":"pipelined"');
  expect(slow.seen.map((seen) => seen.url)).toEqual(["/1"]);
  expect((await rig.eventsOf(path, 2)).map((event) => event.code).sort()).toEqual(["allowed", "pipelined"]);

  // Twin: the same two, each after the other's answer, on one connection.
  const { socket, text } = dial(path);
  socket.write(proxied(slow.port, "/3"));
  await until(() => text().includes("slow"));
  socket.write(proxied(slow.port, "/4"));
  await until(() => text().split("slow").length === 3);
  socket.destroy();
  expect(slow.seen.map((seen) => seen.url)).toEqual(["/1", "/3", "/4"]);
});

test("a thousand requests behind an unanswered one end it instead of waiting in memory", async () => {
  await using slow = await recorder((_, response) => setTimeout(() => response.end("slow"), 300));
  const path = await rig.lane({ network: [loopback(slow.port)] });
  await raw(path, proxied(slow.port).repeat(1000), 600);
  expect(slow.seen.length).toBeLessThanOrEqual(1);
  expect((await rig.eventsOf(path, 2)).length).toBe(2);
});

test("a CONNECT behind an unanswered request opens nothing", async () => {
  await using slow = await recorder((_, response) => setTimeout(() => response.end("slow"), 200));
  const path = await rig.lane({ network: [loopback(slow.port)] });
  await raw(
    path,
    `${proxied(slow.port)}CONNECT 127.0.0.1:${slow.port} HTTP/1.1\r\nHost: 127.0.0.1:${slow.port}\r\n\r\n`,
    500,
  );
  expect((await rig.eventsOf(path, 2)).map((event) => event.code)).toContain("pipelined");
  expect(slow.connections()).toBeLessThanOrEqual(1);
});

test("a body whose chunks break off never becomes a whole request upstream", async () => {
  let whole = 0;
  await using sink = await recorder((request, response) => {
    request.on("end", () => {
      whole += 1;
      response.end();
    });
  });
  const path = await rig.lane({ network: [loopback(sink.port)] });
  await raw(
    path,
    `POST http://127.0.0.1:${sink.port}/ HTTP/1.1\r\nHost: 127.0.0.1:${sink.port}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n`,
    300,
  );
  await rig.eventsOf(path, 2);
  expect(whole).toBe(0);
});

test("each spelling of an address is judged as the address it is", async () => {
  const port = server.port;
  const bare = await rig.lane({ network: [{ host: "example.org", port }] });
  const before = server.connections();
  for (const spelling of [
    "127.0.0.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "0",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "169.254.169.254",
  ]) {
    const answer = await raw(bare, `GET http://${spelling}:${port}/ HTTP/1.1\r\nHost: ${spelling}:${port}\r\n\r\n`);
    expect([spelling, statusOf(answer)]).toEqual([spelling, 403]);
    const tunnel = await raw(bare, `CONNECT ${spelling}:${port} HTTP/1.1\r\nHost: ${spelling}:${port}\r\n\r\n`);
    expect([spelling, statusOf(tunnel) >= 400]).toEqual([spelling, true]);
  }
  expect(server.connections()).toBe(before);
});

test("a name that resolves to loopback is refused unless the rule names the address", async () => {
  const port = server.port;
  const request = `GET http://localhost:${port}/ HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`;
  const unnamed = await rig.lane({ network: [{ host: "localhost", port }] });
  const before = server.connections();
  const answer = await raw(unnamed, request);
  expect(denialOf(answer)).toMatchObject({ code: "address-refused" });
  expect(denialOf(answer).next).toContain("addresses");
  expect(server.connections()).toBe(before);
  expect(statusOf(await raw(lane, request))).toBe(200);
});
