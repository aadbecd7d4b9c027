/** Everything is bounded, and one lane does not notice what another does. */

import { readFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
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
  tcpServer,
  until,
} from "./rig.ts";

let rig: Rig;
let quiet: string;
let server: Recorder;
beforeAll(async () => {
  rig = await startRig();
  server = await recorder();
  quiet = await rig.lane({ network: [loopback(server.port)], requests: 10_000 });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rig?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  expect(rig.exits).toEqual([]);
  expect(statusOf(await raw(quiet, proxied(server.port)))).toBe(200);
});

/** Memory of the gateway in MiB. */
const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${rig.gateway.pid}/status`, "utf8"))?.[1]) / 1024;

test("the budget is exact with fifty requests at once, refused ones included", async () => {
  const lane = await rig.lane({ network: [loopback(server.port)], requests: 20 });
  const before = server.seen.length;
  const statuses = await Promise.all(
    Array.from({ length: 50 }, async (_, index) =>
      statusOf(await raw(lane, index % 5 === 0 ? proxied(1) : proxied(server.port), 400)),
    ),
  );
  const count = (status: number) => statuses.filter((one) => one === status).length;
  expect(count(429)).toBe(30);
  expect(count(200) + count(403)).toBe(20);
  expect(server.seen.length - before).toBe(count(200));
  const events = await rig.eventsOf(lane, 50);
  expect(events.filter((event) => event.code === "requests-used-up")).toHaveLength(30);
  expect(denialOf(await raw(lane, proxied(server.port))).rule).toBe("budget.requests");
});

test("a budget of nothing is nothing; a flood beyond it is counted and not recorded one by one", async () => {
  const lane = await rig.lane({ network: [loopback(server.port)], requests: 0 });
  const before = server.seen.length;
  for (let round = 0; round < 3; round++) {
    const all = await Promise.all(Array.from({ length: 60 }, () => raw(lane, proxied(server.port), 400)));
    expect(new Set(all.map(statusOf))).toEqual(new Set([429]));
  }
  expect(server.seen.length).toBe(before);
  await rig.gateway.closeLane(lane.split("/").at(-2) ?? "");
  const events = await rig.eventsOf(lane, 101);
  expect(events).toHaveLength(101);
  expect(events.at(-1)).toMatchObject({ url: "(80 more requests)", code: "requests-used-up" });
});

test("more connections than the cap are dropped, and the lane works again when they go", async () => {
  const lane = await rig.lane({ network: [loopback(server.port)] });
  const held = Array.from({ length: 400 }, () => dial(lane));
  let closed = 0;
  for (const one of held)
    void one.closed.then(() => {
      closed += 1;
    });
  await until(() => closed >= 400 - 128);
  expect(statusOf(await raw(quiet, proxied(server.port)))).toBe(200);
  expect(closed).toBe(400 - 128);
  for (const one of held) one.socket.destroy();
  await until(() => closed === 400);
  await until(() => readFileSync("/proc/net/unix", "utf8").split(lane.split("/").at(-2) ?? "?").length <= 2);
  expect(statusOf(await raw(lane, proxied(server.port)))).toBe(200);
});

test("a header that comes a byte at a time is cut after ten seconds", async () => {
  const lane = await rig.lane({ network: [loopback(server.port)] });
  const { socket, text, closed } = dial(lane);
  const silent = dial(lane);
  const bytes = proxied(server.port, `/${"a".repeat(1000)}`);
  let sent = 0;
  const timer = setInterval(() => socket.write(bytes[sent++] ?? "a"), 100);
  const began = Date.now();
  await closed;
  clearInterval(timer);
  await silent.closed;
  expect(Date.now() - began).toBeGreaterThan(8000);
  expect(Date.now() - began).toBeLessThan(14_000);
  expect(statusOf(text())).toBe(408);
}, 30_000);

test("an endless answer to a client that does not read stays upstream", async () => {
  let written = 0;
  await using endless = await recorder((_, response) => {
    const chunk = Buffer.alloc(65_536, 0x61);
    const more = () => {
      while (!response.destroyed && response.write(chunk)) written += chunk.length;
    };
    response.on("drain", more);
    more();
  });
  const lane = await rig.lane({ network: [loopback(endless.port)] });
  const before = memory();
  const held = Array.from({ length: 20 }, () => {
    const one = dial(lane);
    one.socket.write(proxied(endless.port));
    one.socket.pause();
    return one;
  });
  await until(() => endless.seen.length === 20);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(memory() - before).toBeLessThan(120);
  expect(written).toBeLessThan(400 * 1024 ** 2);
  for (const one of held) one.socket.destroy();
  const events = await rig.eventsOf(lane, 20);
  expect(events.every((event) => event.code === "client-gone" && event.decision === "allow")).toBe(true);
});

test("an endless request body waits for upstream instead of filling memory", async () => {
  await using sink = await tcpServer((socket) => socket.pause());
  const lane = await rig.lane({ network: [loopback(sink.port)] });
  const before = memory();
  const { socket } = dial(lane);
  socket.write(proxied(sink.port, "/", "POST", "Transfer-Encoding: chunked\r\n"));
  const chunk = Buffer.concat([Buffer.from("10000\r\n"), Buffer.alloc(65_536, 0x61), Buffer.from("\r\n")]);
  let sent = 0;
  const end = Date.now() + 1500;
  while (Date.now() < end && sent < 500 * 1024 ** 2) {
    if (socket.writableLength < 1 << 20) {
      socket.write(chunk);
      sent += chunk.length;
    } else await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(memory() - before).toBeLessThan(80);
  socket.destroy();
  await rig.gateway.closeLane(lane.split("/").at(-2) ?? "");
  const [event] = await rig.eventsOf(lane, 1);
  expect(event).toMatchObject({ decision: "allow", method: "POST" });
  expect(event?.sent).toBeGreaterThan(0);
  expect(event?.sent).toBeLessThan(64 * 1024 ** 2);
});

test("a compressed answer goes through as it is, never unpacked", async () => {
  const bomb = gzipSync(Buffer.alloc(32 * 1024 ** 2));
  await using packed = await recorder((_, response) => {
    response.writeHead(200, { "content-encoding": "gzip", "content-length": bomb.length });
    response.end(bomb);
  });
  const lane = await rig.lane({ network: [loopback(packed.port)] });
  const answer = await raw(lane, proxied(packed.port, "/", "GET", "Accept-Encoding: gzip\r\n"));
  const body = Buffer.from(answer.slice(answer.indexOf("\r\n\r\n") + 4), "latin1");
  expect(gunzipSync(body).length).toBe(32 * 1024 ** 2);
  expect((await rig.eventsOf(lane, 1))[0]).toMatchObject({ received: bomb.length });
});

test("an answer that breaks off is cut for the client too, and one with a broken head is a 502", async () => {
  const answers = [
    "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    `HTTP/1.1 200 OK\r\nX: ${"a".repeat(40_000)}\r\n\r\n`,
    "garbage\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
  ];
  let turn = 0;
  await using broken = await tcpServer((socket) => {
    socket.once("data", () => socket.end(answers[turn++] ?? ""));
  });
  const lane = await rig.lane({ network: [loopback(broken.port)] });
  const cut = await raw(lane, proxied(broken.port));
  expect(statusOf(cut)).toBe(200);
  expect(cut).toContain("only this");
  for (let round = 1; round < answers.length; round++) {
    expect([round, statusOf(await raw(lane, proxied(broken.port)))]).toEqual([round, 502]);
  }
  const codes = (await rig.eventsOf(lane, answers.length)).map((event) => [event.decision, event.code]);
  expect(codes).toEqual(Array(answers.length).fill(["allow", "upstream-failed"]));
});

test("a redirect is given to the client and not followed; its target is decided anew", async () => {
  await using target = await recorder();
  await using redirect = await recorder((_, response) => {
    response.writeHead(302, {
      location: `http://127.0.0.1:${target.port}/`,
      "proxy-authenticate": "Basic",
      "alt-svc": 'h3=":443"',
    });
    response.end();
  });
  const lane = await rig.lane({ network: [loopback(redirect.port)] });
  const answer = await raw(lane, proxied(redirect.port));
  expect(statusOf(answer)).toBe(302);
  expect(answer.toLowerCase()).not.toMatch(/proxy-authenticate|alt-svc/);
  expect(statusOf(await raw(lane, proxied(target.port)))).toBe(403);
  expect(target.connections()).toBe(0);
});

