/** Clients that know no proxy: the name they say in TLS or in Host is decided like a proxy's request. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { laneEntries, transparentFor } from "../../src/gateway/transparent.ts";
import { denialOf, dial, type Rig, raw, statusOf, tcpServer } from "./rig.ts";
import { type Authority, createAuthority, exchange, shakeHands, startTrustingRig } from "./tls-rig.ts";

let authority: Authority;
let rig: Rig;
beforeAll(async () => {
  authority = createAuthority();
  rig = await startTrustingRig(authority);
});
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]();
  authority?.remove();
});

test("only exact names on the schemes' own ports are led to loopback, and only then are there sockets", () => {
  const cases: [object[], string[], string[]][] = [
    [[], [], []],
    [[{ host: "*.example.org" }], [], []],
    [[{ host: "10.0.0.1", addresses: ["10.0.0.1"] }], [], []],
    [[{ host: "localhost" }, { host: "a.localhost" }], [], []],
    [[{ host: "a.example", port: 8443 }], [], []],
    [[{ host: "a.example" }], ["a.example"], ["http.sock", "https.sock"]],
    [[{ host: "a.example", scheme: "https" }], ["a.example"], ["https.sock"]],
    [[{ host: "a.example", scheme: "http" }], ["a.example"], ["http.sock"]],
    [[{ host: "a.example", tls: "passthrough" }], ["a.example"], ["https.sock"]],
    [
      [
        { host: "a.example", port: 443 },
        { host: "a.example", methods: ["GET"] },
      ],
      ["a.example"],
      ["http.sock", "https.sock"],
    ],
  ];
  for (const [rules, hosts, sockets] of cases) {
    const network = rules as Parameters<typeof transparentFor>[0];
    expect(transparentFor(network).hosts).toEqual(hosts);
    expect(laneEntries(network)).toEqual(["ca.pem", "host.sock", ...(hosts.length > 0 ? ["hosts"] : []), ...sockets]);
  }
});

test("a lane's directory holds what it needs and no more", async () => {
  const lane = await rig.lane({ network: [{ host: "a.example" }] });
  expect(readdirSync(dirname(lane)).sort()).toEqual(["ca.pem", "host.sock", "hosts", "http.sock", "https.sock"]);
  expect(readFileSync(join(dirname(lane), "hosts"), "utf8")).toContain("127.0.0.1 a.example\n");
  await rig.gateway.closeLane(lane.split("/").at(-2) ?? "");
  expect(() => readdirSync(dirname(lane))).toThrow("ENOENT");
});

test("TLS without a proxy: the server name is the destination", async () => {
  const lane = await rig.lane({ network: [{ host: "a.example.invalid", methods: ["GET"], paths: ["/open"] }] });
  const path = join(dirname(lane), "https.sock");
  const secure = await shakeHands(dial(path).socket, lane, { servername: "a.example.invalid" });
  expect(secure.getPeerX509Certificate()?.subjectAltName).toBe("DNS:a.example.invalid");
  const answer = await exchange(secure, "GET /closed HTTP/1.1\r\nHost: a.example.invalid\r\n\r\n");
  expect(denialOf(answer)).toMatchObject({ code: "path" });
  // Allowed, and then not resolved: there is no such name.
  const allowed = await shakeHands(dial(path).socket, lane, { servername: "a.example.invalid" });
  const open = await exchange(allowed, "GET /open HTTP/1.1\r\nHost: a.example.invalid\r\n\r\n");
  expect(denialOf(open)).toMatchObject({ code: "resolve-failed" });
  const fronted = await shakeHands(dial(path).socket, lane, { servername: "a.example.invalid" });
  const host = await exchange(fronted, "GET /open HTTP/1.1\r\nHost: b.example.invalid\r\n\r\n");
  expect(denialOf(host)).toMatchObject({ code: "host-mismatch" });
  for (const servername of ["b.example.invalid", "localhost", undefined]) {
    const refused = shakeHands(dial(path).socket, lane, servername === undefined ? {} : { servername });
    await expect(refused).rejects.toMatchObject({ code: expect.stringContaining("UNRECOGNIZED_NAME") });
  }
  expect((await rig.eventsOf(lane, 6)).map((event) => event.code).sort()).toEqual([
    "host-mismatch",
    "no-rule",
    "no-rule",
    "path",
    "resolve-failed",
    "sni-missing",
  ]);
  // No HTTP on the port of TLS.
  await raw(path, "GET / HTTP/1.1\r\nHost: a.example.invalid\r\n\r\n");
  expect((await rig.eventsOf(lane, 7)).at(-1)).toMatchObject({ code: "tunnel-protocol" });
});

test("plain HTTP without a proxy: Host is the destination, and never the gateway itself", async () => {
  await using server = await tcpServer(() => undefined);
  const lane = await rig.lane({
    network: [{ host: "a.example.invalid", paths: ["/open"] }],
    models: {
      m: { base: `http://127.0.0.1:${server.port}`, addresses: ["127.0.0.1"], protocol: "anthropic-messages" },
    },
    verbs: ["note"],
  });
  const path = join(dirname(lane), "http.sock");
  const ask = async (target: string, host: string, method = "GET") => {
    const answer = await raw(path, `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    return [statusOf(answer), denialOf(answer).code];
  };
  expect(await ask("/open", "a.example.invalid")).toEqual([502, "resolve-failed"]);
  expect(await ask("/closed", "a.example.invalid")).toEqual([403, "path"]);
  expect(await ask("/open", "b.example.invalid")).toEqual([403, "no-rule"]);
  expect(await ask("http://b.example.invalid/open", "a.example.invalid")).toEqual([400, "host-mismatch"]);
  for (const host of ["sallyport", "127.0.0.1:3128", "localhost:3128"]) {
    expect(await ask("/model/m/models", host)).toEqual([403, "no-rule"]);
    expect(await ask(`http://${host}/model/m/models`, host)).toEqual([403, "no-rule"]);
  }
  const connect = await raw(path, "CONNECT a.example.invalid:443 HTTP/1.1\r\nHost: a.example.invalid:443\r\n\r\n");
  expect(denialOf(connect).code).toBe("tunnel-nested");
});

test("connections to all of a lane's sockets count together", async () => {
  const lane = await rig.lane({ network: [{ host: "a.example.invalid" }] });
  const paths = ["http.sock", "https.sock", "host.sock"].map((name) => join(dirname(lane), name));
  const held = Array.from({ length: 300 }, (_, index) => dial(paths[index % 3] ?? ""));
  let closed = 0;
  for (const one of held)
    void one.closed.then(() => {
      closed += 1;
    });
  await new Promise((resolve) => setTimeout(resolve, 800));
  expect(closed).toBeGreaterThanOrEqual(300 - 128);
  expect(closed).toBeLessThan(300);
  for (const one of held) one.socket.destroy();
});
