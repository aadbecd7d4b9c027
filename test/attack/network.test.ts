/** From inside a real executor's sandbox: nothing leaves but what the policy names (ATTACKS N1–N4, N6, N7, N11, N16). */
import { createSocket, type Socket as Udp } from "node:dgram";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcp, type Server as Tcp } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EventData } from "../../src/domain/event.ts";
import { openHost, type TestHost } from "../e2e/daemon.ts";
import { until } from "../e2e/leftovers.ts";
import type { TestRepository } from "../e2e/repository.ts";
import { inside } from "./inside.ts";

let host: TestHost;
let repository: TestRepository;
let allowed: Server;
let other: Server;
let tcp: Tcp;
let udp: Udp;
/** What each recording server saw. */
const seen: string[] = [];
const strangers: string[] = [];
const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;

beforeAll(async () => {
  allowed = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.host}`);
    response.end("hello from the upstream\n");
  });
  other = createServer((request, response) => {
    strangers.push(`http ${request.url}`);
    response.end("REACHED");
  });
  tcp = createTcp((socket) => {
    strangers.push(`tcp ${socket.remoteAddress}`);
    socket.on("error", () => {});
    socket.end("REACHED");
  });
  udp = createSocket("udp4", (message) => strangers.push(`udp ${message}`));
  // The first two on loopback, as an upstream of the policy's would be; the others on every address of the host.
  await new Promise<void>((resolve) => allowed.listen(0, "127.0.0.1", resolve));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  await new Promise<void>((resolve) => tcp.listen(0, "0.0.0.0", resolve));
  await new Promise<void>((resolve) => udp.bind(0, "0.0.0.0", resolve));
  host = await openHost({
    policies: {
      local: {
        version: 1,
        extends: "quick",
        network: [{ ...rule(), methods: ["GET"], paths: ["/open/**"] }],
        budget: { requests: 200 },
        // What is denied in a row here is the test's own doing.
        stuck: { denials: 0, repeats: 0 },
      },
      few: { version: 1, extends: "quick", network: [rule()], budget: { requests: 3 } },
    },
  });
  repository = host.repository();
}, 600_000);
afterAll(async () => {
  await host?.close();
  allowed?.close();
  other?.close();
  tcp?.close();
  udp?.close();
});

const rule = () => ({ host: "127.0.0.1", port: portOf(allowed), scheme: "http", addresses: ["127.0.0.1"] });
const requests = (id: string) =>
  host
    .entries(id)
    .filter((e) => e.type === "request")
    .map((e) => e.data as EventData<"request">);

describe("without the proxy", () => {
  it("N2: there is no interface: TCP, UDP, IPv6, DNS, --noproxy, unset variables", async () => {
    const addresses = Object.values(networkInterfaces()).flatMap((list) =>
      (list ?? []).map((i) => i.address.split("%")[0] ?? ""),
    );
    const ports = [portOf(allowed), portOf(other), portOf(tcp)];
    const program = `
const net = require("net"), dgram = require("dgram"), dns = require("dns");
const targets = ${JSON.stringify([...addresses, "1.1.1.1", "169.254.169.254", "2606:4700::1111"])};
const jobs = [];
for (const host of targets) for (const port of ${JSON.stringify(ports)}) jobs.push(new Promise((done) => {
  const s = net.connect({ host, port, timeout: 1500 });
  s.on("connect", () => { console.log("CONNECTED", host, port); s.destroy(); done(); });
  s.on("error", () => done()); s.on("timeout", () => { s.destroy(); done(); });
}));
for (const host of targets) jobs.push(new Promise((done) => {
  const s = dgram.createSocket(host.includes(":") ? "udp6" : "udp4");
  s.on("error", () => done());
  s.send("leak", ${portOf(udp)}, host, (e) => { console.log(e ? "udp " + e.code : "SENT " + host); s.close(); done(); });
}));
jobs.push(new Promise((done) => dns.lookup("example.org", (e, a) => { console.log(e ? "dns refused" : "RESOLVED " + a); done(); })));
jobs.push(new Promise((done) => { const r = new dns.Resolver({ timeout: 500, tries: 1 }); r.setServers(["1.1.1.1"]); r.resolve4("example.org", (e, a) => { console.log(e ? "dns refused" : "RESOLVED " + a); done(); }); }));
Promise.all(jobs).then(() => process.exit(0));`;
    const script = `cat > /tmp/p.cjs <<'END'\n${program}\nEND\nnode /tmp/p.cjs
      curl -s --noproxy '*' -m 2 http://127.0.0.1:${ports[0]}/open/x && echo CONNECTED
      env -u http_proxy -u HTTP_PROXY -u all_proxy -u ALL_PROXY curl -s -m 2 http://${addresses.find((a) => a !== "127.0.0.1" && !a.includes(":")) ?? "10.0.0.1"}:${ports[2]}/ && echo CONNECTED
      bash -c 'echo x > /dev/tcp/1.1.1.1/80' && echo CONNECTED; ls /sys/class/net; true`;
    const { text } = await inside(host, repository, script);
    // A datagram to the sandbox's own loopback is sent and heard by nobody.
    expect(text.replace(/^SENT (127\.0\.0\.1|::1)$/gm, "")).not.toMatch(/CONNECTED|SENT|RESOLVED|REACHED/);
    expect(text.match(/dns refused/g)).toHaveLength(2);
    expect(text).toMatch(/^lo$/m);
    expect(text).not.toMatch(/^(eth|ens|docker|tun)/m);
    expect(strangers).toEqual([]);
  });
});

describe("through the proxy", () => {
  it("N1: without a rule everything is denied, and each denial is in the ledger with the way to allow it", async () => {
    const { text, record } = await inside(
      host,
      repository,
      `unset no_proxy NO_PROXY; curl -s -m 5 -w '%{http_code}\\n' http://127.0.0.1:${portOf(allowed)}/open/x; curl -s -m 5 -w '%{http_code}\\n' http://example.org/; curl -s -m 5 -o /dev/null -w '%{http_connect}\\n' https://example.org/`,
    );
    expect(text.match(/^403$/gm)).toHaveLength(3);
    expect(text).toContain('"next"');
    expect(requests(record.id).map((r) => r.decision)).toEqual(["deny", "deny", "deny"]);
    expect(seen).toEqual([]);
  });

  it("the twin: what a rule names passes, by its method and path only", async () => {
    const url = `http://127.0.0.1:${portOf(allowed)}`;
    const { text, record } = await inside(
      host,
      repository,
      `unset no_proxy NO_PROXY; curl -s -m 5 ${url}/open/a; curl -s -m 5 -o /dev/null -w '%{http_code}\\n' -X POST -d x ${url}/open/a; curl -s -m 5 -o /dev/null -w '%{http_code}\\n' ${url}/closed; curl -s -m 5 --path-as-is -o /dev/null -w '%{http_code}\\n' ${url}/open/../closed; curl -s -m 5 --path-as-is -o /dev/null -w '%{http_code}\\n' ${url}/open/%2e%2e/closed`,
      { policy: "local" },
    );
    expect(text.split("\n")[0]).toBe("hello from the upstream");
    expect(text.match(/^40[03]$/gm)).toHaveLength(4);
    expect(seen.splice(0)).toEqual([`GET /open/a 127.0.0.1:${portOf(allowed)}`]);
    expect(requests(record.id).map((r) => r.decision)).toEqual(["allow", "deny", "deny", "deny", "deny"]);
    expect(requests(record.id)[0]).toMatchObject({ address: "127.0.0.1", status: 200 });
  });

  it("N3, N4, N16: every spelling of a private address, the host's other ports and the gateway's own loopback", async () => {
    const port = portOf(other);
    const hosts = [
      "127.0.0.1",
      "127.1",
      "2130706433",
      "0x7f000001",
      "0x7f.1",
      "0177.0.0.1",
      "0",
      "0.0.0.0",
      "[::1]",
      "[::ffff:127.0.0.1]",
      "[::ffff:7f00:1]",
      "[::127.0.0.1]",
      "[64:ff9b::7f00:1]",
      "[2002:7f00:1::]",
      "localhost",
      "localhost.",
      "LOCALHOST",
      "127.0.0.1.",
      "%31%32%37.0.0.1",
      "①②⑦.0.0.1",
      "169.254.169.254",
      "[fe80::1]",
      "[fe80::1%25eth0]",
      "10.0.0.1",
      "172.17.0.1",
      "192.168.0.1",
      "100.64.0.1",
      "224.0.0.1",
    ];
    const lines = hosts.map(
      (h) =>
        `printf 'GET http://${h.replace(/%/g, "%%")}:${port}/x HTTP/1.1\\r\\nHost: ${h.replace(/%/g, "%%")}:${port}\\r\\nConnection: close\\r\\n\\r\\n' | timeout 5 socat -t5 - TCP:127.0.0.1:3128 | head -1`,
    );
    const tunnels = hosts.map(
      (h) =>
        `printf 'CONNECT ${h.replace(/%/g, "%%")}:${port} HTTP/1.1\\r\\nHost: ${h.replace(/%/g, "%%")}:${port}\\r\\n\\r\\n' | timeout 5 socat -t5 - TCP:127.0.0.1:3128 | head -1`,
    );
    const { text, record } = await inside(host, repository, [...lines, ...tunnels].join("\n"), { policy: "local" });
    const answers = text.split("\n").filter((line) => line.startsWith("HTTP/"));
    expect(answers).toHaveLength(hosts.length * 2);
    for (const [i, answer] of answers.entries())
      expect([hosts[i % hosts.length], answer]).toEqual([hosts[i % hosts.length], expect.stringMatching(/ 4\d\d /)]);
    expect(strangers).toEqual([]);
    expect(requests(record.id).every((r) => r.decision === "deny")).toBe(true);
  });

  it("N6, N7, N11: look-alike hosts, heads that disagree, pipelining and upgrades inside an allowed connection", async () => {
    const at = `127.0.0.1:${portOf(allowed)}`;
    const evil = `127.0.0.1:${portOf(other)}`;
    const heads = [
      `GET http:/\\057${at}@${evil}/open/x HTTP/1.1\\r\\nHost: ${evil}\\r\\n`,
      `GET http://${at}.example.org/open/x HTTP/1.1\\r\\nHost: ${at}.example.org\\r\\n`,
      `GET http://${at}/open/x HTTP/1.1\\r\\nHost: ${evil}\\r\\n`,
      `GET http://${evil}/open/x HTTP/1.1\\r\\nHost: ${at}\\r\\n`,
      `GET http://${at}/open/x HTTP/1.1\\r\\nHost: ${at}\\r\\nHost: ${evil}\\r\\n`,
      `GET /open/x HTTP/1.1\\r\\nHost: ${evil}\\r\\n`,
      `CONNECT ${at} HTTP/1.1\\r\\nHost: ${evil}\\r\\n`,
      `CONNECT ${evil} HTTP/1.1\\r\\nHost: ${at}\\r\\n`,
      `GET http://${at}/open/x HTTP/1.1\\r\\nHost: ${at}\\r\\nContent-Length: 3\\r\\nTransfer-Encoding: chunked\\r\\n`,
      `GET http://${at}/open/x HTTP/1.1\\r\\nHost: ${at}\\r\\nConnection: Upgrade, HTTP2-Settings\\r\\nUpgrade: h2c\\r\\nHTTP2-Settings: AAMAAABkAAQAAP__\\r\\n`,
      `GET http://127.0.0.1:3128/verdict HTTP/1.1\\r\\nHost: 127.0.0.1:3128\\r\\n`,
    ];
    const script = heads
      .map((h) => `printf '${h}\\r\\n' | timeout 5 socat -t5 - TCP:127.0.0.1:3128 | head -1`)
      .join("\n");
    const piped = `printf 'GET http://${at}/open/first HTTP/1.1\\r\\nHost: ${at}\\r\\n\\r\\nGET http://${evil}/x HTTP/1.1\\r\\nHost: ${evil}\\r\\n\\r\\n' | timeout 5 socat -t3 - TCP:127.0.0.1:3128 | grep -a -E '^HTTP'`;
    const { text } = await inside(host, repository, `${script}\n${piped}`, { policy: "local" });
    const answers = text.split("\n").filter((line) => line.startsWith("HTTP/"));
    for (const [i] of heads.entries())
      expect([heads[i], answers[i]]).toEqual([heads[i], expect.stringMatching(/ 4\d\d /)]);
    expect(answers.slice(heads.length).filter((line) => line.includes(" 200 ")).length).toBeLessThanOrEqual(1);
    expect(strangers).toEqual([]);
    expect(seen.splice(0).filter((line) => !line.startsWith("GET /open/first "))).toEqual([]);
  });

  it("N14: a policy that is edited meanwhile changes nothing for what runs, and all for what comes", async () => {
    const url = `http://127.0.0.1:${portOf(allowed)}/open/edited`;
    const script = `unset no_proxy NO_PROXY; sleep 3; curl -s -m 5 -o /dev/null -w '%{http_code}\\n' ${url}`;
    const file = join(host.state, "policies", "edited.yaml");
    const policyOf = (paths: string[]) =>
      writeFileSync(file, JSON.stringify({ version: 1, extends: "local", network: [{ ...rule(), paths }] }));
    policyOf(["/open/**"]);
    const running = inside(host, repository, script, { policy: "edited" });
    await until("it to be accepted", () =>
      host.entries().some((e) => e.type === "delegation.accepted" && e.data.brief.policy === "edited"),
    );
    policyOf(["/closed/**"]);
    expect((await running).text.split("\n")[0]).toBe("200");
    const after = await inside(host, repository, script, { policy: "edited" });
    expect(after.text.split("\n")[0]).toBe("403");
    const digests = [(await running).record, after.record].map(({ policyDigest }) => policyDigest);
    expect(new Set(digests).size).toBe(2);
    seen.splice(0);
  });

  it("stops at the budget's number of requests", async () => {
    const url = `http://127.0.0.1:${portOf(allowed)}`;
    const { text } = await inside(
      host,
      repository,
      `unset no_proxy NO_PROXY; for i in 1 2 3 4 5; do curl -s -m 5 -o /dev/null -w '%{http_code}\\n' ${url}/n/$i; done`,
      { policy: "few" },
    );
    expect(text.split("\n").slice(0, 5)).toEqual(["200", "200", "200", "429", "429"]);
    expect(seen.splice(0)).toHaveLength(3);
  });

  it("a tester has no socket at all, and a verifier reaches nothing but its verb", async () => {
    const d = await host.turn(repository, {
      policy: "local",
      accept: [
        {
          id: "A1",
          must: "no way out",
          checks: [
            {
              run: `test ! -e /run/sallyport/host.sock && test -z "$http_proxy" && ! curl -s -m 2 http://127.0.0.1:3128/`,
            },
          ],
        },
      ],
      intent: `[ "$(curl -s -o /dev/null -w '%{http_code}' --noproxy '' http://127.0.0.1:${portOf(allowed)}/open/v)" = 403 ] && [ "$(curl -s -o /dev/null -w '%{http_code}' -X POST -H 'content-type: application/json' -d '{"text":"x"}' http://127.0.0.1:3128/report/note)" = 404 ] && verdict approve`,
    });
    expect(d.state, JSON.stringify([d.reason, d.attempts])).toBe("approved");
    expect(seen.splice(0)).toEqual([]);
  });
});
