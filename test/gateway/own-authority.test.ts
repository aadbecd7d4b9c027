/** The gateway's own paths: verbs and model routes. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { denialOf, dial, type Rig, raw, recorder, startRig, statusOf, until } from "./rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig(async ({ verb, body }) =>
    verb === "verdict" && JSON.stringify(body) === "{}"
      ? { status: 422, body: { code: "verdict-incomplete" } }
      : { status: 200, body: { ok: true } },
  );
});
afterAll(() => rig?.[Symbol.asyncDispose]());

const post = (
  path: string,
  body: string | Buffer,
  extra = "Content-Type: application/json\r\n",
  host = "127.0.0.1:3128",
) =>
  Buffer.concat([
    Buffer.from(`POST ${path} HTTP/1.1\r\nHost: ${host}\r\n${extra}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`),
    Buffer.from(body),
  ]);

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n`;
const protocol = "anthropic-messages" as const;

test("a lane's verbs reach the daemon; its answer comes back as it is", async () => {
  const lane = await rig.lane({ role: "verifier", verbs: ["verdict"] });
  expect(statusOf(await raw(lane, post("/verdict", '{"decision":"reject"}')))).toBe(200);
  const mend = await raw(lane, post("/verdict", "{}", undefined, "sallyport"));
  expect(statusOf(mend)).toBe(422);
  expect(denialOf(mend)).toEqual({ code: "verdict-incomplete" });
  expect(rig.verbs.slice(-2).map(({ verb, body }) => ({ verb, body }))).toEqual([
    { verb: "verdict", body: { decision: "reject" } },
    { verb: "verdict", body: {} },
  ]);
});

test("another role's verb, another method, type or size never reach the daemon", async () => {
  const lane = await rig.lane({ verbs: ["propose", "stuck", "note"] });
  const before = rig.verbs.length;
  const deep = `${"[".repeat(40)}${"]".repeat(40)}`;
  const cases: [string | Buffer, number][] = [
    [post("/verdict", "{}"), 404],
    [post("/report/__proto__", "{}"), 404],
    [post("/report/propose/", "{}"), 404],
    [`GET /report/propose HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n`, 405],
    [post("/report/propose", "{}", "Content-Type: text/plain\r\n"), 415],
    [post("/report/propose", "{}", ""), 415],
    [post("/report/propose", "{}", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"), 415],
    [post("/report/propose", `"${"a".repeat(256 * 1024)}"`), 413],
    [post("/report/propose", deep), 422],
    [post("/report/propose", '{"__proto__":{"admin":true}}'), 422],
    [post("/report/propose", '{"a":[{"constructor":1}]}'), 422],
    [post("/report/propose", '{"a":"\\ud800"}'), 422],
    [post("/report/propose", Buffer.from([0x22, 0xff, 0x22])), 422],
    [post("/report/propose", "{"), 422],
    [post("/report/propose", ""), 422],
    [post("/report/propose", "{}", "Content-Type: application/json\r\n", "evil.example"), 400],
  ];
  for (const [bytes, status] of cases) {
    const answer = await raw(lane, bytes);
    expect([bytes.toString().slice(0, 80), statusOf(answer)]).toEqual([bytes.toString().slice(0, 80), status]);
    expect(denialOf(answer).next).not.toBe("");
  }
  expect(rig.verbs.length).toBe(before);
  expect((await rig.eventsOf(lane, cases.length)).every((event) => event.decision === "deny")).toBe(true);
  expect(statusOf(await raw(lane, post("/report/propose", '{"summary":"done"}')))).toBe(200);
  expect(rig.verbs.length).toBe(before + 1);
});

test("verbs work when the requests are used up, and are bounded themselves", async () => {
  const lane = await rig.lane({ requests: 0, verbs: ["note"] });
  expect(statusOf(await raw(lane, `GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n`))).toBe(429);
  const { socket, text } = dial(lane);
  for (let call = 0; call < 200; call++) {
    socket.write(post("/report/note", "{}"));
    await until(() => text().split('{"ok":true}').length === call + 2);
  }
  socket.write(post("/report/note", "{}"));
  await until(() => text().includes("verbs-used-up"));
  socket.destroy();
  expect((await rig.eventsOf(lane, 2)).map((event) => event.code)).toEqual(["requests-used-up", "verbs-used-up"]);
});

test("a model route goes to its base and below, in both forms of the request", async () => {
  await using model = await recorder((request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    request.resume().on("end", () => response.end("data: hello\n\n"));
  });
  const lane = await rig.lane({
    models: { local: { base: `http://127.0.0.1:${model.port}/v1`, addresses: ["127.0.0.1"], protocol } },
  });
  const body = '{"model":"m1","messages":[],"max_tokens":5}';
  const fields = `Authorization: Bearer placeholder\r\nContent-Type: application/json\r\n`;
  const origin = await raw(lane, post("/model/local/messages?beta=true", body, fields));
  expect(origin).toContain("data: hello");
  for (const own of ["127.0.0.1:3128", "localhost:3128", "sallyport", "LOCALHOST:3128"]) {
    const absolute = await raw(lane, post(`http://${own}/model/local/messages`, body, fields, own));
    expect([own, statusOf(absolute)]).toEqual([own, 200]);
  }
  expect(model.seen.map((seen) => seen.url)).toEqual(["/v1/messages?beta=true", ...Array(4).fill("/v1/messages")]);
  expect(model.seen[0]).toMatchObject({ method: "POST", body });
  const names = model.seen[0]?.rawHeaders ?? [];
  expect(names[names.indexOf("Authorization") + 1]).toBe("Bearer placeholder");
  expect((await rig.eventsOf(lane, 5))[0]).toMatchObject({
    url: `http://127.0.0.1:${model.port}/v1/messages?9`,
    rule: "models.local",
    decision: "allow",
    sent: body.length,
    received: 13,
  });
});

test("no spelling of a path climbs out of the route's base", async () => {
  await using model = await recorder();
  const lane = await rig.lane({
    models: { local: { base: `http://127.0.0.1:${model.port}/v1`, addresses: ["127.0.0.1"], protocol } },
  });
  for (const rest of [
    "local/../admin",
    "local/./x",
    "local/%2e%2e/admin",
    "local/%2E./admin",
    "local/.%2e/admin",
    "local/a%2fb",
    "local/a%2Fb",
    "local/a%5cb",
    "local//admin",
    "local/a//b",
    "local/..;/admin",
    "local/%252e%252e/admin",
    "local/a%25252fb",
    "local/a%00b",
    "local/a%0d%0ab",
    "local/%zz",
    "local/a%3bb",
    "local/a%3fb",
    "local/..",
    "../v1/x",
    "local/..%3b/x",
  ]) {
    const answer = await raw(lane, post(`/model/${rest}`, "{}"));
    expect([rest, statusOf(answer)]).toEqual([rest, rest.startsWith("../") ? 404 : 400]);
  }
  for (const path of [
    "/model/",
    "/model",
    "/model/other/x",
    "/model/__proto__/x",
    "/model/constructor/x",
    "/model/LOCAL/x",
    "/modelx/local/x",
    "/",
  ]) {
    expect([path, statusOf(await raw(lane, post(path, "{}")))]).toEqual([path, 404]);
  }
  expect(statusOf(await raw(lane, "DELETE /model/local/files/1 HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n"))).toBe(405);
  expect(model.connections()).toBe(0);
  expect(denialOf(await raw(lane, post("/model/local/a-b_c.d~e:f/%20g", "{}"))).code).toBe("model-endpoint");
  expect(model.connections()).toBe(0);
  expect(statusOf(await raw(lane, get("/model/local/models/a-b_c.d")))).toBe(200);
  expect(model.seen.map((seen) => seen.url)).toEqual(["/v1/models/a-b_c.d"]);
});

test("a model route's address is checked like any other; its host is no open door", async () => {
  await using model = await recorder();
  const base = `http://localhost:${model.port}/v1`;
  const unnamed = await rig.lane({ models: { local: { base, protocol } } });
  expect(denialOf(await raw(unnamed, get("/model/local/models"))).code).toBe("address-refused");
  const named = await rig.lane({ models: { local: { base, addresses: ["127.0.0.1", "::1"], protocol } } });
  const around = await raw(
    named,
    `GET http://localhost:${model.port}/v1/x HTTP/1.1\r\nHost: localhost:${model.port}\r\n\r\n`,
  );
  expect(statusOf(around)).toBe(403);
  expect(model.connections()).toBe(0);
  expect(statusOf(await raw(named, get("/model/local/models")))).toBe(200);
});

test("a lane whose route has a base with credentials, a query or another scheme, or no protocol, is not opened", async () => {
  for (const base of [
    "http://user:pass@example.org/",
    "https://example.org/?a=b",
    "https://example.org/#x",
    "file:///etc/passwd",
    "ftp://example.org/",
  ]) {
    await expect(rig.lane({ models: { x: { base, protocol } } })).rejects.toMatchObject({ code: "gateway-failed" });
  }
  const base = "https://example.org/v1/";
  await expect(rig.lane({ models: { x: { base } } })).rejects.toThrow(/no protocol/);
  await rig.lane({ models: { x: { base, protocol } } });
});
