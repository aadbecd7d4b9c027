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
import { passingCases, refusedCases } from "./smuggling-cases.ts";

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
/** The tables are spelled when the test runs: before, the server has no port. */
const names = {
  refused: Object.keys(refusedCases("", "http://x")),
  passing: Object.keys(passingCases("", "http://x")),
};

describe("refused before any rule is asked", () => {
  for (const name of names.refused) {
    test(name, async () => {
      const [bytes, code, status = 400] = refusedCases(host(), `http://${host()}`)[name] ?? [() => "", ""];
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

describe("the benign twins pass", () => {
  for (const name of names.passing) {
    test(name, async () => {
      const at = name === "Host in capitals" ? `localhost:${server.port}` : host();
      const [bytes, body] = passingCases(at, `http://${at}`)[name] ?? [() => "", ""];
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
