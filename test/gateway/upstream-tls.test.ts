/** Model routes over https: verified against the host's certificates, never downgraded. */
import { chmodSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { denialOf, type Rig, raw, statusOf } from "./rig.ts";
import { type Authority, createAuthority, startTrustingRig, type TlsRecorder, tlsRecorder } from "./tls-rig.ts";

let authority: Authority;
let rig: Rig;
const servers: Record<string, TlsRecorder> = {};

beforeAll(async () => {
  authority = createAuthority();
  // Only root can read the extra certificates: the gateway must have them before it becomes another user.
  chmodSync(authority.pem, 0o600);
  // Would turn the check off, if it came through.
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  rig = await startTrustingRig(authority);
  for (const [name, certificate] of Object.entries({
    good: authority.certify("DNS:localhost"),
    wrong: authority.certify("DNS:elsewhere.example"),
    expired: authority.certify("DNS:localhost", -1),
    self: authority.selfSign("DNS:localhost"),
  })) {
    servers[name] = await tlsRecorder(certificate, (_, response) => response.end("over TLS"));
  }
});
afterAll(async () => {
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  await rig?.[Symbol.asyncDispose]();
  for (const server of Object.values(servers)) await server[Symbol.asyncDispose]();
  authority?.remove();
});

const call = "GET /model/m/models HTTP/1.1\r\nHost: sallyport\r\n\r\n";
const laneTo = (port: number) =>
  rig.lane({
    models: {
      m: { base: `https://localhost:${port}/v1`, addresses: ["127.0.0.1", "::1"], protocol: "anthropic-messages" },
    },
  });

test("a certificate of the host's authorities for the right name passes", async () => {
  const { port, seen } = servers.good as TlsRecorder;
  const lane = await laneTo(port);
  expect(await raw(lane, call)).toContain("over TLS");
  expect(seen).toMatchObject([{ url: "/v1/models" }]);
  expect(seen[0]?.rawHeaders).toContain(`localhost:${port}`);
  expect((await rig.eventsOf(lane, 1))[0]).toMatchObject({
    url: `https://localhost:${port}/v1/models`,
    status: 200,
    code: "allowed",
  });
});

test.each(["wrong", "expired", "self"])("a certificate that is %s is refused; no request is sent", async (name) => {
  const { port, seen } = servers[name] as TlsRecorder;
  const lane = await laneTo(port);
  const answer = await raw(lane, call);
  expect(statusOf(answer)).toBe(502);
  expect(denialOf(answer)).toMatchObject({ code: "upstream-certificate" });
  expect(seen).toEqual([]);
  expect((await rig.eventsOf(lane, 1))[0]).toMatchObject({ code: "upstream-certificate", status: 502 });
});
