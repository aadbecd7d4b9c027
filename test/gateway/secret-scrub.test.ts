/** ATTACKS S3: what an allowed upstream sends back is scrubbed, in headers, bodies, encodings, across every border. */
import { createServer, type RequestListener, type Server } from "node:http";
import { brotliCompressSync, createGzip, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { secretCanary } from "../canary/canaries.ts";
import { dial, loopback, proxied, raw, statusOf, until } from "./rig.ts";
import { type SecretRig, startSecretRig } from "./secret-rig.ts";

const value = secretCanary("scrub", "/+=&x");
const forms = {
  plain: value,
  base64: Buffer.from(`ab${value}`).toString("base64"),
  base64url: Buffer.from(`a${value}`).toString("base64url"),
  hex: Buffer.from(value).toString("hex"),
  url: encodeURIComponent(value),
  json: JSON.stringify({ value }),
  html: value.replaceAll("&", "&amp;"),
};
let rig: SecretRig;
let server: Server;
let port = 0;
let answer: RequestListener = (_, response) => response.end();
beforeAll(async () => {
  rig = await startSecretRig();
  rig.file("key", value);
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  port = (server.address() as { port: number }).port;
});
afterEach(() => rig.closeLanes());
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await rig[Symbol.asyncDispose]();
});

const lane = () =>
  rig.lane({
    secrets: { key: { header: "x-api-key" } },
    network: [loopback(port, { paths: ["/api/**"], secret: "key" }), loopback(port)],
  });

/** Whether any form of the value, or a long part of it, is in a text. */
function expectClean(text: string): void {
  for (const [form, bytes] of Object.entries(forms)) expect(text, form).not.toContain(bytes.slice(4, -4));
}

async function ask(more = "", path = "/api/v1"): Promise<string> {
  const { socket, placeholders } = await lane();
  return raw(
    socket,
    proxied(port, path, "GET", `x-api-key: ${path.startsWith("/api") ? placeholders.key : "none"}\r\n${more}`),
  );
}

test("the echo of the header that it sent comes back masked: this is the attack, and it really has the value", async () => {
  let saw = "";
  answer = (request, response) => {
    saw = String(request.headers["x-api-key"]);
    response.setHeader("x-echo", saw);
    response.end(`you sent ${saw}`);
  };
  const text = await ask();
  expect(saw).toBe(value);
  expect(statusOf(text)).toBe(200);
  expect(text).toContain("x-echo: [secret:key]\r\n");
  expect(text).toContain("you sent [secret:key]");
  expectClean(text);
});

test.each(Object.entries(forms))("in headers and body as %s", async (_, form) => {
  answer = (__, response) => {
    response.setHeader("x-a", form);
    response.setHeader("location", `/next?token=${encodeURIComponent(form)}`);
    response.setHeader("set-cookie", [`a=${form}`, "b=plain"]);
    response.setHeader("www-authenticate", `Bearer error="${form.replaceAll('"', "'")}"`);
    response.write(form.slice(0, 7));
    setTimeout(() => response.end(form.slice(7)), 20);
  };
  // A 401 and a path without the secret: what is scrubbed does not depend on who was sent it.
  for (const path of ["/api/v1", "/elsewhere"]) {
    const text = await ask("", path);
    expectClean(text);
    expect(text).toContain("b=plain");
    expect(text.match(/\[secret:key\]/g)?.length).toBeGreaterThanOrEqual(3);
  }
});

describe("compressed", () => {
  const clean = "nothing to see ".repeat(50);
  const body = `${clean}${Object.values(forms).join(" | ")}${clean}`;
  const coders: [string, Buffer][] = [
    ["gzip", gzipSync(body)],
    ["x-gzip", gzipSync(body)],
    ["deflate", deflateSync(body)],
    ["br", brotliCompressSync(body)],
    ["zstd", zstdCompressSync(body)],
    ["gzip, br", brotliCompressSync(gzipSync(body))],
  ];
  test.each(coders)("as %s, in pieces of three bytes", async (coding, bytes) => {
    answer = (_, response) => {
      response.setHeader("content-encoding", coding);
      for (let at = 0; at < bytes.length; at += 3) response.write(bytes.subarray(at, at + 3));
      response.end();
    };
    const text = await ask("accept-encoding: gzip, br\r\n");
    // Where a coding is not taken apart the answer is refused: it never comes as it is.
    if (statusOf(text) === 200) {
      expect(text).toContain("nothing to see");
      expect(text).toContain("[secret:key]");
      expect(text.toLowerCase()).not.toContain("content-encoding");
    } else expect(statusOf(text)).toBe(502);
    expectClean(text);
    expect(text.includes(bytes.toString("latin1", 20, 60))).toBe(false);
    if (!coding.includes(",")) expect(statusOf(text)).toBe(200);
  });
  test.each(["compress", "sdch", "aes128gcm", "gzip;x"])(
    "an unknown coding %s is refused, not passed on",
    async (coding) => {
      answer = (_, response) => {
        response.setHeader("content-encoding", coding);
        response.end(value);
      };
      const text = await ask();
      expect(statusOf(text)).toBe(502);
      expectClean(text);
    },
  );
  test("deflate without its zlib wrapper, which RFC 9110 does not allow, is cut and not passed on", async () => {
    const bytes = deflateRawSync(body);
    answer = (_, response) => {
      response.setHeader("content-encoding", "deflate");
      response.end(bytes);
    };
    const text = await ask();
    expectClean(text);
    expect(text.includes(bytes.toString("latin1", 20, 60))).toBe(false);
    // Cut: a client must not take what came for the whole answer.
    expect(text).not.toMatch(/0\r\n\r\n$/);
    await until(() => rig.events.at(-1)?.code === "encoding-broken");
  });
  test("a body that is not what its coding says is cut, not passed on", async () => {
    answer = (_, response) => {
      response.setHeader("content-encoding", "gzip");
      response.end(`not gzip: ${value}`);
    };
    expectClean(await ask());
  });
  test("a bomb ends, and the gateway goes on", async () => {
    const bomb = gzipSync(Buffer.alloc(300 * 1024 * 1024));
    answer = (request, response) => {
      if (request.url === "/small") return void response.end("small");
      response.setHeader("content-encoding", "gzip");
      response.end(bomb);
    };
    const { socket } = await lane();
    const wire = dial(socket);
    wire.socket.write(proxied(port, "/bomb"));
    wire.socket.pause();
    await new Promise((done) => setTimeout(done, 500));
    const began = performance.now();
    expect(await raw(socket, proxied(port, "/small"))).toContain("small");
    expect(performance.now() - began).toBeLessThan(2000);
    wire.socket.destroy();
  }, 30_000);
});

