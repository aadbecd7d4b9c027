/** Model routes over https: verified against the host's certificates, never downgraded. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { denialOf, type Rig, raw, startRig, statusOf } from "./rig.ts";

let files: string;
let rig: Rig;
const servers: Server[] = [];
const before = process.env.NODE_EXTRA_CA_CERTS;

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: "ignore", cwd: files });
}

/** A certificate for a name, signed by the test's own authority, valid for `days` (negative: expired). */
function certify(name: string, subject: string, days: number): void {
  openssl(
    "req",
    "-new",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-subj",
    "/CN=x",
    "-addext",
    `subjectAltName=${subject}`,
    "-keyout",
    `${name}.key`,
    "-out",
    `${name}.csr`,
  );
  const time = (offset: number) =>
    `${new Date(Date.now() + offset * 86_400_000).toISOString().replace(/[-:T]|\..*/g, "")}Z`;
  openssl(
    "ca",
    "-batch",
    "-config",
    "ca.cnf",
    "-in",
    `${name}.csr`,
    "-out",
    `${name}.crt`,
    "-startdate",
    time(-10),
    "-enddate",
    time(days),
    "-notext",
  );
}

async function serve(name: string): Promise<{ port: number; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer(
    { key: readFileSync(join(files, `${name}.key`)), cert: readFileSync(join(files, `${name}.crt`)) },
    (request, response) => {
      seen.push(`${request.headers.host} ${request.url}`);
      response.end("over TLS");
    },
  );
  server.on("tlsClientError", () => undefined);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, seen };
}

beforeAll(async () => {
  files = mkdtempSync(join(tmpdir(), "upstream-tls-"));
  openssl(
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=test authority",
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
  );
  const configuration =
    "[ca]\ndefault_ca=d\n[d]\ndir=.\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\ncertificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\npolicy=p\ncopy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n";
  const { writeFileSync } = await import("node:fs");
  writeFileSync(join(files, "ca.cnf"), configuration);
  writeFileSync(join(files, "index"), "");
  certify("good", "DNS:localhost", 2);
  certify("wrong", "DNS:elsewhere.example", 2);
  certify("expired", "DNS:localhost", -1);
  openssl(
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=DNS:localhost",
    "-keyout",
    "self.key",
    "-out",
    "self.crt",
  );
  // Only root can read the extra certificates: the gateway must have them before it becomes another user.
  chmodSync(join(files, "ca.pem"), 0o600);
  process.env.NODE_EXTRA_CA_CERTS = join(files, "ca.pem");
  // Would turn the check off, if it came through.
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  rig = await startRig();
});
afterAll(async () => {
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  if (before === undefined) delete process.env.NODE_EXTRA_CA_CERTS;
  else process.env.NODE_EXTRA_CA_CERTS = before;
  await rig?.[Symbol.asyncDispose]();
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  rmSync(files, { recursive: true, force: true });
});

const call = "POST /model/m/messages HTTP/1.1\r\nHost: sallyport\r\nContent-Length: 2\r\n\r\n{}";
const laneTo = (port: number) =>
  rig.lane({ models: { m: { base: `https://localhost:${port}/v1`, addresses: ["127.0.0.1", "::1"] } } });

test("a certificate of the host's authorities for the right name passes", async () => {
  const { port, seen } = await serve("good");
  const lane = await laneTo(port);
  expect(await raw(lane, call)).toContain("over TLS");
  expect(seen).toEqual([`localhost:${port} /v1/messages`]);
  expect((await rig.eventsOf(lane, 1))[0]).toMatchObject({
    url: `https://localhost:${port}/v1/messages`,
    status: 200,
    code: "allowed",
  });
});

test.each(["wrong", "expired", "self"])("a certificate that is %s is refused; no request is sent", async (name) => {
  const { port, seen } = await serve(name);
  const lane = await laneTo(port);
  const answer = await raw(lane, call);
  expect(statusOf(answer)).toBe(502);
  expect(denialOf(answer)).toMatchObject({ code: "upstream-certificate" });
  expect(seen).toEqual([]);
  expect((await rig.eventsOf(lane, 1))[0]).toMatchObject({ code: "upstream-certificate", status: 502 });
});