test("a client that goes away ends its upstream request", async () => {
  let gone = 0;
  await using slow = await recorder((_, response) => {
    response.on("close", () => {
      gone += 1;
    });
  });
  const lane = await rig.lane({ network: [loopback(slow.port)] });
  const { socket } = dial(lane);
  socket.write(proxied(slow.port));
  await until(() => slow.seen.length === 1);
  socket.destroy();
  await until(() => gone === 1);
  expect((await rig.eventsOf(lane, 1))[0]).toMatchObject({ decision: "allow", code: "client-gone" });
});

test("closing a lane ends its listener, its connections and its upstream at once", async () => {
  let gone = 0;
  await using slow = await recorder((_, response) => {
    response.write("begun");
    response.on("close", () => {
      gone += 1;
    });
  });
  const lane = await rig.lane({ network: [loopback(slow.port)] });
  const other = await rig.lane({ network: [loopback(slow.port)] });
  const [mine, theirs, idle] = [dial(lane), dial(other), dial(lane)];
  mine.socket.write(proxied(slow.port));
  theirs.socket.write(proxied(slow.port));
  await until(() => mine.text().includes("begun") && theirs.text().includes("begun"));
  await rig.gateway.closeLane(lane.split("/").at(-2) ?? "");
  // Its last event has come by now, and the directory is gone.
  expect(rig.events.at(-1)).toMatchObject({
    sandbox: lane.split("/").at(-2),
    decision: "allow",
    code: "lane-closed",
    received: 5,
  });
  await Promise.all([mine.closed, idle.closed]);
  await until(() => gone === 1);
  expect(await raw(lane, proxied(slow.port))).toBe("");
  expect(theirs.socket.destroyed).toBe(false);
  theirs.socket.destroy();
});
