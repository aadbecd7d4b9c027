/** The network listener: TLS alone, a token with every request, this host's name, no stranger's page, and bounds on slow peers. */
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openClient } from "../../src/client/client.ts";
import { listenConfig } from "../../src/domain/listen.ts";
import { isTooOften, openFailures } from "../../src/host/failures.ts";
import { openLog } from "../../src/host/log.ts";
import { checkNetwork, listenOnNetwork } from "../../src/host/network.ts";
import { createToken, openTokens, readTokens, revokeToken } from "../../src/host/tokens.ts";
import { until } from "../e2e/leftovers.ts";
import { type ApiRig, openApiRig } from "./api-rig.ts";

let rig: ApiRig;
let server: Awaited<ReturnType<typeof listenOnNetwork>>;
let port: number;
let ca: Buffer;
const tokens: Record<string, string> = {};
const at = (name: string) => join(rig.directory, name);
const file = () => at("tokens.json");

const configOf = (more: object = {}) =>
  listenConfig.parse({
    address: "127.0.0.1",
    port: 0,
    tls: { cert: at("tls.crt"), key: at("tls.key") },
    tokens: file(),
    hosts: ["localhost", "build.example"],
    origins: ["https://console.example"],
    ...more,
  });

function makeCertificate(name: string): void {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,DNS:build.example"];
  execFileSync(
    "openssl",
    ["req", "-x509", ...curve, "-days", "2", ...names, "-keyout", `${name}.key`, "-out", `${name}.crt`],
    {
      cwd: rig.directory,
      stdio: "ignore",
    },
  );
  chmodSync(at(`${name}.key`), 0o600);
}

beforeAll(async () => {
  rig = await openApiRig();
  makeCertificate("tls");
  ca = readFileSync(at("tls.crt"));
  tokens.audit = await createToken(file(), { name: "audit", role: "auditor" }, new Date());
  tokens.alice = await createToken(file(), { name: "alice", role: "planner", planner: "alice" }, new Date());
  tokens.over = await createToken(
    file(),
    { name: "over", role: "auditor", expires: new Date(Date.now() - 1000) },
    new Date(),
  );
  server = await listenOnNetwork(rig.app, rig.callers, configOf({ connections: 20 }), openLog().log);
  port = (server.address() as AddressInfo).port;
}, 60_000);
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await rig?.[Symbol.asyncDispose]();
});

interface Asked {
  status: number;
  text: string;
  headers: Record<string, unknown>;
}

function ask(
  headers: Record<string, string | string[]> = {},
  path = "/v1/delegations",
  method = "GET",
): Promise<Asked> {
  return new Promise((resolve, reject) => {
    request(
      {
        host: "127.0.0.1",
        port,
        path,
        method,
        ca,
        servername: "localhost",
        agent: false,
        headers: { host: "localhost", ...headers },
      },
      (answer) => {
        let text = "";
        answer.on("data", (chunk) => {
          text += String(chunk);
        });
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers }));
      },
    )
      .once("error", reject)
      .end();
  });
}
const bearer = (name: string) => ({ authorization: `Bearer ${tokens[name]}` });

