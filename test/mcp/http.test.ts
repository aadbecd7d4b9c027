/** MCP over streamable HTTP as a client meets it: the official SDK, a planner's socket and the network, a real daemon behind. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Agent, fetch as undiciFetch } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import { createToken } from "../../src/host/tokens.ts";
import { callSocket, defaultBrief, openHost, type TestHost } from "../e2e/daemon.ts";
import { until } from "../e2e/leftovers.ts";

let host: TestHost;
let port: number;
const tokens: Record<string, string> = {};
const agents: Agent[] = [];
const clients: Client[] = [];
const at = (name: string) => join(host.directory, "k", name);

beforeAll(async () => {
  let prepared = "";
  const prepare = (directory: string) => {
    prepared = join(directory, "k");
    mkdirSync(prepared, { mode: 0o755 });
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    execFileSync("openssl", ["req", "-x509", ...curve, ...names, "-keyout", "tls.key", "-out", "tls.crt"], {
      cwd: prepared,
      stdio: "ignore",
    });
    chmodSync(join(prepared, "tls.key"), 0o600);
    execFileSync("sh", ["-c", 'umask 077; printf %s \'{"version":1,"tokens":[]}\' > tokens.json'], { cwd: prepared });
  };
  host = await openHost({
    planners: (directory) => ({
      alice: { repositories: [`${directory}/r/alice*`], refs: ["refs/heads/alice/**"] },
      bob: { repositories: [`${directory}/r/bob*`], refs: ["refs/heads/bob/**"] },
    }),
    config: (directory) => {
      prepare(directory);
      return {
        sockets: [
          { path: join(directory, "k/alice.sock"), role: "planner", planner: "alice", mcp: true },
          { path: join(directory, "k/quiet.sock"), role: "planner", planner: "alice" },
        ],
        listen: {
          address: "127.0.0.1",
          port: 0,
          tls: { cert: join(directory, "k/tls.crt"), key: join(directory, "k/tls.key") },
          tokens: join(directory, "k/tokens.json"),
          hosts: ["localhost"],
          mcp: true,
        },
      };
    },
  });
  for (const planner of ["alice", "bob"])
    tokens[planner] = await createToken(at("tokens.json"), { name: planner, role: "planner", planner }, new Date());
  tokens.audit = await createToken(at("tokens.json"), { name: "audit", role: "auditor" }, new Date());
  port = Number(/"port":(\d+),"msg":"listening on the network"/.exec(host.log())?.[1]);
}, 600_000);
afterAll(async () => {
  for (const client of clients) await client.close();
  for (const agent of agents) await agent.destroy();
  await host?.close();
});

async function connect(url: string, agent: Agent, headers: Record<string, string> = {}): Promise<Client> {
  agents.push(agent);
  const made = new Client({ name: "test", version: "1" });
  const fetch = ((input: string, init: object) => undiciFetch(input, { ...init, dispatcher: agent })) as never;
  await made.connect(new StreamableHTTPClientTransport(new URL(url), { fetch, requestInit: { headers } }));
  clients.push(made);
  return made;
}
const overSocket = (name: string) => connect("http://localhost/mcp", new Agent({ connect: { socketPath: at(name) } }));
const overNetwork = (name: string) =>
  connect(`https://localhost:${port}/mcp`, new Agent({ connect: { ca: readFileSync(at("tls.crt")) } }), {
    authorization: `Bearer ${tokens[name]}`,
  });

type Found = Record<string, unknown>;
async function call(client: Client, name: string, args: Found, progress: string[] = []): Promise<Found> {
  const onprogress = (note: { message?: string | undefined }) => void progress.push(note.message ?? "");
  const result = await client.callTool({ name, arguments: args }, { onprogress, timeout: 60_000 });
  return JSON.parse((result.content as { text: string }[])[0]?.text ?? "") as Found;
}
const codeOf = (found: Found) => (found.error as { code: string } | undefined)?.code;

async function wait(client: Client, id: unknown, progress?: string[]): Promise<Found> {
  return until(
    `${id} at rest`,
    async () => {
      const found = await call(client, "wait", { id, seconds: 10 }, progress);
      return found.rests === true ? found : undefined;
    },
    120,
  );
}

describe("MCP over HTTP", { timeout: 240_000 }, () => {
  it("hires, waits with progress and lands, on the network and on a planner's socket, with that planner's rights", async () => {
    const repository = host.repository("alice");
    for (const [client, branch] of [
      [await overNetwork("alice"), "alice/network"],
      [await overSocket("alice.sock"), "alice/socket"],
    ] as const) {
      const { tools } = await client.listTools();
      expect(tools.map(({ name }) => name)).toContain("delegate");
      const delegated = await call(client, "delegate", {
        repository: repository.path,
        onto: branch,
        brief: defaultBrief,
      });
      expect(delegated.id).toMatch(/^d-/);
      const progress: string[] = [];
      expect(await wait(client, delegated.id, progress)).toMatchObject({ state: "approved" });
      expect(progress.length).toBeGreaterThan(0);
      expect((await call(client, "diff", { id: delegated.id })).patch).toContain("Math.round");
      const landed = await call(client, "land", { id: delegated.id });
      expect(repository.git("rev-parse", branch)).toBe(landed.commit);
      expect((await host.show(String(delegated.id))).planner).toBe("alice");
      // Another planner's token learns nothing of it, and its own rights bind it.
      const bob = await overNetwork("bob");
      expect(codeOf(await call(bob, "show", { id: delegated.id }))).toBe("not-found");
      expect(codeOf(await call(bob, "delegate", { repository: repository.path, brief: defaultBrief }))).toBe(
        "repository-refused",
      );
    }
  });

  it("is refused without a token, to an auditor, to another host's name, and where it is not configured", async () => {
    const agent = new Agent({ connect: { ca: readFileSync(at("tls.crt")) } });
    agents.push(agent);
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "x", version: "1" } },
    });
    const accept = { "content-type": "application/json", accept: "application/json, text/event-stream" };
    const status = async (headers: Record<string, string>) => {
      const answer = await undiciFetch(`https://localhost:${port}/mcp`, {
        method: "POST",
        body,
        dispatcher: agent,
        headers: { ...accept, ...headers },
      });
      await answer.body?.cancel();
      return answer.status;
    };
    const bearer = (name: string) => ({ authorization: `Bearer ${tokens[name]}` });
    expect(await status(bearer("alice"))).toBe(200);
    expect(await status({})).toBe(401);
    expect(await status(bearer("audit"))).toBe(403);
    expect(await status({ ...bearer("alice"), origin: "https://evil.example" })).toBe(400);
    expect(await status({ ...bearer("alice"), origin: "https://localhost" })).toBe(400);
    // No session is kept, so none can be taken over.
    expect(await status({ ...bearer("bob"), "mcp-session-id": "anything" })).toBe(200);
    const quiet = await callSocket(at("quiet.sock"), "POST", "/mcp", body, accept);
    expect([quiet.status, quiet.body]).toEqual([404, expect.stringContaining("mcp: true")]);
    expect((await callSocket(at("alice.sock"), "POST", "/mcp", body, accept)).status).toBe(200);
    for (const method of ["GET", "DELETE"])
      expect((await callSocket(at("alice.sock"), method, "/mcp", undefined, { accept: accept.accept })).status).toBe(
        405,
      );
  });

  it("writes no token down", async () => {
    const text = host.log() + JSON.stringify(host.entries());
    for (const token of Object.values(tokens)) expect(text).not.toContain(token.slice(12, 40));
    const { found } = {
      found: JSON.parse((await host.api("GET", "/v1/delegations")).body) as { delegations: Delegation[] },
    };
    expect(found.delegations.length).toBeGreaterThan(0);
  });
});
