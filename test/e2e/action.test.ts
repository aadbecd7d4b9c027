/** The operator's actions on real containers: a push and a message through the gateway, each once, and what is refused. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { leftovers, until } from "./leftovers.ts";

const token = "push-token-0123456789abcdef";
const hook = "hook-token-fedcba9876543210";
let host: TestHost;
let folder: string;
let upstream: Server;
let messages: Server;
let stranger: Server;
const seen: { who: string; method: string; url: string; authorization: string; body: string }[] = [];

const bodyOf = async (request: IncomingMessage) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};
async function listen(
  who: string,
  answer?: (request: IncomingMessage, body: Buffer) => Promise<[number, Buffer, string]>,
) {
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const { method = "", url = "", headers } = request;
    seen.push({
      who,
      method,
      url,
      authorization: headers.authorization ?? "",
      body: body.toString("latin1").slice(0, 500),
    });
    const [status, content, type] = answer ? await answer(request, body) : [200, Buffer.from("ok"), "text/plain"];
    response.writeHead(status, { "content-type": type }).end(content);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
const portOf = (server: Server) => (server.address() as AddressInfo).port;

/** git's own smart HTTP service (git-http-backend(1)), for whoever has the token. */
async function serveGit(request: IncomingMessage, body: Buffer): Promise<[number, Buffer, string]> {
  if (request.headers.authorization !== `Bearer ${token}`) return [401, Buffer.from("no"), "text/plain"];
  const { pathname, search } = new URL(request.url ?? "/", "http://upstream");
  const child = spawn("git", ["-c", "safe.directory=*", "http-backend"], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_CONFIG_NOSYSTEM: "1",
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      CONTENT_LENGTH: String(body.length),
      HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
      GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
      REMOTE_USER: "sallyport",
    },
    timeout: 30_000,
    stdio: ["pipe", "pipe", "ignore"],
  });
  child.stdin.end(body);
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
  const all = Buffer.concat(chunks);
  const end = all.indexOf("\r\n\r\n");
  const head = all.toString("latin1", 0, end);
  const status = Number(/^Status: (\d+)/m.exec(head)?.[1] ?? 200);
  return [status, all.subarray(end + 4), /^Content-Type: (.+)$/im.exec(head)?.[1]?.trim() ?? "text/plain"];
}

