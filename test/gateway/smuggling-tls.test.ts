/** Inside TLS the same holds as outside: one request upstream, or none; and what upstream saw is what was decided. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canonicalRequest } from "../../src/policy/canonical-request.ts";
import { compileRules } from "../../src/policy/decide.ts";
import { denialOf, type Rig, statusOf, until } from "./rig.ts";
import { passingCases, refusedCases } from "./smuggling-cases.ts";
import {
  exchange,
  listen,
  localhost,
  openSecure,
  rawTls,
  startTlsRig,
  type TlsRecorder,
  tlsRecorder,
} from "./tls-rig.ts";

let rig: Rig;
let server: TlsRecorder;
let lane: string;
let bench: Awaited<ReturnType<typeof startTlsRig>>;
beforeAll(async () => {
  bench = await startTlsRig();
  ({ rig, server } = bench);
  lane = await rig.lane({ network: [localhost(server.port)] });
});
afterAll(() => bench?.[Symbol.asyncDispose]());

const host = () => `localhost:${server.port}`;
/** Origin form for another Host is the ordinary form here; CONNECT is refused as nested, whatever it says. */
const elsewhere = new Set(["origin form for another Host", "https in a plain request"]);
const codes: Record<string, string> = {
  "absolute form unlike Host": "host-mismatch",
  userinfo: "target",
  "userinfo that looks like the host": "target",
  "no Host header": "host-missing",
  backslash: "malformed",
};

describe("refused before any rule is asked", () => {
  for (const name of Object.keys(refusedCases("", ""))) {
    if (elsewhere.has(name) || name.startsWith("userinfo") || name === "ftp") continue;
    test(name, async () => {
      const [bytes, code, status = 400] = refusedCases(host(), "")[name] ?? [() => "", ""];
      const before = [rig.events.length, server.seen.length];
      const answer = await rawTls(lane, server.port, bytes());
      expect(statusOf(answer)).toBe(status);
      expect(answer.toLowerCase()).toContain("connection: close");
      const expected = name.startsWith("CONNECT") && code === "host-mismatch" ? "tunnel-nested" : (codes[name] ?? code);
      const accepted = name.startsWith("CONNECT") ? [expected, "tunnel-nested"] : [expected];
      if (name !== "body on HEAD") expect(accepted).toContain(denialOf(answer).code);
      await until(() => rig.events.length > (before[0] ?? 0));
      expect(rig.events.slice(before[0])).toMatchObject([{ decision: "deny", status }]);
      expect(server.seen.length).toBe(before[1]);
    });
  }
});

describe("the benign twins pass", () => {
  for (const name of Object.keys(passingCases("", ""))) {
    test(name, async () => {
      const [bytes, body] = passingCases(host(), "")[name] ?? [() => "", ""];
      const before = server.seen.length;
      expect(await rawTls(lane, server.port, bytes())).toContain("HTTP/1.1 200 OK");
      expect(server.seen.slice(before)).toMatchObject([{ body }]);
    });
  }
});