test("a client is not let ask for pieces, nor for a coding that cannot be read", async () => {
  let headers: Record<string, unknown> = {};
  answer = (request, response) => {
    headers = request.headers;
    response.setHeader("accept-ranges", "bytes");
    response.end(value);
  };
  const text = await ask('range: bytes=0-9\r\nif-range: "x"\r\naccept-encoding: sdch, gzip;q=0.5, *;q=0.1, br\r\n');
  expect(headers.range ?? headers["if-range"]).toBeUndefined();
  expect(headers["accept-encoding"]).not.toMatch(/sdch|\*/);
  expect(text).not.toContain("accept-ranges");
  expectClean(text);
});

test("trailers do not bring it in", async () => {
  answer = (_, response) => {
    response.setHeader("trailer", "x-late");
    response.write("body");
    response.addTrailers({ "x-late": value });
    response.end();
  };
  const text = await ask();
  expect(text).toContain("body");
  expectClean(text);
});

test("events of a stream come at once, and one that holds it is masked", async () => {
  for (const gzip of [false, true]) {
    const sent: number[] = [];
    answer = (_, response) => {
      response.setHeader("content-type", "text/event-stream");
      const out = gzip ? createGzip() : undefined;
      if (out) {
        response.setHeader("content-encoding", "gzip");
        out.pipe(response);
      }
      let turn = 0;
      const timer = setInterval(() => {
        sent.push(performance.now());
        const text = `data: event ${turn} ${turn === 2 ? value : "ok"}\n\n`;
        if (out) {
          out.write(text);
          out.flush();
        } else response.write(text);
        if (++turn < 5) return;
        clearInterval(timer);
        (out ?? response).end();
      }, 200);
    };
    const { socket } = await lane();
    const wire = dial(socket);
    wire.socket.write(proxied(port, "/events"));
    for (let turn = 0; turn < 5; turn++) {
      await until(() => wire.text().includes(`event ${turn} ${turn === 2 ? "[secret:key]" : "ok"}\n\n`), 3000);
      // It came before the next one was sent.
      expect(sent.length).toBe(turn + 1);
    }
    expectClean(wire.text());
    wire.socket.destroy();
  }
});

test("clean bytes of every kind come through byte for byte; the length is the body's", async () => {
  const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 7919) % 251));
  answer = (_, response) => {
    response.setHeader("content-length", bytes.length);
    response.end(bytes);
  };
  const text = await ask("connection: close\r\n");
  const head = text.slice(0, text.indexOf("\r\n\r\n"));
  let body = Buffer.from(text.slice(text.indexOf("\r\n\r\n") + 4), "latin1");
  if (/transfer-encoding: chunked/i.test(head)) {
    const parts: Buffer[] = [];
    for (let at = 0; ; ) {
      const end = body.indexOf("\r\n", at);
      const size = Number.parseInt(body.toString("latin1", at, end), 16);
      if (size === 0) break;
      parts.push(body.subarray(end + 2, end + 2 + size));
      at = end + 2 + size + 2;
    }
    body = Buffer.concat(parts);
  }
  expect(body.equals(bytes)).toBe(true);
});

test("answers without a body stay whole: HEAD, 204, 304", async () => {
  answer = (request, response) => {
    if (request.url === "/204") response.writeHead(204);
    if (request.url === "/304") response.writeHead(304, { etag: `"${value}"` });
    if (request.method === "HEAD") response.writeHead(200, { "content-length": 1234, "content-encoding": "gzip" });
    response.end();
  };
  const { socket } = await lane();
  const all = await raw(socket, proxied(port, "/204"));
  expect(statusOf(all)).toBe(204);
  const notModified = await raw(socket, proxied(port, "/304"));
  expect(statusOf(notModified)).toBe(304);
  expectClean(notModified);
  expect(statusOf(await raw(socket, proxied(port, "/head", "HEAD")))).toBe(200);
});

test("a lane without secrets is not touched: compressed stays compressed", async () => {
  const bytes = gzipSync("plain text");
  answer = (request, response) => {
    response.setHeader("content-encoding", "gzip");
    response.setHeader("x-range", String(request.headers.range));
    response.end(bytes);
  };
  const { socket } = await rig.lane({ secrets: {}, network: [loopback(port)] });
  const text = await raw(socket, proxied(port, "/", "GET", "range: bytes=0-1\r\n"));
  expect(text).toContain("x-range: bytes=0-1");
  expect(text.toLowerCase()).toContain("content-encoding: gzip");
  expect(Buffer.from(text, "latin1").includes(bytes)).toBe(true);
});