/** POSTs by way of the gateway; exit 0 on 200. */
const post = (port: number, path: string, variable?: string) =>
  `node -e 'const r=require("http").request({host:"127.0.0.1",port:3128,method:"POST",path:"http://127.0.0.1:${port}${path}",headers:{host:"127.0.0.1:${port}"${variable ? `,authorization:"Bearer "+process.env.${variable}` : ""}}},a=>{console.log(a.statusCode);process.exit(a.statusCode===200?0:1)});r.on("error",e=>{console.log(e.message);process.exit(2)});r.end(process.env.SALLYPORT_DELEGATION+" "+process.env.SALLYPORT_COMMIT)'`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-up-"));
  mkdirSync(join(folder, "up.git"));
  execFileSync("git", ["init", "-q", "--bare", "-b", "main", join(folder, "up.git")]);
  execFileSync("git", ["-C", join(folder, "up.git"), "config", "http.receivepack", "true"]);
  upstream = await listen("git", serveGit);
  messages = await listen("message");
  stranger = await listen("stranger");
  const rule = (server: Server, more: object) => ({
    host: "127.0.0.1",
    port: portOf(server),
    scheme: "http",
    addresses: ["127.0.0.1"],
    ...more,
  });
  const secret = (name: string) => ({ from: `env:${name}`, header: "authorization", form: "Bearer {}", env: name });
  const push = `set -e
cd /tmp
git clone -q -b landed /landed/landed.bundle work
cd work
echo "holds $PUSH_TOKEN"
env -u NO_PROXY -u no_proxy git -c http.extraHeader="Authorization: Bearer $PUSH_TOKEN" push -q http://127.0.0.1:${portOf(upstream)}/up.git HEAD:refs/heads/main`;
  const actions = {
    push: {
      on: "landed",
      mount: "bundle",
      run: push,
      wall: "60s",
      network: [rule(upstream, { secret: "push" })],
      secrets: { push: secret("PUSH_TOKEN") },
    },
    message: {
      on: "landed",
      mount: "none",
      run: post(portOf(messages), "/hook", "HOOK_TOKEN"),
      network: [rule(messages, { methods: ["POST"], paths: ["/hook"], secret: "hook" })],
      secrets: { hook: secret("HOOK_TOKEN") },
    },
    elsewhere: {
      on: "landed",
      mount: "none",
      run: post(portOf(stranger), "/hook"),
      network: [rule(messages, { methods: ["POST"], paths: ["/hook"] })],
    },
    tree: {
      on: "approved",
      run: 'test "$(cat /landed/src/money.js)" != "" && grep -q Math.round /landed/src/money.js && ! touch /landed/x 2>/dev/null && ! node -e \'require("http").get("http://127.0.0.1:3128/verdict")\' -c && echo ok',
    },
    slow: { on: "landed", mount: "none", run: "sleep 30" },
  };
  host = await openHost({
    images: ["base"],
    policies: { acting: { version: 1, extends: "quick", actions } },
    env: { PUSH_TOKEN: token, HOOK_TOKEN: hook },
  });
}, 600_000);
afterAll(async () => {
  await host?.close();
  for (const server of [upstream, messages, stranger]) {
    server?.closeAllConnections();
    server?.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

async function approvedOne(fields: Record<string, unknown> = {}) {
  const repository = host.repository();
  const d = await host.turn(repository, { policy: "acting", ...fields }, { onto: "fixed" });
  expect(d.state, JSON.stringify([d.reason, d.attempts])).toBe("approved");
  return { repository, id: d.id };
}
async function landedOne(fields: Record<string, unknown> = {}) {
  const one = await approvedOne(fields);
  expect((await host.cli("land", one.id)).code).toBe(0);
  return one;
}
const act = (id: string, name: string, ...more: string[]) => host.cli("act", id, name, ...more);
const up = (...args: string[]) =>
  execFileSync("git", ["-C", join(folder, "up.git"), ...args])
    .toString()
    .trim();

// Each takes several turns on real containers.
describe("an action", { timeout: 240_000 }, () => {
  it("pushes what landed, with a secret that no sandbox holds; once", async () => {
    const { repository, id } = await landedOne({
      instructions: "sed -i s/Math.floor/Math.round/ src/money.js; env | grep -q TOKEN && touch src/leaked.js; true",
    });
    const said = await act(id, "push");
    expect(said.code, said.stdout).toBe(0);
    expect(up("rev-parse", "main")).toBe(repository.git("rev-parse", "fixed"));
    expect(seen.filter(({ who }) => who === "git").every((one) => one.authorization === `Bearer ${token}`)).toBe(true);
    const all = JSON.stringify(host.entries());
    expect(all).not.toContain(token);
    expect(said.stdout).not.toContain(token);
    const d = await host.show(id);
    expect([d.state, d.actions?.map(({ action, run, outcome }) => [action, run, outcome])]).toEqual([
      "landed",
      [["push", 1, "done"]],
    ]);
    expect(d.attempts[0]?.proposal?.changes.map(({ path }) => path)).toEqual(["src/money.js"]);
    expect(d.sandboxes.at(-1)).toMatchObject({ role: "action", end: "exit" });
    const types = host.entries(id).map(({ type }) => type);
    expect(types.indexOf("action.intended")).toBeLessThan(types.lastIndexOf("sandbox.started"));
    const again = await act(id, "push");
    expect([again.code, again.error().code]).toEqual([5, "action-refused"]);
    expect(again.error().next).toContain("--again");
    expect((await act(id, "push", "--again")).code).toBe(0);
    expect((await host.show(id)).actions?.map(({ again: word }) => word)).toEqual([false, true]);
  });

  it("posts a message; to another host the gateway denies it, and what landed stays", async () => {
    const { repository, id } = await landedOne();
    expect((await act(id, "message")).code).toBe(0);
    const posted = seen.filter(({ who }) => who === "message");
    expect(posted).toHaveLength(1);
    expect(posted[0]).toMatchObject({
      authorization: `Bearer ${hook}`,
      body: `${id} ${repository.git("rev-parse", "fixed")}`,
    });
    const tip = repository.git("rev-parse", "fixed");
    const denied = await act(id, "elsewhere");
    expect([denied.code, denied.error().code]).toEqual([1, "action-failed"]);
    expect(seen.filter(({ who }) => who === "stranger")).toEqual([]);
    const d = await host.show(id);
    expect([d.state, repository.git("rev-parse", "fixed")]).toEqual(["landed", tip]);
    expect(host.entries(id).some((e) => e.type === "request" && e.data.decision === "deny")).toBe(true);
  });

  it("is refused of what did not land, was rejected, or has no such action; of what is approved one may look", async () => {
    const { id } = await approvedOne();
    const early = await act(id, "push");
    expect([early.code, early.error().code]).toEqual([5, "action-refused"]);
    expect((await act(id, "tree")).code).toBe(0);
    const unknown = await act(id, "deploy");
    expect([unknown.error().code, unknown.error().next]).toEqual(["action-refused", expect.stringContaining("push")]);
    const rejected = await host.turn(host.repository(), {
      policy: "acting",
      intent: "verdict reject-hard",
    });
    expect(rejected.state).toBe("rejected-hard");
    for (const name of ["push", "tree"])
      expect((await act(rejected.id, name)).error().code).toMatch(/^(?:action-refused|approval-missing)$/);
    expect((await host.show(rejected.id)).actions).toBeUndefined();
    expect((await host.show(id)).actions?.map(({ action }) => action)).toEqual(["tree"]);
  });

  it("can be left out by a brief, and neither added nor written by one", async () => {
    const { id } = await landedOne({ actions: ["message"] });
    expect((await act(id, "push")).error().code).toBe("action-refused");
    const before = seen.length;
    expect((await act(id, "message")).code).toBe(0);
    expect(seen.length).toBe(before + 1);
    await expect(host.send(host.repository(), { policy: "acting", actions: ["deploy"] })).rejects.toThrow(
      "policy-widened",
    );
    const own = { mine: { on: "landed", run: "true" } };
    await expect(host.send(host.repository(), { policy: "acting", actions: own })).rejects.toThrow("brief-invalid");
    await expect(host.send(host.repository(), { actions: ["push"] })).rejects.toThrow("policy-widened");
  });

  it("whose end nobody saw is not done again by itself", async () => {
    const { id } = await landedOne();
    const answer = host.api("POST", `/v1/delegations/${id}/act`, { action: "slow" }).catch(() => undefined);
    await until("it runs", async () => (await host.show(id)).sandboxes.some((s) => s.role === "action"), 60);
    const beside = await act(id, "message");
    expect(beside.error().code).toBe("action-refused");
    await host.kill();
    await answer;
    await until("everything of the killed daemon gone", () => leftovers(host.directory).length === 0, 12);
    await host.up();
    const d: Delegation = await host.show(id);
    expect(d.actions).toMatchObject([{ action: "slow", outcome: "unknown" }]);
    const again = await act(id, "slow");
    expect([again.error().code, again.error().message]).toEqual([
      "action-refused",
      expect.stringContaining("nobody saw its end"),
    ]);
    expect((await act(id, "message")).code).toBe(0);
  });
});