describe("the network listener", () => {
  it("lets a token in as what it is, and nobody without one", async () => {
    expect((await ask(bearer("audit"))).status).toBe(200);
    for (const authorization of [
      undefined,
      "",
      "Bearer",
      "Bearer x",
      `Bearer ${"A".repeat(43)}`,
      `Basic ${tokens.audit}`,
      `Bearer ${tokens.over}`,
    ]) {
      const { status, text, headers } = await ask(authorization === undefined ? {} : { authorization });
      expect([authorization, status, text]).toEqual([authorization, 401, expect.stringContaining("token-refused")]);
      expect(headers["www-authenticate"]).toContain("Bearer");
    }
    // Not even whether there is such a path.
    expect((await ask({}, "/nothing")).status).toBe(401);
    const posted = await ask(bearer("audit"), "/v1/gate/open", "POST");
    expect([posted.status, posted.text]).toEqual([403, expect.stringContaining("role-refused")]);
    expect((await ask(bearer("alice"), "/v1/gate")).status).toBe(403);
  });

  it("speaks TLS and nothing else", async () => {
    const plain = await new Promise<string>((resolve) => {
      httpRequest(
        { host: "127.0.0.1", port, path: "/v1/status", headers: { host: "localhost", ...bearer("audit") } },
        () => resolve("answered"),
      )
        .once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "error"))
        .end();
    });
    expect(plain).not.toBe("answered");
    const old = await new Promise<string>((resolve) => {
      const socket = connectTls(
        {
          host: "127.0.0.1",
          port,
          ca,
          servername: "localhost",
          maxVersion: "TLSv1.1",
          minVersion: "TLSv1.1",
          ciphers: "ALL:@SECLEVEL=0",
        },
        () => resolve("open"),
      );
      socket.once("error", () => resolve("refused"));
    });
    expect(old).toBe("refused");
  });

  it("is asked by its own names alone, whatever address a name is made to point to", async () => {
    for (const host of ["localhost", "LOCALHOST", "localhost:7443", "build.example"])
      expect([host, (await ask({ ...bearer("audit"), host })).status]).toEqual([host, 200]);
    for (const host of ["evil.example", "127.0.0.1", "localhost.evil.example", "localhost@evil.example", ""])
      expect([host, (await ask({ ...bearer("audit"), host })).status]).toEqual([host, 400]);
    // Two of them, and a target with a host of its own.
    for (const head of [
      "GET /v1/delegations HTTP/1.1\r\nHost: localhost\r\nHost: evil.example",
      "GET https://evil.example/v1/delegations HTTP/1.1\r\nHost: localhost",
    ])
      expect(await raw(`${head}\r\nAuthorization: Bearer ${tokens.audit}\r\nConnection: close\r\n\r\n`)).toMatch(
        /^HTTP\/1.1 400/,
      );
  });

  it("refuses pages of another origin, and lets its own read as an auditor", async () => {
    const own = "https://localhost";
    expect((await ask({ ...bearer("audit"), origin: own })).status).toBe(200);
    expect((await ask({ ...bearer("alice"), origin: own })).status).toBe(400);
    expect((await ask({ ...bearer("alice"), origin: "https://console.example" })).status).toBe(200);
    expect(
      (await ask({ ...bearer("audit"), origin: own }, "/v1/delegations/d-aaaaaaaaaaaaaaaa/stop", "POST")).status,
    ).toBe(400);
    for (const origin of [
      "https://evil.example",
      "http://localhost",
      "null",
      "https://localhost.evil.example",
      "https://console.example.evil",
    ])
      expect([origin, (await ask({ ...bearer("audit"), origin })).status]).toEqual([origin, 400]);
    expect((await ask({ ...bearer("audit"), "sec-fetch-site": "cross-site" })).status).toBe(400);
    expect((await ask({ ...bearer("audit"), "sec-fetch-site": "same-origin" })).status).toBe(200);
    expect((await ask({ ...bearer("audit") })).headers).not.toHaveProperty("access-control-allow-origin");
  });

  it("serves the client, and refuses a certificate that it does not know", async () => {
    const client = openClient({ url: `https://localhost:${port}`, token: tokens.audit ?? "", ca });
    const stranger = openClient({ url: `https://localhost:${port}`, token: tokens.audit ?? "" });
    try {
      expect(await client.delegations.list()).toEqual({ delegations: [] });
      await expect(stranger.delegations.list()).rejects.toMatchObject({ code: "host-unreachable" });
    } finally {
      await client.close();
      await stranger.close();
    }
  });

  it("ends what a token has open within seconds of its end", async () => {
    const token = await createToken(file(), { name: "short", role: "auditor" }, new Date());
    const client = openClient({ url: `https://localhost:${port}`, token, ca });
    try {
      const ended = (async () => {
        for await (const _ of client.events({ from: 1 }));
      })();
      await expect.poll(() => client.delegations.list().then(() => "known"), { timeout: 10_000 }).toBe("known");
      await revokeToken(file(), "short");
      await expect(ended).rejects.toMatchObject({ code: "token-refused" });
    } finally {
      await client.close();
    }
  }, 60_000);

  it("lets go of whoever sends its head by the byte, and has no more open than it may", async () => {
    const began = Date.now();
    const answered = await raw("GET /v1/status HTTP/1.1\r\nHost: local", 40_000);
    expect(answered).toMatch(/^(HTTP\/1.1 408|$)/);
    expect(Date.now() - began).toBeLessThan(30_000);
    const idle = await Promise.all(
      Array.from({ length: 30 }, () => {
        const socket = connect(port, "127.0.0.1");
        socket.on("error", () => {});
        return socket;
      }),
    );
    try {
      await until(
        "the cap",
        () => idle.filter((socket) => socket.destroyed || socket.readyState === "closed").length >= 10,
        20,
      );
    } finally {
      for (const socket of idle) socket.destroy();
    }
    await until(
      "room again",
      () =>
        ask(bearer("audit")).then(
          ({ status }) => status === 200,
          () => false,
        ),
      30,
    );
  }, 120_000);

  it("takes a new certificate without a new start, and keeps the old one where the new one is broken", async () => {
    writeFileSync(at("tls.crt"), "broken");
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect((await ask(bearer("audit"))).status).toBe(200);
    makeCertificate("next");
    renameSync(at("next.key"), at("tls.key"));
    renameSync(at("next.crt"), at("tls.crt"));
    const fresh = readFileSync(at("tls.crt"));
    await until(
      "the new certificate",
      async () => {
        ca = fresh;
        return ask(bearer("audit")).then(
          ({ status }) => status === 200,
          () => false,
        );
      },
      20,
    );
  }, 60_000);

  // The last: it uses up this address's failures.
  it("tells whoever guesses too often no more, and lets a token in all the same", async () => {
    const statuses = new Set<number>();
    for (let n = 0; n < 30; n++) statuses.add((await ask({ authorization: `Bearer ${"B".repeat(43)}` })).status);
    expect(statuses).toContain(429);
    expect((await ask(bearer("audit"))).status).toBe(200);
  });
});