test("a request behind an unanswered one does not go upstream, and ends the connection", async () => {
  await using slow = await tlsRecorder(bench.authority.certify("DNS:localhost"), (_, response) => {
    setTimeout(() => response.end("slow"), 200);
  });
  const path = await rig.lane({ network: [localhost(slow.port)] });
  const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: localhost:${slow.port}\r\n\r\n`;
  const answer = await rawTls(path, slow.port, get("/1") + get("/2"), 600);
  expect(answer).toContain("slow");
  expect(answer).toContain('"code":"pipelined"');
  expect(slow.seen.map((seen) => seen.url)).toEqual(["/1"]);
  const h2 = await rawTls(path, slow.port, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  expect(statusOf(h2)).toBe(400);
});

test("what upstream saw is the canonical request that was allowed, and nothing that was not", async () => {
  const network = [
    localhost(server.port, { methods: ["GET", "POST"], paths: ["/open/**", "/a"] }),
    localhost(server.port, { methods: ["DELETE"], paths: ["/gone/*"], query: { id: "[0-9]*" } }),
  ];
  const path = await rig.lane({ network, requests: 1_000_000 });
  const rules = compileRules(network);
  const segment = fc.constantFrom(
    "open",
    "a",
    "gone",
    "closed",
    "..",
    ".",
    "",
    "%2e%2e",
    "%2E",
    "%2f",
    "%61",
    ";x",
    "..;",
    "%252e",
    "é",
    "%c3%a9",
    "b%20c",
    "~",
  );
  const target = fc
    .tuple(
      fc.array(segment, { maxLength: 5 }),
      fc.constantFrom("", "?", "?id=1", "?id=x", "?id=1&id=2", "?q=%00", "?../..", "#f"),
    )
    .map(([segments, query]) => `/${segments.join("/")}${query}`);
  const method = fc.constantFrom("GET", "POST", "DELETE", "PUT", "HEAD");
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(method, target), { minLength: 6, maxLength: 6 }), async (requests) => {
      for (const [verb, spelled] of requests) {
        const before = server.seen.length;
        const bytes = Buffer.from(`${verb} ${spelled} HTTP/1.1\r\nHost: ${host()}\r\nConnection: close\r\n\r\n`);
        const answer = await exchange(await openSecure(path, "localhost", server.port), bytes, 500);
        const canonical = canonicalRequest({ method: verb, url: `https://${host()}${spelled}` });
        const allowed = canonical.ok && !spelled.includes("#") && rules.decide(canonical.request).allow;
        const saw = server.seen.slice(before).map((seen) => `${seen.method} ${seen.url}`);
        if (allowed && canonical.ok) {
          const { request } = canonical;
          expect(saw).toEqual([`${request.method} ${request.path}${request.query === "" ? "" : `?${request.query}`}`]);
          expect(statusOf(answer)).toBe(200);
        } else {
          expect(saw).toEqual([]);
          expect(statusOf(answer)).toBeGreaterThanOrEqual(400);
        }
      }
    }),
    { numRuns: 40, interruptAfterTimeLimit: 20_000 },
  );
}, 40_000);

test("mutated bytes inside TLS: the process lives, and upstream sees allowed requests alone", async () => {
  const path = await rig.lane({ network: [localhost(server.port, { paths: ["/open/**"] })], requests: 1_000_000 });
  const before = server.seen.length;
  const pieces = fc.constantFrom(
    "GET /open/x HTTP/1.1\r\n",
    "POST /open/x HTTP/1.1\r\n",
    "GET /closed HTTP/1.1\r\n",
    `Host: ${host()}\r\n`,
    "Host: evil.example\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Upgrade: websocket\r\n",
    "Connection: upgrade\r\n",
    "\r\n",
    "\n",
    "0\r\n\r\n",
    "5\r\nabcde\r\n",
    "\0",
    "\xff",
    "\x16\x03\x01",
    `CONNECT ${host()} HTTP/1.1\r\n`,
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(pieces, { minLength: 1, maxLength: 10 }), { minLength: 6, maxLength: 6 }),
      async (all) => {
        await Promise.all(
          all.map(async (parts) => {
            const secure = await openSecure(path, "localhost", server.port);
            const { closed } = listen(secure);
            secure.write(Buffer.from(`${parts.join("")}\r\n\r\n`, "latin1"));
            const end = Date.now() + 40;
            while (!closed() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
            secure.destroy();
          }),
        );
      },
    ),
    { numRuns: 40, interruptAfterTimeLimit: 12_000 },
  );
  expect(rig.exits).toEqual([]);
  expect(server.seen.slice(before).filter((seen) => !seen.url.startsWith("/open/"))).toEqual([]);
  expect(statusOf(await rawTls(path, server.port, `GET /open/x HTTP/1.1\r\nHost: ${host()}\r\n\r\n`))).toBe(200);
}, 40_000);
