/** The seam for secrets: what is prepared goes upstream, what comes back is decoded and scrubbed, refusals stop both. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { createLane, type Lane } from "../../src/gateway/lane.ts";
import { createLaneCa } from "../../src/gateway/lane-ca.ts";
import type { LaneServices } from "../../src/gateway/lane-services.ts";
import type { LaneSpec } from "../../src/gateway/messages.ts";
import type { RequestEvent } from "../../src/gateway/record.ts";
import { identity, type RequestTransform } from "../../src/gateway/transform.ts";
import { transparentFor } from "../../src/gateway/transparent.ts";
import { classifyAddress, sameAddress } from "../../src/policy/address.ts";
import { canonicalRequest } from "../../src/policy/canonical-request.ts";
import { compileRules } from "../../src/policy/decide.ts";
import { denialOf, loopback, proxied, raw, sandboxId, statusOf, until } from "./rig.ts";

const undo: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function serve(answer: RequestListener): Promise<number> {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  undo.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** A lane of this process. */
async function openLane(
  port: number,
  transform: RequestTransform,
  rule: object = {},
  { lookup = async () => [], models = {} }: { lookup?: LaneServices["lookup"]; models?: LaneSpec["models"] } = {},
) {
  const directory = mkdtempSync(join(tmpdir(), "gateway-seam-"));
  const events: RequestEvent[] = [];
  const network = [loopback(port, rule)];
  const lane: Lane = createLane(
    { sandbox: sandboxId(), role: "executor", network, models, requests: 100, verbs: [] },
    {
      decisions: { canonicalRequest, compileRules, classifyAddress, sameAddress },
      lookup,
      findProxy: () => undefined,
      makeTransform: () => transform,
      emit: (event) => events.push(event),
      reserve: async () => {
        throw new Error("no model here");
      },
      settle: () => undefined,
      progress: () => undefined,
      callVerb: async () => ({ status: 200, body: null }),
      room: async () => undefined,
      now: () => performance.now(),
    },
    await createLaneCa([]),
  );
  await lane.listen(directory, transparentFor(network));
  undo.push(async () => {
    await lane.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return { path: join(directory, "host.sock"), events };
}

/** Puts `hunter2` into x-key and takes it out of what comes back, holding back a possible beginning. */
const secret = "hunter2";
const masking: RequestTransform = {
  active: true,
  prepare: ({ headers, target }) => ({ headers: [...headers, "x-key", secret], target, secret: "key" }),
  scrub() {
    let held = "";
    return {
      headers: (headers) => headers.map((one) => one.replaceAll(secret, "[masked]")),
      push(chunk) {
        const text = (held + chunk.toString("latin1")).replaceAll(secret, "[masked]");
        const keep = [...Array(secret.length).keys()].reverse().find((n) => text.endsWith(secret.slice(0, n))) ?? 0;
        held = keep > 0 ? text.slice(-keep) : "";
        return Buffer.from(keep > 0 ? text.slice(0, -keep) : text, "latin1");
      },
      end: () => Buffer.from(held, "latin1"),
    };
  },
};

test("what is prepared goes upstream; the record names the secret and not its value", async () => {
  const seen: string[] = [];
  const port = await serve((request, response) => {
    seen.push(
      `${request.url} ${request.headers["x-key"]} ${request.headers["accept-encoding"]} ${request.headers.range}`,
    );
    response.setHeader("x-echo", `it is ${secret}`);
    response.setHeader("content-length", secret.length);
    response.end(secret);
  });
  const { path, events } = await openLane(port, masking);
  const answer = await raw(path, proxied(port, "/a", "GET", "Accept-Encoding: br\r\nRange: bytes=0-3\r\n"));
  // Whole and uncoded: a secret that comes in two ranges would be found in neither.
  expect(seen).toEqual([`/a ${secret} identity undefined`]);
  expect(answer).toContain("x-echo: it is [masked]");
  expect(answer).not.toContain(secret);
  expect(answer.toLowerCase()).not.toContain("content-length");
  expect(answer).toContain("[masked]\r\n0\r\n\r\n");
  await until(() => events.length === 1);
  expect(events[0]).toMatchObject({ secret: "key", code: "allowed" });
  expect(JSON.stringify(events)).not.toContain(secret);
});

test.each([
  ["gzip", gzipSync],
  ["x-gzip", gzipSync],
  ["deflate", deflateSync],
  ["br", brotliCompressSync],
  ["zstd", zstdCompressSync],
  ["deflate, gzip", (text: Buffer) => gzipSync(deflateSync(text))],
  ["identity", (text: Buffer) => text],
] as const)("an answer coded as %s is decoded, in whatever pieces it comes", async (coding, encode) => {
  const text = Buffer.from(`${"x".repeat(50_000)}${secret}${"y".repeat(50_000)}`);
  const coded = encode(text);
  const port = await serve(async (_, response) => {
    response.setHeader("content-encoding", coding);
    response.setHeader("etag", "kept");
    for (let at = 0; at < coded.length; at += 1000) {
      if (!response.write(coded.subarray(at, at + 1000))) await once(response, "drain");
      if (at < 3000) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    response.end();
  });
  const { path } = await openLane(port, masking);
  const answer = await raw(path, proxied(port), 300);
  expect(answer.toLowerCase()).not.toContain("content-encoding");
  expect(answer.toLowerCase()).toContain("etag: kept");
  const body = dechunk(answer);
  expect(body).toBe(text.toString().replace(secret, "[masked]"));
});

function dechunk(answer: string): string {
  let rest = answer.slice(answer.indexOf("\r\n\r\n") + 4);
  let body = "";
  for (;;) {
    const size = Number.parseInt(rest, 16);
    if (!(size > 0)) return body;
    const from = rest.indexOf("\r\n") + 2;
    body += rest.slice(from, from + size);
    rest = rest.slice(from + size + 2);
  }
}

test("a coding that cannot be read is refused, and one that breaks off is cut", async () => {
  let coding = "compress";
  const port = await serve((_, response) => {
    response.setHeader("content-encoding", coding);
    response.end(coding === "gzip" ? gzipSync(Buffer.alloc(5000, "a")).subarray(0, 20) : "abc");
  });
  const { path, events } = await openLane(port, masking);
  for (coding of ["compress", "gzip, gzip, gzip", "aes128gcm", "GZIP;q=1"]) {
    const answer = await raw(path, proxied(port));
    expect([statusOf(answer), denialOf(answer).code]).toEqual([502, "encoding-refused"]);
  }
  coding = "gzip";
  const broken = await raw(path, proxied(port));
  expect(broken).not.toContain("0\r\n\r\n");
  await until(() => events.length === 5);
  expect(events.at(-1)).toMatchObject({ code: "encoding-broken" });
  // Twins: no body, no coding to take off; and without secrets nothing is touched.
  const head = await raw(path, proxied(port, "/", "HEAD"));
  expect(statusOf(head)).toBe(200);
  coding = "compress";
  const plain = await openLane(port, identity);
  expect(await raw(plain.path, proxied(port))).toMatch(/content-encoding: compress[\s\S]*abc/i);
});

test("a bomb costs no memory, and a frame that asks for a huge window is refused", async () => {
  const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024));
  const window = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024, "ab"), {
    params: { [(await import("node:zlib")).constants.ZSTD_c_windowLog]: 26 },
  });
  let body: Buffer = bomb;
  let coding = "gzip";
  const port = await serve((_, response) => {
    response.setHeader("content-encoding", coding);
    response.end(body);
  });
  const { path, events } = await openLane(port, masking);
  const before = process.memoryUsage().rss;
  const { dial } = await import("./rig.ts");
  const client = dial(path);
  client.socket.removeAllListeners("data");
  client.socket.write(proxied(port));
  // A client that reads nothing: what is decoded waits upstream.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
  client.socket.destroy();
  await until(() => events.length === 1);
  body = window;
  coding = "zstd";
  await raw(path, proxied(port), 300);
  await until(() => events.length === 2);
  expect(events[1]).toMatchObject({ code: "encoding-broken" });
});