function raw(bytes: string, wait = 5000): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connectTls({ host: "127.0.0.1", port, ca, servername: "localhost" }, () => socket.write(bytes));
    const timer = setTimeout(() => socket.destroy(), wait);
    socket.on("data", (chunk) => {
      text += String(chunk);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}

describe("the file of tokens", () => {
  it("has hashes alone, and is nobody else's", async () => {
    const path = at("own.json");
    const token = await createToken(path, { name: "one", role: "planner", planner: "alice" }, new Date());
    expect(token).toMatch(/^sallyport_[A-Za-z0-9_-]{43}$/);
    expect(readFileSync(path, "utf8")).not.toContain(token.slice(10));
    expect((await readTokens(path)).map(({ name, role, planner }) => ({ name, role, planner }))).toEqual([
      { name: "one", role: "planner", planner: "alice" },
    ]);
    await expect(createToken(path, { name: "one", role: "auditor" }, new Date())).rejects.toMatchObject({
      code: "usage",
    });
    await expect(createToken(path, { name: "two", role: "planner" }, new Date())).rejects.toMatchObject({
      code: "usage",
    });
    await expect(createToken(path, { name: "two", role: "auditor", planner: "x" }, new Date())).rejects.toMatchObject({
      code: "usage",
    });
    await expect(revokeToken(path, "nobody")).rejects.toMatchObject({ code: "not-found" });
    const known = await openTokens(path, () => new Date());
    expect(await known.find(token)).toMatchObject({ name: "one" });
    chmodSync(path, 0o640);
    await expect(readTokens(path)).rejects.toMatchObject({ code: "control-missing" });
    // A file that is not as it must be lets nobody in.
    expect(await known.find(token)).toBeUndefined();
    chmodSync(path, 0o600);
    expect(await known.find(token)).toMatchObject({ name: "one" });
    await revokeToken(path, "one");
    expect(await known.find(token)).toBeUndefined();
  });

  it("and the other files are looked at before anything starts", async () => {
    await expect(checkNetwork(configOf())).resolves.toBeUndefined();
    await expect(checkNetwork(configOf({ tokens: at("none.json") }))).rejects.toMatchObject({ code: "config-invalid" });
    await expect(checkNetwork(configOf({ tls: { cert: at("tls.crt"), key: at("none") } }))).rejects.toMatchObject({
      code: "config-invalid",
    });
    writeFileSync(at("junk.crt"), "junk");
    await expect(checkNetwork(configOf({ tls: { cert: at("junk.crt"), key: at("tls.key") } }))).rejects.toMatchObject({
      code: "config-invalid",
    });
    writeFileSync(at("wide.key"), readFileSync(at("tls.key")), { mode: 0o644 });
    await expect(checkNetwork(configOf({ tls: { cert: at("tls.crt"), key: at("wide.key") } }))).rejects.toMatchObject({
      code: "control-missing",
    });
    for (const wrong of [{ hosts: [] }, { address: "build.example" }, { origins: ["http://x.example"] }])
      expect(() => configOf(wrong)).toThrow();
  });
});

describe("failures", () => {
  it("are counted by where they come from, for a minute", () => {
    const failures = openFailures();
    for (let n = 1; n <= 21; n++) expect(failures.count("192.0.2.1", 0)).toBe(n);
    expect(isTooOften(failures.count("::ffff:192.0.2.1", 1))).toBe(true);
    expect(failures.count("192.0.2.2", 1)).toBe(1);
    expect(failures.count("2001:db8::1", 1)).toBe(1);
    expect(failures.count("2001:db8:0:0:ffff::2", 1)).toBe(2);
    expect(failures.count("2001:db8:0:1::1", 1)).toBe(1);
    expect(failures.count("192.0.2.1", 70_000)).toBe(1);
  });
});
