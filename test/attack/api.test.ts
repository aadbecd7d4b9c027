/** Who may ask what: sockets of a planner, of another one, of an auditor, and the operator's own, on one real daemon. */
import { chmodSync, existsSync, lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import { callSocket, defaultBrief, openHost, type TestHost } from "../e2e/daemon.ts";
import type { TestRepository } from "../e2e/repository.ts";

let host: TestHost;
let alice: string;
let bob: string;
let auditor: string;
let hers: TestRepository;

interface Answer {
  status: number;
  found: Record<string, unknown> & { id?: string; error?: { code: string; message: string; next: string } };
}

async function ask(socket: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await callSocket(socket, method, path, body);
  const found =
    answer.body.startsWith("{") && !answer.body.includes("\n") ? (JSON.parse(answer.body) as Answer["found"]) : {};
  return { status: answer.status, found };
}
const told = ({ status, found }: Answer) => [status, found.error?.code];

beforeAll(async () => {
  host = await openHost({
    planners: (directory) => ({
      alice: { repositories: [`${directory}/r/alice*`], refs: ["refs/heads/alice/**"] },
      bob: { repositories: [`${directory}/r/bob*`], refs: ["refs/heads/bob/**"] },
    }),
    config: (directory) => {
      mkdirSync(join(directory, "k"), { mode: 0o755 });
      return {
        sockets: [
          { path: join(directory, "k/alice.sock"), role: "planner", planner: "alice", group: 0, mode: "0660" },
          { path: join(directory, "k/bob.sock"), role: "planner", planner: "bob", owner: 65534, mode: "600" },
          { path: join(directory, "k/audit.sock"), role: "auditor", group: "nogroup", mode: "660" },
        ],
      };
    },
  });
  [alice, bob, auditor] = ["alice", "bob", "audit"].map((name) => join(host.directory, "k", `${name}.sock`)) as [
    string,
    string,
    string,
  ];
  hers = host.repository("alice");
}, 600_000);
afterAll(() => host?.close());

const request = (repository: TestRepository, more: object = {}) => ({
  repository: repository.path,
  onto: "alice/fix",
  brief: defaultBrief,
  ...more,
});

describe("a socket", () => {
  it("belongs to whom the operator says, from its first moment", () => {
    const shown = [alice, bob, auditor, host.socket].map((path) => {
      const { mode, uid, gid } = lstatSync(path);
      return [(mode & 0o777).toString(8), uid, gid];
    });
    expect(shown).toEqual([
      ["660", 0, 0],
      ["600", 65534, 0],
      ["660", 0, 65534],
      ["600", 0, 0],
    ]);
  });

  it("of a planner is for its own rights, and says whose they are", async () => {
    const mine = await ask(alice, "GET", "/v1/status");
    expect(mine.found).toMatchObject({ planner: "alice", rights: { refs: ["refs/heads/alice/**"] } });
    expect((await ask(host.socket, "GET", "/v1/status")).found.planner).toBe("default");
    const theirs = host.repository("bob");
    expect(told(await ask(alice, "POST", "/v1/delegations", request(theirs)))).toEqual([403, "repository-refused"]);
    const onto = await ask(alice, "POST", "/v1/delegations", request(hers, { onto: "main" }));
    expect(told(onto)).toEqual([403, "ref-refused"]);
  });
});

describe("a planner's work", () => {
  let id: string;
  beforeAll(async () => {
    const made = await ask(alice, "POST", "/v1/delegations", request(hers, { key: "the-same-key" }));
    expect(told(made)).toEqual([201, undefined]);
    id = String(made.found.id);
    await host.rest(id);
  }, 180_000);

  it("is not there for another planner, by any route, and is for its own, the auditor and the operator", async () => {
    const reads = ["", "/wait?seconds=0", "/diff", "/log"].map((what) => `/v1/delegations/${id}${what}`);
    for (const path of [...reads, `/v1/cost/${id}`]) {
      expect([path, ...told(await ask(bob, "GET", path))]).toEqual([path, 404, "not-found"]);
      for (const socket of [alice, auditor, host.socket])
        expect([path, socket, (await ask(socket, "GET", path)).status]).toEqual([path, socket, 200]);
    }
    // As of one that was never there.
    const unknown = await ask(bob, "GET", "/v1/delegations/d-aaaaaaaaaaaaaaaa");
    const others = await ask(bob, "GET", `/v1/delegations/${id}`);
    expect(JSON.stringify(others.found).replaceAll(id, "")).toBe(
      JSON.stringify(unknown.found).replaceAll("d-aaaaaaaaaaaaaaaa", ""),
    );
    for (const word of ["stop", "land", "verify", "discard"])
      expect(told(await ask(bob, "POST", `/v1/delegations/${id}/${word}`, {}))).toEqual([404, "not-found"]);
    expect(told(await ask(bob, "POST", `/v1/delegations/${id}/act`, { action: "x" }))).toEqual([404, "not-found"]);
    expect((await host.show(id)).state).toBe("approved");
    const listed = async (socket: string) =>
      (await ask(socket, "GET", "/v1/delegations")).found.delegations as Delegation[];
    expect(await listed(bob)).toEqual([]);
    for (const socket of [alice, auditor, host.socket])
      expect((await listed(socket)).map((one) => one.id)).toEqual([id]);
  }, 120_000);

  it("is written down as its planner's, and keys are each planner's own", async () => {
    expect((await host.show(id)).planner).toBe("alice");
    const again = await ask(alice, "POST", "/v1/delegations", request(hers, { key: "the-same-key" }));
    expect([again.status, again.found.id]).toEqual([201, id]);
    const his = host.repository("bob2");
    const other = await ask(bob, "POST", "/v1/delegations", {
      ...request(his, { key: "the-same-key" }),
      onto: "bob/fix",
    });
    expect(told(other)).toEqual([201, undefined]);
    expect(other.found.id).not.toBe(id);
    await host.rest(String(other.found.id));
  }, 180_000);

  it("lands where its own planner may land, whoever says the word", async () => {
    const elsewhere = await ask(host.socket, "POST", `/v1/delegations/${id}/land`, { onto: "main" });
    expect(told(elsewhere)).toEqual([403, "ref-refused"]);
    const landed = await ask(alice, "POST", `/v1/delegations/${id}/land`, {});
    expect(landed.found).toMatchObject({ state: "landed", ref: "refs/heads/alice/fix" });
  }, 120_000);
});

describe("the wrong role", () => {
  it("is told whose socket may", async () => {
    for (const [socket, method, path, body] of [
      [auditor, "POST", "/v1/delegations", {}],
      [auditor, "POST", "/v1/delegations/d-aaaaaaaaaaaaaaaa/land", {}],
      [auditor, "POST", "/v1/gate/open", { reason: "let me in" }],
      [alice, "POST", "/v1/gate/open", { reason: "let me in" }],
      [alice, "POST", "/v1/gate/close", { reason: "keep out" }],
      [alice, "POST", "/v1/gate/calibrate", {}],
      [alice, "GET", "/v1/gate", undefined],
    ] as const) {
      const answer = await ask(socket, method, path, body);
      expect([path, ...told(answer)]).toEqual([path, 403, "role-refused"]);
      expect(answer.found.error?.next).toContain("operator");
    }
    expect((await ask(auditor, "GET", "/v1/gate")).found.open).toBe(true);
    // Refused before anything of the request is looked at, and no claim in it helps.
    const claimed = await callSocket(
      alice,
      "POST",
      "/v1/gate/close",
      { reason: "keep out" },
      { "sallyport-lent": "x" },
    );
    expect(claimed.status).toBe(403);
    expect((await ask(host.socket, "POST", "/v1/gate/close", { reason: "the operator may" })).found).toEqual({
      open: false,
    });
    expect((await ask(host.socket, "POST", "/v1/gate/open", { reason: "and open it" })).found).toEqual({ open: true });
  });

  it("of a web page is refused on every socket", async () => {
    for (const socket of [alice, auditor, host.socket]) {
      const answer = await callSocket(socket, "GET", "/v1/status", undefined, { origin: "https://evil.example" });
      expect(answer.status).toBe(400);
    }
  });
});

describe("a list", () => {
  it("is a page, and the next one goes on before it", async () => {
    const ids = async (query: string) => {
      const { found } = await ask(host.socket, "GET", `/v1/delegations${query}`);
      return { ids: (found.delegations as Delegation[]).map((one) => one.id), next: found.next as string | undefined };
    };
    const all = await ids("");
    expect(all.ids.length).toBe(2);
    expect(all.next).toBeUndefined();
    const last = await ids("?limit=1");
    expect(last.ids).toEqual(all.ids.slice(1));
    const first = await ids(`?limit=1&before=${last.next}`);
    expect(first).toEqual({ ids: all.ids.slice(0, 1), next: undefined });
    expect((await ids("?state=landed")).ids).toEqual(all.ids.slice(0, 1));
    for (const query of ["?limit=0", "?limit=100000", "?before=nothing", "?limits=1"])
      expect(told(await ask(host.socket, "GET", `/v1/delegations${query}`))).toEqual([400, "request-invalid"]);
    expect(told(await ask(host.socket, "GET", "/v1/delegations?before=d-aaaaaaaaaaaaaaaa"))).toEqual([
      404,
      "not-found",
    ]);
  });
});

describe("a daemon that cannot have its sockets as they are configured", () => {
  it("does not start, says why, and leaves what is there", async () => {
    await using other = {
      host: await openHost(),
      [Symbol.asyncDispose]: () => other.host.close(),
    };
    const { state, directory, socket } = other.host;
    await other.host.stop();
    const ends = async (sockets: object[]) => {
      writeFileSync(join(state, "config.yaml"), JSON.stringify({ version: 1, planners: { alice: {} }, sockets }));
      const said = await other.host.cli("daemon", "--state", state);
      return [said.code, `${said.stdout}${said.stderr}`] as const;
    };
    const at = (path: string) => [{ path, role: "auditor" }];
    mkdirSync(join(directory, "open"));
    chmodSync(join(directory, "open"), 0o1777);
    expect(await ends(at(join(directory, "open/a.sock")))).toEqual([5, expect.stringContaining("others may write")]);
    expect(await ends(at(join(directory, "none/a.sock")))).toEqual([5, expect.stringContaining("is not there")]);
    mkdirSync(join(directory, "k"), { mode: 0o755 });
    const file = join(directory, "k/file");
    writeFileSync(file, "precious");
    expect(await ends(at(file))).toEqual([5, expect.stringContaining("is no socket")]);
    expect(existsSync(file)).toBe(true);
    const live = createServer((one) => one.destroy());
    await new Promise<void>((resolve) => live.listen(join(directory, "k/live.sock"), resolve));
    try {
      expect(await ends(at(join(directory, "k/live.sock")))).toEqual([6, expect.stringContaining("another program")]);
    } finally {
      live.close();
    }
    const planner = { path: join(directory, "k/p.sock"), role: "planner" };
    expect(await ends([{ ...planner, planner: "carol" }])).toEqual([2, expect.stringContaining("carol")]);
    expect(await ends([planner])).toEqual([2, expect.stringContaining("names its planner")]);
    expect(await ends(at(socket))).toEqual([2, expect.stringContaining("two sockets")]);
    const path = join(directory, "k/a.sock");
    expect(await ends([{ path, role: "auditor", mode: "666" }])).toEqual([2, expect.stringContaining("everybody")]);
    expect(await ends([{ path, role: "operator" }])).toEqual([2, expect.anything()]);
    expect(await ends([{ path, role: "auditor", group: "no-such-group" }])).toEqual([
      2,
      expect.stringContaining("no group"),
    ]);
    // The twin: a file that a killed daemon left is taken away, and the same configuration serves.
    writeFileSync(join(state, "config.yaml"), JSON.stringify({ version: 1, sockets: [{ path, role: "auditor" }] }));
    await other.host.up();
    await other.host.kill();
    expect(existsSync(path)).toBe(true);
    await other.host.up();
    expect((await callSocket(path, "GET", "/v1/status")).status).toBe(200);
    // A second daemon on the same state, and one on another state with the same socket.
    const second = await other.host.cli("daemon", "--state", state);
    expect([second.code, second.stdout + second.stderr]).toEqual([6, expect.stringContaining("another daemon")]);
    const elsewhere = await other.host.cli("daemon", "--state", join(directory, "s2"), "--socket", socket);
    expect([elsewhere.code, elsewhere.stdout + elsewhere.stderr]).toEqual([
      6,
      expect.stringContaining("another program answers"),
    ]);
    expect((await other.host.api("GET", "/v1/status")).status).toBe(200);
  }, 300_000);
});
