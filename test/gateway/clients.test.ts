/** Real clients in a real sandbox: what they need to work is in the sandbox, and what the rules do not allow fails. */
import { execFileSync, spawn } from "node:child_process";
import { lookup } from "node:dns/promises";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LaneSpec } from "../../src/gateway/process.ts";
import { classifyAddress } from "../../src/policy/address.ts";
import type { SandboxSpec } from "../../src/sandbox/engine.ts";
import { type Bench, openBench } from "../sandbox/engine.ts";
import { inside, ownRule, self } from "./client-rig.ts";
import { type Rig, until } from "./rig.ts";
import { type Authority, createAuthority, startTrustingRig } from "./tls-rig.ts";

let authority: Authority;
let rig: Rig;
let bench: Bench;
let files: string;
let server: ReturnType<typeof createServer>;
let port: number;
const seen: string[] = [];

beforeAll(async () => {
  files = mkdtempSync(join(tmpdir(), "gateway-clients-"));
  chmodSync(files, 0o755);
  const git = (...args: string[]) => execFileSync("git", args, { cwd: files, stdio: "ignore" });
  git("init", "-q", "-b", "main", "work");
  writeFileSync(join(files, "work", "README"), "cloned over https\n");
  git("-C", "work", "add", "README");
  git("-C", "work", "-c", "user.name=T", "-c", "user.email=t@localhost", "commit", "-qm", "first");
  git("clone", "-q", "--bare", "work", "repository.git");
  git("-C", "repository.git", "config", "http.receivepack", "true");
  authority = createAuthority();
  rig = await startTrustingRig(authority);
  bench = await openBench();
  server = createServer(authority.certify(`DNS:${self.name}`), answer);
  await new Promise<void>((resolve) => server.listen(0, self.address, resolve));
  port = (server.address() as { port: number }).port;
}, 200_000);
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await bench?.close();
  await rig?.[Symbol.asyncDispose]();
  authority?.remove();
  rmSync(files, { recursive: true, force: true });
});

/** git's own CGI below /repository.git, and a word elsewhere. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? "", "https://x");
  seen.push(`${request.method} ${url.pathname}`);
  if (!url.pathname.startsWith("/repository.git/")) return void response.end("hello from upstream\n");
  const backend = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: files,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: "*",
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: String(request.headers["content-encoding"] ?? ""),
      GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
      REMOTE_USER: "t",
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  request.pipe(backend.stdin);
  let head: Buffer | undefined = Buffer.alloc(0);
  backend.stdout.on("data", (chunk: Buffer) => {
    if (head === undefined) return void response.write(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    let status = 200;
    for (const line of head.subarray(0, end).toString("latin1").split("\r\n")) {
      const [name = "", value = ""] = line.split(/:\s*/, 2);
      if (name === "Status") status = Number(value.slice(0, 3));
      else response.setHeader(name, value);
    }
    response.writeHead(status);
    response.write(head.subarray(end + 4));
    head = undefined;
  });
  backend.stdout.on("end", () => response.end());
}

const rule = (more: object = {}) => ownRule(port, more);
const run = (network: LaneSpec["network"], script: string, changes?: Partial<SandboxSpec>) =>
  inside({ rig, bench }, network, script, changes);