test("a refusal at preparation, and a value that cannot be had, stop the request before anything is sent", async () => {
  let connections = 0;
  const port = await serve((_, response) => {
    connections += 1;
    response.end();
  });
  const refusing = await openLane(port, {
    ...identity,
    prepare: () => ({ refuse: { code: "secret-unbound", why: "the placeholder is elsewhere", next: "put it there" } }),
  });
  expect(denialOf(await raw(refusing.path, proxied(port)))).toMatchObject({
    code: "secret-unbound",
    rule: "network[0] 127.0.0.1",
  });
  const failing = await openLane(port, { ...identity, prepare: () => Promise.reject(new Error(secret)) });
  const answer = await raw(failing.path, proxied(port));
  expect(denialOf(answer)).toMatchObject({ code: "secret-unavailable" });
  expect(answer).not.toContain(secret);
  await until(() => refusing.events.length + failing.events.length === 2);
  expect([...refusing.events, ...failing.events].map((event) => event.decision)).toEqual(["deny", "deny"]);
  expect(connections).toBe(0);
});

test("a body is scanned on its way; what the scan refuses never becomes a whole request", async () => {
  let whole = 0;
  const port = await serve((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      whole += 1;
      response.end(`got ${body}`);
    });
    request.on("error", () => undefined);
  });
  const { path, events } = await openLane(port, {
    ...identity,
    prepare: ({ headers, target }) => ({
      headers,
      target,
      scan: {
        push: (chunk) =>
          chunk.includes("bad")
            ? { refuse: { code: "secret-unbound", why: "in the body", next: "take it out" } }
            : chunk,
        end: () => Buffer.alloc(0),
      },
    }),
  });
  const chunked = (text: string) =>
    `${proxied(port, "/", "POST", "Transfer-Encoding: chunked\r\n")}4\r\ngood\r\n${text.length}\r\n${text}\r\n0\r\n\r\n`;
  const refused = await raw(path, chunked("bad"));
  expect(denialOf(refused)).toMatchObject({ code: "secret-unbound", rule: "network[0] 127.0.0.1" });
  expect(whole).toBe(0);
  await until(() => events.length === 1);
  expect(events[0]).toMatchObject({
    decision: "deny",
    code: "secret-unbound",
    rule: "network[0] 127.0.0.1",
    status: 403,
  });
  expect(await raw(path, chunked("fine"))).toContain("got goodfine");
  expect(whole).toBe(1);
});

