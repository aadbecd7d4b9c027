/** Whatever a sandbox writes or an upstream answers: the process lives, and upstream sees canonical requests or nothing. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { loopback, proxied, raw, recorder, startRig, statusOf, tcpServer } from "./rig.ts";

test("mutated requests", async () => {
  await using rig = await startRig();
  await using server = await recorder();
  const lane = await rig.lane({
    network: [loopback(server.port, { paths: ["/open/**"] })],
    requests: 1_000_000,
    verbs: ["note"],
    models: {
      m: { base: `http://127.0.0.1:${server.port}/open`, addresses: ["127.0.0.1"], protocol: "anthropic-messages" },
    },
  });
  const authority = `127.0.0.1:${server.port}`;
  const pieces = fc.constantFrom(
    "GET ",
    "POST ",
    "CONNECT ",
    "HEAD ",
    `http://${authority}`,
    "http://localhost:3128",
    authority,
    "/open/x",
    "/closed",
    "/model/m/models",
    "/report/note",
    "/..",
    "%2e%2e",
    "%2f",
    "//",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    `Host: ${authority}\r\n`,
    "Host: sallyport\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Content-Type: application/json\r\n",
    "Expect: 100-continue\r\n",
    "\r\n",
    "\n",
    "\r",
    "0\r\n\r\n",
    "5\r\nabcde\r\n",
    "{}",
    "\0",
    "\xff",
    ":",
    " ",
    "?",
    "#",
    "@",
    "\x16\x03\x01",
  );
  const message = fc.oneof(
    fc.array(pieces, { minLength: 1, maxLength: 14 }).map((parts) => parts.join("")),
    fc
      .tuple(
        fc.constantFrom(
          proxied(server.port, "/open/x"),
          `${proxied(server.port, "/open/x", "POST", "Content-Length: 2\r\n")}ab`,
        ),
        fc.nat(90),
        pieces,
      )
      .map(([text, at, piece]) => text.slice(0, at) + piece + text.slice(at)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 8, maxLength: 8 }), async (messages) => {
      await Promise.all(messages.map((bytes) => raw(lane, `${bytes}\r\n\r\n`, 15)));
    }),
    { numRuns: 60, interruptAfterTimeLimit: 15_000 },
  );
  expect(rig.exits).toEqual([]);
  expect(server.seen.filter((seen) => !seen.url.startsWith("/open/"))).toEqual([]);
  expect(statusOf(await raw(lane, proxied(server.port, "/open/x")))).toBe(200);
}, 40_000);

test("answers of every shape", async () => {
  await using rig = await startRig();
  const answers = [
    "HTTP/1.1 200 OK\r\nX-Name: caf\xc3\xa9 \xe2\x82\xac \xff\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 099 Low\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 999 High\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 1000 Higher\r\n\r\n",
    "HTTP/1.1 204 None\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 304 Same\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n",
    "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.0 200 OK\r\n\r\nuntil the end",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and a second answer HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nConnection: Content-Length, X-Hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\n__proto__: x\r\nconstructor: y\r\nContent-Length: 2\r\n\r\nok",
    "\r\n",
    "HTTP/2.0 200\r\n\r\n",
    "\x16\x03\x01\x00\x00",
    "",
  ];
  let turn = 0;
  await using server = await tcpServer((socket) => {
    socket.once("data", () => socket.end(Buffer.from(answers[turn] ?? "", "latin1")));
  });
  const lane = await rig.lane({ network: [loopback(server.port)] });
  const got: string[] = [];
  for (; turn < answers.length; turn++) got.push(await raw(lane, proxied(server.port), 60));
  expect(rig.exits).toEqual([]);
  expect(got[0]).toContain("caf\xc3\xa9 \xe2\x82\xac \xff\r\n");
  expect(got[10]).toContain("until the end");
  expect(got[9]).toMatch(/^HTTP\/1\.1 200 /);
  expect(got[13]?.toLowerCase()).not.toContain("x-hop");
  for (const answer of got) expect(answer.toLowerCase()).not.toContain("x-trailer");
  // Each one is over: recorded once, and the lane serves on.
  expect(await rig.eventsOf(lane, answers.length)).toHaveLength(answers.length);
  await using well = await recorder();
  expect(statusOf(await raw(await rig.lane({ network: [loopback(well.port)] }), proxied(well.port)))).toBe(200);
}, 40_000);