describe("against a server of this machine", () => {
  test("curl, and Node's fetch and https, reach what a rule allows and hear why they may not", async () => {
    const url = `https://${self.name}:${port}`;
    const { text, exit, events } = await run(
      [rule({ methods: ["GET"], paths: ["/open/**"] })],
      `set -e
      curl -sS ${url}/open/curl
      curl -sS -o /tmp/denied -w '%{http_code}\\n' ${url}/closed; grep -o '"code":"path"' /tmp/denied
      curl -sS -X POST -d x -o /tmp/denied -w '%{http_code}\\n' ${url}/open/x; grep -o '"code":"method"' /tmp/denied
      node -e 'fetch("${url}/open/fetch").then(r => r.text()).then(t => process.stdout.write("fetch " + t))'
      node -e 'require("https").get("${url}/open/https", r => r.pipe(process.stdout))'
      curl -sS https://other.example.invalid/ 2>&1 | head -1 || true
      curl -sS --noproxy '*' --max-time 3 https://${self.address}:${port}/ 2>&1 | head -1 || true`,
    );
    expect(text.trim().split("\n")).toEqual([
      "hello from upstream",
      "403",
      '"code":"path"',
      "403",
      '"code":"method"',
      "fetch hello from upstream",
      "hello from upstream",
      expect.stringContaining("403"),
      expect.stringMatching(/Failed to connect|Couldn't connect|Could not resolve/),
    ]);
    expect(exit).toBe(0);
    await until(() => events().length >= 6);
    expect(
      events()
        .filter((event) => event.decision === "deny")
        .map((event) => event.code),
    ).toEqual(["path", "method", "no-rule"]);
  }, 60_000);

  test("git clones over https; a push needs a rule for POST", async () => {
    const url = `https://${self.name}:${port}/repository.git`;
    const script = `cd /tmp && git clone -q ${url} got && cat got/README && cd got && git config user.name T && git config user.email t@localhost &&
      echo more >> README && git commit -qam second && git push -q origin HEAD:refs/heads/new 2>&1 | tail -1`;
    const paths = ["/repository.git/**"];
    const clone = { methods: ["GET"], paths, query: { service: "git-upload-pack" } };
    const pull = { methods: ["POST"], paths: ["/repository.git/git-upload-pack"] };
    const read = await run([rule(clone), rule(pull)], script);
    expect(read.text).toContain("cloned over https");
    expect(read.text).toContain("403");
    expect(
      execFileSync("git", ["-C", join(files, "repository.git"), "branch"])
        .toString()
        .trim(),
    ).toBe("* main");
    const both = await run([rule({ paths })], `${script} && echo pushed`);
    expect(both.text).toContain("pushed");
    expect(execFileSync("git", ["-C", join(files, "repository.git"), "branch"]).toString()).toContain("new");
  }, 90_000);
});

/** The registry that this machine's npm uses, if it answers. */
const registry = await findRegistry();
const mirrors = registry
  ? (await lookup(registry.hostname, { all: true })).map((one) => one.address).filter((one) => !classifyAddress(one).ok)
  : [];

async function findRegistry(): Promise<URL | undefined> {
  try {
    const url = new URL(
      execFileSync("npm", ["config", "get", "registry"], { stdio: ["ignore", "pipe", "ignore"] })
        .toString()
        .trim(),
    );
    const probe = execFileSync("curl", ["-sS", "-o", "/dev/null", "-w", "%{http_code}", `${url}is-number`], {
      timeout: 20_000,
    });
    if (url.protocol === "https:" && url.port === "" && probe.toString() === "200") return url;
    console.warn(`SKIPPED: the registry ${url} answered ${probe}`);
  } catch (error) {
    console.warn(`SKIPPED: no package registry can be reached: ${error}`);
  }
  return undefined;
}

describe.skipIf(!registry)("against the package registry", () => {
  const host = registry?.hostname ?? "";
  // A build server's own mirror may answer under the registry's name: then the policy has to say so.
  const where = { host, ...(mirrors.length > 0 ? { addresses: mirrors } : {}) };
  const network: LaneSpec["network"] = [{ ...where, methods: ["GET", "HEAD"] }];
  const environment = { npm_config_registry: registry?.href ?? "" };

  test("npm ci of a package with a dependency; a publish is denied", async () => {
    const project = join(bench.directory, "project");
    mkdirSync(project);
    const manifest = { name: "t", version: "1.0.0", dependencies: { "is-odd": "3.0.1" } };
    writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
    execFileSync("npm", ["install", "--package-lock-only", "--ignore-scripts"], {
      cwd: project,
      stdio: "ignore",
      timeout: 120_000,
      // A request that a registry drops is asked for again at once, not after npm's ten seconds and more.
      env: { ...process.env, npm_config_fetch_timeout: "15000", npm_config_fetch_retry_mintimeout: "500" },
    });
    for (const name of ["", "package.json", "package-lock.json"]) chownSync(join(project, name), 10001, 10001);
    const { text, events } = await run(
      network,
      `npm ci --no-audit --no-fund --loglevel=error && node -e 'console.log("odd", require("is-odd")(3), require("is-number")(3))'
      curl -sS -X PUT -H 'content-type: application/json' -d '{}' -o /tmp/answer -w '%{http_code}\\n' ${registry?.href}t; grep -o '"code":"method"' /tmp/answer`,
      { directory: "/project", environment, mounts: [{ source: project, target: "/project", writable: true }] },
    );
    expect(text).toContain("odd true true");
    expect(text).toContain('403\n"code":"method"');
    await until(() => events().some((event) => event.code === "method"));
    const allowed = events().filter((event) => event.decision === "allow");
    expect(allowed.length).toBeGreaterThanOrEqual(2);
    expect(allowed.every((event) => event.method === "GET" && event.url.startsWith(`https://${host}:443/`))).toBe(true);
    expect(readFileSync(join(project, "node_modules/is-odd/package.json"), "utf8")).toContain('"3.0.1"');
  }, 240_000);

  test("clients that know no proxy reach it by its name, and nothing else", async () => {
    const script = `unset HTTPS_PROXY https_proxy HTTP_PROXY http_proxy ALL_PROXY all_proxy NODE_USE_ENV_PROXY
      node -e 'require("https").get("${registry?.href}is-number", { headers: { accept: "application/vnd.npm.install-v1+json" } }, r => { console.log("https", r.statusCode); r.resume() })'
      curl -sS -o /dev/null -w 'curl %{http_code}\\n' ${registry?.href}is-odd
      curl -sS -X DELETE -o /dev/null -w 'delete %{http_code}\\n' ${registry?.href}is-odd
      curl -sS -o /dev/null -w 'http %{http_code}\\n' http://${host}/is-odd
      curl -sS https://example.org/ 2>&1 | head -1
      curl -sS --resolve example.org:443:127.0.0.1 https://example.org/ 2>&1 | head -1`;
    const { text, events } = await run(network, script, { environment });
    const lines = text.trim().split("\n");
    expect(lines.slice(0, 3)).toEqual(["https 200", "curl 200", "delete 403"]);
    expect(lines[3]).toMatch(/^http \d{3}$/);
    expect(lines[4]).toContain("Could not resolve host");
    expect(lines[5]).toContain("unrecognized name");
    await until(() => events().some((event) => event.code === "no-rule"));
  }, 90_000);

  test("passed through, the registry's own certificate is what the client sees", async () => {
    const script = `curl -sS -o /dev/null -w '%{http_code}\\n' ${registry?.href}is-odd`;
    const { text, events } = await run([{ ...where, scheme: "https", tls: "passthrough" }], script, {
      environment: { ...environment },
    });
    expect(text.trim()).toBe("200");
    await until(() => events().length > 0);
    expect(events()).toMatchObject([{ method: "CONNECT", url: `${host}:443`, code: "allowed" }]);
  }, 90_000);
});
