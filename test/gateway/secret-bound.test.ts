/** ATTACKS S2: a placeholder becomes its value where the policy binds it, and is refused everywhere else. */
import { createServer } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { secretCanary } from "../canary/canaries.ts";
import { denialOf, loopback, proxied, type Recorder, raw, recorder, statusOf, tcpServer, until } from "./rig.ts";
import { type SecretRig, startSecretRig } from "./secret-rig.ts";

const value = secretCanary("bound", "/+=&x");
let rig: SecretRig;
let server: Recorder;
let other: Recorder;
beforeAll(async () => {
  rig = await startSecretRig();
  server = await recorder();
  other = await recorder();
  for (const name of ["key", "second"]) rig.file(name, name === "key" ? value : `${value}2`);
});
afterEach(() => rig.closeLanes());
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

/** A lane with the secret bound to GET and POST of /api/** at the server, and the other server open without it. */
function lane(binding: object, rule: object = {}) {
  return rig.lane({
    secrets: { key: { env: "KEY", ...binding } },
    network: [
      loopback(server.port, { methods: ["GET", "POST"], paths: ["/api/**"], secret: "key", ...rule }),
      loopback(server.port, { methods: ["GET", "POST", "PUT"] }),
      loopback(other.port),
    ],
  });
}

const last = (from: Recorder) => from.seen.at(-1);
const header = (from: Recorder, name: string) => {
  const { rawHeaders = [] } = last(from) ?? {};
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);
};
const everything = () => JSON.stringify([server.seen, other.seen]);

describe("where it is bound", () => {
  test("a header is the value alone, whatever its case", async () => {
    const { socket, placeholders, environment } = await lane({ header: "x-api-key" });
    expect(environment).toEqual({ KEY: placeholders.key });
    expect(placeholders.key).toMatch(/^sallyport-placeholder-key-[0-9a-f]{16}$/);
    const answer = await raw(socket, proxied(server.port, "/api/v1", "GET", `X-API-KEY: ${placeholders.key}\r\n`));
    expect(statusOf(answer)).toBe(200);
    expect(header(server, "x-api-key")).toEqual([value]);
    expect(everything()).not.toContain("sallyport-placeholder");
  });
  test("a header in its form; the scheme in any case", async () => {
    const { socket, placeholders } = await lane({ header: "authorization", form: "Bearer {}" });
    for (const scheme of ["Bearer", "bearer"]) {
      await raw(socket, proxied(server.port, "/api/v1", "GET", `Authorization: ${scheme} ${placeholders.key}\r\n`));
      expect(header(server, "authorization")).toEqual([`Bearer ${value}`]);
    }
  });
  test("the password of Basic authentication", async () => {
    const { socket, placeholders } = await lane({ basic: "robot" });
    const sent = Buffer.from(`robot:${placeholders.key}`).toString("base64");
    await raw(socket, proxied(server.port, "/api/v1", "GET", `Authorization: Basic ${sent}\r\n`));
    expect(header(server, "authorization")).toEqual([`Basic ${Buffer.from(`robot:${value}`).toString("base64")}`]);
  });
  test("a query parameter, encoded; what is around it stays byte for byte", async () => {
    const { socket, placeholders } = await lane({ query: "token" });
    await raw(socket, proxied(server.port, `/api/v1?a=%2Fb&token=${placeholders.key}&c&d=`));
    expect(last(server)?.url).toBe(`/api/v1?a=%2Fb&token=${encodeURIComponent(value)}&c&d=`);
    const [event] = rig.events.slice(-1);
    expect(JSON.stringify(event)).not.toContain("canary");
  });
  test("a request under the rule goes without it too, and a body goes through unchanged", async () => {
    const { socket } = await lane({ header: "x-api-key" });
    const body = "x".repeat(70_000);
    const answer = await raw(
      socket,
      `${proxied(server.port, "/api/v1", "POST", `content-length: ${body.length}\r\n`)}${body}`,
    );
    expect(statusOf(answer)).toBe(200);
    expect(last(server)?.body).toBe(body);
    expect(header(server, "x-api-key")).toEqual([]);
  });
  test("the record names the secret", async () => {
    const { socket, placeholders, sandbox } = await lane({ header: "x-api-key" });
    await raw(socket, proxied(server.port, "/api/v1", "GET", `x-api-key: ${placeholders.key}\r\n`));
    await until(() => rig.events.some((event) => event.sandbox === sandbox));
    expect(rig.events.find((event) => event.sandbox === sandbox)).toMatchObject({ decision: "allow", secret: "key" });
  });
});

