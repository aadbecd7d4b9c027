import { afterAll, beforeAll, expect, test } from "vitest";
import { denialOf, loopback, proxied, type Rig, raw, recorder, startRig, statusOf } from "./rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig?.[Symbol.asyncDispose]());

test("a request that a rule names goes upstream as decided; the event says so", async () => {
  await using server = await recorder();
  const lane = await rig.lane({ network: [loopback(server.port, { methods: ["GET"], paths: ["/a/**"] })] });
  const answer = await raw(
    lane,
    proxied(
      server.port,
      "/a/%2e/b//c?key=secret",
      "GET",
      "Proxy-Authorization: Basic eA==\r\nX-Own: 1\r\nX-HTTP-Method-Override: DELETE\r\nConnection: X-Hop\r\nX-Hop: 1\r\n",
    ),
  );
  expect(statusOf(answer)).toBe(200);
  expect(answer).toContain("upstream says hello");
  expect(server.seen).toHaveLength(1);
  expect(server.seen[0]).toMatchObject({ method: "GET", url: "/a/b/c?key=secret" });
  const names = server.seen[0]?.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  expect(names?.sort()).toEqual(["connection", "host", "x-own"]);
  const [event] = await rig.eventsOf(lane, 1);
  expect(event).toMatchObject({
    method: "GET",
    url: `http://127.0.0.1:${server.port}/a/b/c?10`,
    decision: "allow",
    code: "allowed",
    status: 200,
    sent: 0,
    received: 19,
    address: "127.0.0.1",
  });
});

test("no rule, an empty list and another rule are the same answer: nothing goes out", async () => {
  await using server = await recorder();
  await using other = await recorder();
  for (const network of [[], [loopback(other.port)]]) {
    const lane = await rig.lane({ network });
    const answer = await raw(lane, proxied(server.port));
    expect(statusOf(answer)).toBe(403);
    const denial = denialOf(answer);
    expect(denial.why).not.toBe("");
    expect(denial.next).not.toBe("");
    expect((await rig.eventsOf(lane, 1))[0]).toMatchObject({ decision: "deny", status: 403, code: denial.code });
  }
  expect(server.connections()).toBe(0);
});
