/** Who gets the console on loopback, and who does not: each refusal beside the request that differs from it in one thing. */

import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readBundle } from "../../src/console/bundle.ts";
import { type ConsoleServer, startConsole } from "../../src/console/serve.ts";
import { enter, visit } from "./visit.ts";

let directory: string;
let socket: string;
let served: ConsoleServer;
let cookie: string;
/** What arrives at the daemon's socket. */
const arrived: { method: string; url: string; headers: Record<string, unknown> }[] = [];
// Only what arrives is looked at here; the real daemon is behind the console in pages.test.ts.
const listener = createServer((request, response) => {
  arrived.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers });
  response.writeHead(200, { "content-type": "application/json", "set-cookie": "a=b", "x-other": "1" });
  response.end('{"ok":true}');
});

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "sp-console-"));
  socket = join(directory, "host.sock");
  await new Promise<void>((resolve) => listener.listen(socket, () => resolve()));
  served = await startConsole({ socket, port: 0 });
  cookie = await enter(served.url);
});
afterAll(async () => {
  await served?.close();
  await new Promise((resolve) => listener.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  visit(served.port, path, { method, headers: { cookie, ...headers } });

describe("the console's server", () => {
  it("shows the page to the browser that opened the address, under a policy that runs only its own files", async () => {
    const { status, headers, body } = await get(served.path);
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    const policy = String(headers["content-security-policy"]);
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"])
      expect(policy).toContain(part);
    for (const part of ["frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"])
      expect(policy).toContain(part);
    expect(policy).not.toMatch(/unsafe|https?:|\*|data:/);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["referrer-policy"]).toBe("no-referrer");
    expect(headers["cross-origin-opener-policy"]).toBe("same-origin");
    expect(headers["cross-origin-resource-policy"]).toBe("same-origin");
    // Everything that it loads is a file with a hash in its name, beside it.
    const loaded = [...body.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, path]) => path ?? "");
    expect(loaded.length).toBeGreaterThan(1);
    for (const path of loaded) {
      expect(path).toMatch(/^\.\/assets\/[a-z]+-[\w-]{8}\.(js|css|svg)$/);
      const asset = await get(`${served.path}${path.slice(2)}`);
      expect([path, asset.status, asset.headers["cache-control"]]).toEqual([
        path,
        200,
        "public, max-age=31536000, immutable",
      ]);
    }
    expect(body).not.toMatch(/<style|<script(?![^>]*\ssrc=)| on[a-z]+=/);
  });

  it("answers under its own names only, so that a name of somebody else's that resolves to it gets nothing", async () => {
    const { port, path } = served;
    expect((await get(path, { host: `127.0.0.1:${port}` })).status).toBe(200);
    expect((await get(path, { host: `localhost:${port}` })).status).toBe(200);
    for (const host of [
      "evil.example",
      `evil.example:${port}`,
      "127.0.0.1",
      `127.0.0.1:${port + 1}`,
      `localhost.:${port}`,
      `[::1]:${port}`,
      "",
    ])
      expect([host, (await get(path, { host })).status]).toEqual([host, 403]);
  });

  it.each([
    ["origin", "https://evil.example"],
    ["origin", "null"],
    ["origin", "http://127.0.0.1:1"],
    ["sec-fetch-site", "cross-site"],
    ["sec-fetch-site", "same-site"],
    ["sec-fetch-site", "something-new"],
  ])("refuses a page of another origin: %s %s", async (name, value) => {
    const own = { origin: `http://127.0.0.1:${served.port}`, "sec-fetch-site": "same-origin" };
    for (const path of [served.path, `${served.path}v1/status`]) {
      expect((await get(path, { ...own, [name]: value })).status).toBe(403);
      expect((await get(path, own)).status).toBe(200);
    }
    // Typed by a person, without another page.
    expect((await get(served.path, { "sec-fetch-site": "none" })).status).toBe(200);
  });

  it("shows nothing without its cookie, with another's, or with two", async () => {
    const value = cookie.split("=")[1] ?? "";
    const bare = (headers: Record<string, string>, path = served.path) => visit(served.port, path, { headers });
    expect((await bare({ cookie })).status).toBe(200);
    expect((await bare({ cookie: `other=1; ${cookie}; more=2` })).status).toBe(200);
    for (const headers of [
      {},
      { cookie: "" },
      { cookie: "sallyport_console=" },
      { cookie: `sallyport_console=${value.slice(1)}` },
      { cookie: `xsallyport_console=${value}` },
      { cookie: `${cookie}; sallyport_console=mine` },
    ]) {
      for (const path of [served.path, `${served.path}v1/status`])
        expect([headers, (await bare(headers, path)).status]).toEqual([headers, 403]);
    }
    // Not even what the pages are made of, and not at a path that lacks the random part.
    const asset = [...(await readBundle()).keys()].find((name) => name.endsWith(".js")) ?? "";
    expect((await get(`${served.path}${asset}`)).status).toBe(200);
    expect((await bare({}, `${served.path}${asset}`)).status).toBe(403);
    expect((await get("/")).status).toBe(404);
    expect((await get("/v1/status")).status).toBe(404);
  });

  it("takes its token once, and nothing like it", async () => {
    const other = await startConsole({ socket, port: 0 });
    try {
      const { pathname, searchParams } = new URL(other.url);
      const token = searchParams.get("token") ?? "";
      const open = (text: string, method = "GET") =>
        visit(other.port, `${pathname}?token=${encodeURIComponent(text)}`, { method });
      expect((await open("")).status).toBe(403);
      expect((await open(`${token}x`)).status).toBe(403);
      expect((await open(new URL(served.url).searchParams.get("token") ?? "")).status).toBe(403);
      // A look ahead (a preview, a scanner) does not use it up.
      expect((await open(token, "HEAD")).status).toBe(405);
      const first = await open(token);
      expect([first.status, first.headers.location]).toEqual([303, other.path]);
      expect(first.headers["set-cookie"]?.[0]).toMatch(
        new RegExp(`^sallyport_console=[\\w-]{32}; Path=${other.path}; HttpOnly; SameSite=Strict$`),
      );
      expect((await open(token)).status).toBe(403);
      // One console's cookie is no other's.
      expect((await visit(other.port, other.path, { headers: { cookie } })).status).toBe(403);
    } finally {
      await other.close();
    }
  });

  it("only shows: nothing but GET and HEAD gets anywhere", async () => {
    const before = arrived.length;
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
      expect([method, (await get(`${served.path}v1/gate/close`, {}, method)).status]).toEqual([method, 405]);
    expect(arrived.length).toBe(before);
    expect((await get(`${served.path}v1/gate`)).status).toBe(200);
    expect(arrived.length).toBe(before + 1);
  });

  it("passes a read on without what the browser said of itself, and its answer without what is not the page's", async () => {
    const answer = await get(`${served.path}v1/summaries?limit=1&q=a%20b`, {
      origin: `http://127.0.0.1:${served.port}`,
      authorization: "Bearer x",
      "x-forwarded-for": "1.2.3.4",
      "last-event-id": "12",
      accept: "text/event-stream",
    });
    expect([answer.status, answer.body]).toEqual([200, '{"ok":true}']);
    expect(answer.headers).not.toHaveProperty("set-cookie");
    expect(answer.headers).not.toHaveProperty("x-other");
    expect(answer.headers["cache-control"]).toBe("no-store");
    expect(answer.headers["content-security-policy"]).toContain("default-src 'none'");
    const last = arrived.at(-1);
    expect([last?.method, last?.url]).toEqual(["GET", "/v1/summaries?limit=1&q=a%20b"]);
    expect(last?.headers).toEqual({
      host: "sallyport",
      accept: "text/event-stream",
      "last-event-id": "12",
      connection: expect.any(String),
    });
    await get(`${served.path}v1/events`, { "last-event-id": "1\u00e9" });
    expect(arrived.at(-1)?.headers).not.toHaveProperty("last-event-id");
  });

  it.each([
    "../package.json",
    "%2e%2e/%2e%2e/package.json",
    "..%2f..%2fpackage.json",
    "assets/../../report.js",
    "assets/..%5c..%5creport.js",
    "report.js",
    ".built",
    "index.html",
    "assets/",
    "constructor",
    "__proto__",
    "/etc/passwd",
    "//etc/passwd",
  ])("opens no path of a request: %s", async (path) => {
    const { status, body } = await get(`${served.path}${path}`);
    expect(status).toBe(404);
    expect(body).toBe("nothing is here\n");
  });

  it("keeps a read within the API", async () => {
    const before = arrived.length;
    for (const path of ["v1/../secret", "v1/%2e%2e/secret", "v1/..%2fsecret", "v2/status"])
      await get(`${served.path}${path}`);
    expect(arrived.slice(before).filter(({ url }) => !url.startsWith("/v1/"))).toEqual([]);
    expect((await get(`${served.path}v1/${"a".repeat(5000)}`)).status).toBe(414);
  });

  it("says so where no daemon answers", async () => {
    const alone = await startConsole({ socket: join(directory, "nobody.sock"), port: 0 });
    try {
      const own = await enter(alone.url);
      const { status, body } = await visit(alone.port, `${alone.path}v1/status`, { headers: { cookie: own } });
      expect([status, (JSON.parse(body) as { error: { code: string } }).error.code]).toEqual([502, "host-unreachable"]);
    } finally {
      await alone.close();
    }
  });

  it("says what to do where the port is taken, or the pages are not built", async () => {
    await expect(startConsole({ socket, port: served.port })).rejects.toMatchObject({ code: "host-busy" });
    await expect(readBundle(directory)).rejects.toMatchObject({
      code: "console-missing",
      next: expect.stringContaining("make setup"),
    });
  });

  it("listens on loopback alone", async () => {
    const { networkInterfaces } = await import("node:os");
    const outside = Object.values(networkInterfaces())
      .flatMap((one) => one ?? [])
      .find(({ internal, family }) => !internal && family === "IPv4");
    if (!outside) return;
    await expect(
      fetch(`http://${outside.address}:${served.port}/`, { signal: AbortSignal.timeout(5000) }),
    ).rejects.toThrow();
  });
});