describe("anywhere else it is refused, and nothing of it goes upstream", () => {
  const forms: [string, (placeholder: string) => string][] = [
    ["plain", (p) => p],
    ["URL-encoded", (p) => [...p].map((c) => `%${c.charCodeAt(0).toString(16)}`).join("")],
    ["URL-encoded twice", (p) => p.replaceAll("-", "%252D")],
    ["base64", (p) => Buffer.from(p).toString("base64")],
    ["base64 one byte on", (p) => Buffer.from(`x${p}`).toString("base64")],
    ["base64url two bytes on", (p) => Buffer.from(`xy${p}z`).toString("base64url")],
    ["hex", (p) => Buffer.from(p).toString("hex")],
  ];
  const places: [string, (port: number, text: string) => string][] = [
    ["another header", (port, text) => proxied(port, "/api/v1", "GET", `x-other: ${text}\r\n`)],
    ["a cookie", (port, text) => proxied(port, "/api/v1", "GET", `cookie: a=${text}\r\n`)],
    [
      "a header's name",
      (port, text) => proxied(port, "/api/v1", "GET", `${text.replaceAll(/[^A-Za-z0-9-]/g, "")}: 1\r\n`),
    ],
    ["the path", (port, text) => proxied(port, `/api/${text.replaceAll("/", "%2F")}`)],
    ["the query", (port, text) => proxied(port, `/api/v1?x=${text}`)],
    ["a parameter's name", (port, text) => proxied(port, `/api/v1?${text}=1`)],
    [
      "the user name of Basic",
      (port, text) =>
        proxied(port, "/api/v1", "GET", `authorization: Basic ${Buffer.from(`${text}:x`).toString("base64")}\r\n`),
    ],
    [
      "the right header, in another form",
      (port, text) => proxied(port, "/api/v1", "GET", `x-api-key: Bearer ${text}\r\n`),
    ],
    [
      "the right header, twice in one",
      (port, text) => proxied(port, "/api/v1", "GET", `x-api-key: ${text}, ${text}\r\n`),
    ],
    [
      "a body",
      (port, text) =>
        `${proxied(port, "/api/v1", "POST", `content-length: ${text.length + 20}\r\n`)}${"a".repeat(10)}${text}${"b".repeat(10)}`,
    ],
  ];
  for (const [place, write] of places) {
    // A body is looked through as it is, and a header's name has no percent signs.
    const possible = /body|name$/.test(place) ? forms.filter(([form]) => form !== "URL-encoded twice") : forms;
    test.each(possible)(`in ${place}, %s`, async (_, encode) => {
      const { socket, placeholders } = await lane({ header: "x-api-key" });
      const before = server.seen.length;
      const text = encode(placeholders.key ?? "");
      const answer = await raw(socket, write(server.port, text));
      // Where another layer refuses it first (a path that has no plain form), it is refused all the same.
      expect([400, 403]).toContain(statusOf(answer));
      if (statusOf(answer) === 403) expect(denialOf(answer).code).toBe("secret-unbound");
      expect(JSON.stringify(server.seen.slice(before))).not.toContain(text.slice(4, -4));
      expect(everything()).not.toContain(placeholders.key);
    });
  }
  test.each([
    ["another method", (p: string) => proxied(server.port, "/api/v1", "PUT", `x-api-key: ${p}\r\n`)],
    ["another path", (p: string) => proxied(server.port, "/other", "GET", `x-api-key: ${p}\r\n`)],
    ["another host", (p: string) => proxied(other.port, "/api/v1", "GET", `x-api-key: ${p}\r\n`)],
    [
      "the right header a second time",
      (p: string) => proxied(server.port, "/api/v1", "GET", `x-api-key: ${p}\r\nx-api-key: ${p}\r\n`),
    ],
  ])("to %s", async (_, write) => {
    const { socket, placeholders } = await lane({ header: "x-api-key" });
    const count = server.seen.length + other.seen.length;
    const answer = await raw(socket, write(placeholders.key ?? ""));
    expect(statusOf(answer)).toBe(403);
    const denial = denialOf(answer);
    expect(denial.code).toBe("secret-unbound");
    expect(denial.why).toContain("key");
    expect(denial.next).toMatch(/secret: key|Send it once, as the whole value of the header x-api-key/);
    expect(server.seen.length + other.seen.length).toBe(count);
  });
  test("one secret's placeholder in another secret's place", async () => {
    const { socket, placeholders } = await rig.lane({
      secrets: { key: { header: "x-api-key" }, second: { header: "x-second" } },
      network: [
        loopback(server.port, { paths: ["/a"], secret: "key" }),
        loopback(server.port, { paths: ["/b"], secret: "second" }),
      ],
    });
    const send = (path: string, name: string, text = "") =>
      raw(socket, proxied(server.port, path, "GET", `${name}: ${text}\r\n`));
    expect(statusOf(await send("/a", "x-api-key", placeholders.key))).toBe(200);
    expect(header(server, "x-api-key")).toEqual([value]);
    expect(statusOf(await send("/b", "x-second", placeholders.second))).toBe(200);
    expect(header(server, "x-second")).toEqual([`${value}2`]);
    expect(denialOf(await send("/a", "x-api-key", placeholders.second)).code).toBe("secret-unbound");
    expect(denialOf(await send("/b", "x-second", placeholders.key)).code).toBe("secret-unbound");
    expect(denialOf(await send("/b", "x-api-key", placeholders.key)).code).toBe("secret-unbound");
  });
  test("another lane's placeholder is text like any other, and becomes nothing", async () => {
    const mine = await lane({ header: "x-api-key" });
    const theirs = await lane({ header: "x-api-key" });
    expect(mine.placeholders.key).not.toBe(theirs.placeholders.key);
    await raw(mine.socket, proxied(server.port, "/api/v1", "GET", `x-api-key: ${theirs.placeholders.key}\r\n`));
    expect(header(server, "x-api-key")).toEqual([theirs.placeholders.key]);
    server.seen.length = 0;
  });
  test("a body in many chunks, cut in the middle of it, is stopped before it is whole upstream", async () => {
    const { socket, placeholders } = await lane({ header: "x-api-key" });
    const text = placeholders.key ?? "";
    for (const size of [1, 7, 20, 100]) {
      const body = `${"a".repeat(100_000)}${text}${"b".repeat(1000)}`;
      const chunks: string[] = [];
      for (let at = 99_900; at < body.length; at += size) chunks.push(body.slice(at, at + size));
      const coded = [body.slice(0, 99_900), ...chunks]
        .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
        .join("");
      const answer = await raw(
        socket,
        `${proxied(server.port, "/api/v1", "POST", "transfer-encoding: chunked\r\n")}${coded}0\r\n\r\n`,
      );
      expect(denialOf(answer).code).toBe("secret-unbound");
    }
    expect(everything()).not.toContain(text);
    server.seen.length = 0;
  });
  test("what only begins like a placeholder goes through whole", async () => {
    const { socket, placeholders } = await lane({ header: "x-api-key" });
    const body = `see ${placeholders.key?.slice(0, -1)}`;
    const answer = await raw(
      socket,
      `${proxied(server.port, "/api/v1", "POST", `content-length: ${body.length}\r\n`)}${body}`,
    );
    expect(statusOf(answer)).toBe(200);
    expect(last(server)?.body).toBe(body);
    server.seen.length = 0;
  });
});