test("a lane with secrets carries no WebSocket", async () => {
  const port = await serve((_, response) => response.end());
  const { path } = await openLane(port, masking, { websocket: true });
  const shake =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  expect(denialOf(await raw(path, proxied(port, "/", "GET", shake)))).toMatchObject({ code: "websocket-secret" });
});

test("an upstream connection belongs to one lane and one checked address (N5)", async () => {
  const from: string[] = [];
  const port = await serve((request, response) => {
    from.push(`${request.socket.localAddress} ${request.socket.remotePort}`);
    response.end("ok");
  });
  const answers = ["127.0.0.1", "127.0.0.2"];
  const lookup = async () => [{ address: answers[0] ?? "", family: 4 }];
  const named = { host: "dev.example", scheme: "http", addresses: ["127.0.0.1"] };
  const ask = (path: string) =>
    raw(path, `GET http://dev.example:${port}/ HTTP/1.1\r\nHost: dev.example:${port}\r\n\r\n`);
  const one = await openLane(port, identity, named, { lookup });
  const other = await openLane(port, identity, named, { lookup });
  for (const { path } of [one, one, other]) expect(statusOf(await ask(path))).toBe(200);
  // A lane uses its own kept-alive connection again; another lane of the very same rule never gets it.
  expect([from[0] === from[1], from[0] === from[2]]).toEqual([true, false]);
  answers.shift();
  const later = await openLane(port, identity, named, { lookup });
  expect(denialOf(await ask(later.path)).code).toBe("address-refused");
  expect(new Set(from.map((seen) => seen.split(" ")[0]))).toEqual(new Set(["127.0.0.1"]));
});

test("plain http with a secret goes to the addresses that the rule or route names, wherever its name leads today", async () => {
  const seen: string[] = [];
  const port = await serve((request, response) => {
    seen.push(`${request.url} ${request.headers["x-key"]}`);
    response.end("ok");
  });
  let answer = "127.0.0.1";
  const lookup = async () => [{ address: answer, family: 4 }];
  const named = { host: "dev.example", scheme: "http", addresses: ["127.0.0.1"], secret: "key" };
  const models = { m: { base: `http://dev.example:${port}/v1`, addresses: ["127.0.0.1"], secret: "key" } };
  const ask = (path: string, target: string, host = `dev.example:${port}`) =>
    raw(path, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const rule = async () => ask((await openLane(port, masking, named, { lookup })).path, `http://dev.example:${port}/a`);
  const route = async () =>
    ask((await openLane(port, masking, named, { lookup, models })).path, "/model/m/b", "sallyport");
  expect([statusOf(await rule()), statusOf(await route())]).toEqual([200, 200]);
  expect(seen).toEqual([`/a ${secret}`, `/v1/b ${secret}`]);
  // A public address would do for any other rule.
  answer = "8.8.8.8";
  for (const refused of [await rule(), await route()]) {
    expect([statusOf(refused), denialOf(refused).code]).toEqual([403, "address-refused"]);
  }
  expect(seen).toHaveLength(2);
});
