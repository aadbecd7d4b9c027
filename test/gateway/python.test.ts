/** Python's urllib and pip in a real sandbox, against an index of this machine: what the rules allow works, the rest says why. */
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Bench, openBench } from "../sandbox/engine.ts";
import { inside, ownRule, self } from "./client-rig.ts";
import { python, pythonEnvironment, pythonRoot, wheel } from "./python-root.ts";
import { type Rig, until } from "./rig.ts";
import { type Authority, createAuthority, startTrustingRig } from "./tls-rig.ts";

const tiny = wheel("tinywheel", "1.0", "def word():\n    return 'installed by pip'\n");
let authority: Authority;
let rig: Rig;
let bench: Bench;
let unpacked: string;
let server: ReturnType<typeof createServer>;
/** The same index on the port that clients without a proxy use; undefined where it is taken. */
let standard: ReturnType<typeof createServer> | undefined;
let port: number;
const seen: string[] = [];

/** An index as PEP 503 has it, and an upload that would be taken. */
function index(request: IncomingMessage, response: ServerResponse): void {
  seen.push(`${request.method} ${request.url}`);
  request.resume();
  response.setHeader("content-type", "text/html");
  const digest = createHash("sha256").update(tiny.bytes).digest("hex");
  if (request.method === "POST") response.end("uploaded");
  else if (request.url === "/simple/tinywheel/")
    response.end(
      `<!doctype html><html><body><a href="/packages/${tiny.file}#sha256=${digest}">${tiny.file}</a></body></html>`,
    );
  else if (request.url === `/packages/${tiny.file}`) response.end(tiny.bytes);
  else response.writeHead(404).end("no such package");
}

beforeAll(async () => {
  unpacked = await pythonRoot();
  authority = createAuthority();
  rig = await startTrustingRig(authority);
  bench = await openBench();
  const certificate = authority.certify(`DNS:${self.name}`);
  const listen = (on: number) => {
    const made = createServer(certificate, index);
    return new Promise<typeof made>((resolve, reject) => {
      made.once("error", reject);
      made.listen(on, self.address, () => resolve(made));
    });
  };
  server = await listen(0);
  port = (server.address() as { port: number }).port;
  standard = await listen(443).catch((error: unknown) => {
    console.warn(`SKIPPED: pip without a proxy: ${String(error)}`);
    return undefined;
  });
}, 600_000);
afterAll(async () => {
  for (const one of [server, standard]) {
    one?.closeAllConnections();
    one?.close();
  }
  await bench?.close();
  await rig?.[Symbol.asyncDispose]();
  authority?.remove();
});

const read = (on: number) => [
  ownRule(on, { methods: ["GET", "HEAD"], paths: ["/simple/**"], query: {} }),
  ownRule(on, { methods: ["GET"], paths: ["/packages/**"], query: {} }),
];
const run = (network: ReturnType<typeof read>, script: string) =>
  inside({ rig, bench }, network, script, {
    environment: { ...pythonEnvironment, PIP_DISABLE_PIP_VERSION_CHECK: "1", PIP_NO_INPUT: "1", PIP_RETRIES: "0" },
    mounts: [{ source: unpacked, target: "/opt/python", writable: false }],
  });
const pip = (url: string, name = "tinywheel") =>
  `${python} -m pip install -q --no-cache-dir --target /tmp/got --index-url ${url}/simple/ ${name} 2>&1`;

test("pip installs a wheel from an index that may be read; an upload to it is denied", async () => {
  const url = `https://${self.name}:${port}`;
  const { text, events } = await run(
    read(port),
    `${pip(url)}
    PYTHONPATH=/tmp/got:$PYTHONPATH ${python} -c 'import tinywheel; print(tinywheel.word())'
    curl -sS -F :action=file_upload -F content=@/tmp/got/tinywheel.py -o /tmp/answer -w '%{http_code}\\n' ${url}/simple/
    grep -o '"code":"[a-z-]*"' /tmp/answer`,
  );
  expect(text.trim().split("\n")).toEqual(["installed by pip", "403", '"code":"method"']);
  await until(() => events().some(({ decision }) => decision === "deny"));
  expect(events().map(({ method, decision, code }) => `${method} ${decision} ${code}`)).toEqual([
    "GET allow allowed",
    "GET allow allowed",
    "POST deny method",
  ]);
  expect(seen).toEqual(["GET /simple/tinywheel/", `GET /packages/${tiny.file}`]);
}, 120_000);

test("an upload goes through where a rule allows it; an index that no rule names, and a file outside of it, do not", async () => {
  const url = `https://${self.name}:${port}`;
  seen.length = 0;
  const upload = ownRule(port, { methods: ["POST"], paths: ["/legacy/"] });
  const { text, events } = await run(
    [read(port)[0] as ReturnType<typeof ownRule>, upload],
    `curl -sS -F content=x ${url}/legacy/; echo
    ${pip(url)} | grep -o '403[^:]*' | head -1
    (${pip("https://pypi.example.invalid")}) > /dev/null || echo refused
    ls /tmp/got 2>/dev/null`,
  );
  expect(text.trim().split("\n")).toEqual(["uploaded", expect.stringMatching(/^403/), "refused"]);
  await until(() => events().filter(({ decision }) => decision === "deny").length >= 2);
  expect(
    events()
      .filter(({ decision }) => decision === "deny")
      .map(({ code }) => code),
  ).toEqual(["path", "no-rule"]);
  expect(seen).toEqual(["POST /legacy/", "GET /simple/tinywheel/"]);
}, 120_000);

test("urllib reaches what a rule allows and hears why it may not", async () => {
  const program = `import sys, json, urllib.request, urllib.error
for path, data in (("/simple/tinywheel/", None), ("/closed", None), ("/simple/tinywheel/", b"x")):
    try:
        print(urllib.request.urlopen(sys.argv[1] + path, data, timeout=10).status)
    except urllib.error.HTTPError as e:
        print(e.code, json.load(e)["code"])
`;
  const { text } = await run(
    read(port),
    `cat > /tmp/ask.py <<'END'\n${program}END\n${python} /tmp/ask.py https://${self.name}:${port}`,
  );
  expect(text.trim().split("\n")).toEqual(["200", "403 path", "403 method"]);
}, 120_000);

test("pip that knows no proxy reaches the index by its name, and no other", async ({ skip }) => {
  if (!standard) return skip("port 443 of this machine is taken");
  seen.length = 0;
  const { text } = await run(
    read(443),
    `unset HTTPS_PROXY https_proxy HTTP_PROXY http_proxy ALL_PROXY all_proxy
    ${pip(`https://${self.name}`)}
    PYTHONPATH=/tmp/got:$PYTHONPATH ${python} -c 'import tinywheel; print(tinywheel.word())'
    ${python} -c 'import urllib.request; urllib.request.urlopen("https://other.example.invalid/")' 2>&1 | tail -1`,
  );
  expect(text.trim().split("\n")).toEqual(["installed by pip", expect.stringContaining("Temporary failure in name")]);
  expect(seen).toEqual(["GET /simple/tinywheel/", `GET /packages/${tiny.file}`]);
}, 120_000);