describe("model routes", () => {
  const route = (more: object = {}) => ({
    base: `http://127.0.0.1:${server.port}/v1`,
    addresses: ["127.0.0.1"],
    secret: "key",
    protocol: "openai-chat" as const,
    ...more,
  });
  const own = (path: string, extra = "", body = '{"model":"m1","messages":[]}') =>
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:3128\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n${extra}\r\n${body}`;
  test("the key is put in whatever the client sent, and what it sent is taken away", async () => {
    const { socket, environment } = await rig.lane({
      secrets: { key: { header: "x-api-key", env: "KEY" } },
      models: { m: route() },
    });
    expect(environment).toEqual({});
    for (const extra of [
      "",
      "authorization: Bearer placeholder\r\n",
      "x-api-key: mine\r\n",
      "x-goog-api-key: a\r\napi-key: b\r\n",
    ]) {
      expect(statusOf(await raw(socket, own("/model/m/chat/completions", extra)))).toBe(200);
      expect(last(server)?.url).toBe("/v1/chat/completions");
      const names = (last(server)?.rawHeaders ?? []).filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
      expect(names.filter((name) => /key|authorization/.test(name))).toEqual(["x-api-key"]);
      expect(header(server, "x-api-key")).toEqual([value]);
    }
  });
  test("as a bearer token, as Basic, as a query parameter", async () => {
    const bearer = await rig.lane({
      secrets: { key: { header: "authorization", form: "Bearer {}" } },
      models: { m: route() },
    });
    await raw(bearer.socket, own("/model/m/chat/completions", "Authorization: Bearer placeholder\r\n"));
    expect(header(server, "authorization")).toEqual([`Bearer ${value}`]);
    const basic = await rig.lane({ secrets: { key: { basic: "" } }, models: { m: route() } });
    await raw(basic.socket, own("/model/m/chat/completions"));
    expect(header(server, "authorization")).toEqual([`Basic ${Buffer.from(`:${value}`).toString("base64")}`]);
    const gemini = { ...route(), protocol: "gemini" as const };
    const query = await rig.lane({ secrets: { key: { query: "key" } }, models: { m: gemini } });
    const answer = "/models/g1:generateContent?alt=sse";
    await raw(query.socket, own(`/model/m${answer}`, "x-goog-api-key: mine\r\n", '{"contents":[]}'));
    expect(last(server)?.url).toBe(`/v1${answer}&key=${encodeURIComponent(value)}`);
  });
  test("a route without a secret keeps what the client sent", async () => {
    const { socket } = await rig.lane({
      secrets: { key: { header: "x-api-key" } },
      models: { m: route(), free: { base: route().base, addresses: ["127.0.0.1"], protocol: "openai-chat" } },
    });
    await raw(socket, own("/model/free/chat/completions", "authorization: Bearer mine\r\n"));
    expect(header(server, "authorization")).toEqual(["Bearer mine"]);
    expect(header(server, "x-api-key")).toEqual([]);
  });
});

test("a redirect is the client's to follow, and is decided anew: no credential goes to the other host (N10)", async () => {
  const away = createServer((_, response) => {
    response.writeHead(302, { location: `http://127.0.0.1:${other.port}/api/v1` });
    response.end();
  });
  await new Promise<void>((done) => away.listen(0, "127.0.0.1", done));
  const port = (away.address() as { port: number }).port;
  try {
    const { socket, placeholders } = await rig.lane({
      secrets: { key: { header: "x-api-key" } },
      network: [loopback(port, { secret: "key" }), loopback(other.port)],
    });
    const count = other.seen.length;
    const extra = `x-api-key: ${placeholders.key}\r\n`;
    const answer = await raw(socket, proxied(port, "/api/v1", "GET", extra));
    expect(statusOf(answer)).toBe(302);
    expect(other.seen.length).toBe(count);
    // The client follows with the header that it has: the placeholder, which is not bound there.
    expect(denialOf(await raw(socket, proxied(other.port, "/api/v1", "GET", extra))).code).toBe("secret-unbound");
    expect(statusOf(await raw(socket, proxied(other.port, "/api/v1")))).toBe(200);
    expect(JSON.stringify(other.seen)).not.toContain("canary");
  } finally {
    away.closeAllConnections();
    await new Promise((done) => away.close(done));
  }
});

test("a value with its own meaning in a replacement is put in as it is", async () => {
  const odd = "$&$1$`canary\"'\\x";
  rig.file("odd", odd);
  await using upstream = await tcpServer((socket) =>
    socket.on("data", (chunk) => {
      got += chunk.toString("latin1");
      socket.end("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
    }),
  );
  let got = "";
  const { socket, placeholders } = await rig.lane({
    secrets: { odd: { header: "x-api-key", form: "v={}" } },
    network: [loopback(upstream.port, { secret: "odd" })],
  });
  await raw(socket, proxied(upstream.port, "/", "GET", `x-api-key: v=${placeholders.odd}\r\n`));
  expect(got.toLowerCase()).toContain(`x-api-key: v=${odd.toLowerCase()}\r\n`);
});
