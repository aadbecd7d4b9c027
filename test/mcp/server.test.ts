/** The MCP server as a senior harness meets it: the official client, its process over stdio, a real daemon behind it. */
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { program } from "../e2e/cli.ts";
import { openHost, type TestHost } from "../e2e/daemon.ts";

let host: TestHost;
let client: Client;

async function connect(socket: string): Promise<Client> {
  const made = new Client({ name: "test", version: "1" });
  await made.connect(new StdioClientTransport({ command: program, args: ["mcp", "--socket", socket], stderr: "pipe" }));
  return made;
}

beforeAll(async () => {
  const sandbox = { cpus: 1, memory: "512MiB", pids: 128, disk: "128MiB" };
  host = await openHost({
    policies: { library: { version: 1, extends: "node-library", sandbox, budget: { wall: "60s", attempts: 2 } } },
    refs: ["refs/heads/main", "refs/heads/fix/**"],
  });
  client = await connect(host.socket);
}, 600_000);
afterAll(async () => {
  await client?.close();
  await host?.close();
});

type Found = Record<string, unknown>;
interface Called {
  found: Found;
  text: string;
  failed: boolean;
  progress: string[];
}

async function call(name: string, args: Found, through: Client = client): Promise<Called> {
  const progress: string[] = [];
  const onprogress = (note: { message?: string | undefined }) => void progress.push(note.message ?? "");
  const result = await through.callTool({ name, arguments: args }, { onprogress, timeout: 60_000 });
  const text = (result.content as { text: string }[])[0]?.text ?? "";
  const failed = result.isError === true;
  const found = failed && !text.startsWith("{") ? { error: { message: text } } : (JSON.parse(text) as Found);
  if (!failed) expect(result.structuredContent).toEqual(found);
  return { found, text, failed, progress };
}

async function rest(id: unknown): Promise<Called> {
  for (let turn = 0; turn < 20; turn++) {
    const waited = await call("wait", { id, seconds: 10 });
    if (waited.found.rests === true) return waited;
  }
  throw new Error(`${id} did not come to rest`);
}

const fix = `
sed -i s/Math.floor/Math.round/ src/money.js
cat >> test/money.test.js <<'END'
test("parts of a cent", () => assert.equal(cents(1.006), 101));
END`;
const brief = (more: Found = {}): Found => ({
  title: "Round to the nearest cent",
  intent: "A cent is lost.",
  instructions: fix,
  accept: [
    { id: "A1", must: "cents() rounds to the nearest cent", checks: [{ run: "node check.mjs", files: ["check.mjs"] }] },
  ],
  executor: "scripted",
  policy: "library",
  ...more,
});
const checkFiles = {
  "check.mjs": 'import { cents } from "/workspace/src/money.js";\nif (cents(1.006) !== 101) process.exit(1);\n',
};

describe("a senior harness", () => {
  it("finds the verbs with what a planner must know to write a brief", async () => {
    const { tools } = await client.listTools();
    const names = ["delegate", "diff", "discard", "executors", "land", "plan", "policies", "show", "wait"];
    expect(tools.map(({ name }) => name).sort()).toEqual(names);
    expect(client.getInstructions()).toContain("default answer is rejected");
    const delegate = tools.find(({ name }) => name === "delegate");
    expect(delegate?.description).toContain("The executor never sees checks");
    expect(JSON.stringify(delegate?.inputSchema)).toContain("Only the executor sees it");
    expect(
      tools
        .filter((tool) => tool.annotations?.readOnlyHint)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(["diff", "executors", "policies", "show", "wait"]);
  });

  it("delegates, waits, reads the patch and lands", async () => {
    const repository = host.repository();
    const { found: known } = await call("policies", {});
    expect(known.policies).toContainEqual(expect.objectContaining({ name: "library", budget: expect.anything() }));
    const args = { repository: repository.path, onto: "fix/mcp", brief: brief(), checkFiles };
    const { found } = await call("delegate", args);
    expect(found.id).toMatch(/^d-/);
    const waited = await rest(found.id);
    expect(waited.found).toMatchObject({ state: "approved", rests: true });
    expect(waited.text.length).toBeLessThan(4000);
    const { found: diff } = await call("diff", { id: found.id });
    expect(diff.patch).toContain("+  return Math.round(x * 100);");
    const first = (await call("diff", { id: found.id, characters: 100 })).found;
    const second = (await call("diff", { id: found.id, offset: first.nextOffset, characters: 100_000 })).found;
    expect(`${first.patch}${second.patch}`).toBe(diff.patch);
    expect(second.nextOffset).toBeUndefined();
    const { found: landed } = await call("land", { id: found.id });
    expect(repository.git("rev-parse", "fix/mcp")).toBe(landed.commit);
    expect((await call("show", { id: found.id })).found).toMatchObject({ state: "landed", next: "Done." });
    const { found: records } = await call("executors", {});
    expect(JSON.stringify(records)).toContain("scripted");
  });

  it("hears of progress while it waits, and is answered in time while nothing rests", async () => {
    const repository = host.repository();
    const { found } = await call("delegate", {
      repository: repository.path,
      onto: "fix/slow",
      brief: brief({ instructions: `sleep 3\n${fix}` }),
      checkFiles,
    });
    const begun = Date.now();
    const waited = await call("wait", { id: found.id, seconds: 1 });
    expect(Date.now() - begun).toBeLessThan(10_000);
    expect(waited.found).toMatchObject({ rests: false, next: expect.stringContaining("Call wait") });
    expect(waited.progress.length).toBeGreaterThan(0);
    expect((await rest(found.id)).found.state).toBe("approved");
    expect((await call("discard", { id: found.id })).found.state).toBe("discarded");
  });

  it("is told why a proposal was rejected, in few words", async () => {
    const repository = host.repository();
    const wrong = "sed -i s/Math.floor/Math.ceil/ src/money.js";
    const { found } = await call("delegate", {
      repository: repository.path,
      brief: brief({ instructions: wrong, budget: { attempts: 1 } }),
      checkFiles: {
        "check.mjs": 'import { cents } from "/workspace/src/money.js";\nif (cents(1.001) !== 100) process.exit(1);\n',
      },
    });
    const { found: end } = await rest(found.id);
    expect(end).toMatchObject({
      state: "rejected",
      attempts: [{ outcome: "rejected by the host", findings: [{ reason: "check-failed", criterion: "A1" }] }],
    });
    expect(JSON.stringify(end)).not.toContain("check.mjs");
  });

  it("gets one delegation for one key, also asked twice at once, from another process, and after a restart", async () => {
    const repository = host.repository();
    const args = { repository: repository.path, onto: "fix/key", brief: brief(), checkFiles, key: "turn-0001" };
    const [one, two] = await Promise.all([call("delegate", args), call("delegate", args)]);
    expect(two.found.id).toBe(one.found.id);
    await using other = { client: await connect(host.socket), [Symbol.asyncDispose]: () => other.client.close() };
    expect((await call("delegate", args, other.client)).found.id).toBe(one.found.id);
    const changed = { ...args, brief: brief({ title: "Another title" }) };
    expect((await call("delegate", changed)).found).toMatchObject({ error: { code: "key-reused" } });
    expect((await call("delegate", { ...args, key: "turn-0002" })).found.id).not.toBe(one.found.id);
    await rest(one.found.id);
    await host.stop();
    await host.up();
    expect((await call("delegate", args)).found.id).toBe(one.found.id);
  });

  it("runs a plan, and gets the same one for its key", async () => {
    const repository = host.repository();
    const second = brief({
      title: "Say what it is",
      instructions: "mkdir -p src; echo '// money' > src/about.js",
      accept: [{ id: "A1", must: "src/about.js is there", checks: [{ run: "test -f /workspace/src/about.js" }] }],
    });
    const plan = {
      title: "Round and say",
      intent: "A cent is lost.",
      briefs: [
        { ...brief(), id: "B1", writable: ["src/money.js", "test/**"] },
        { ...second, id: "B2", writable: ["src/about.js"] },
      ],
    };
    const args = { repository: repository.path, onto: "fix/plan", plan, checkFiles, key: "plan-0001" };
    const { found } = await call("plan", args);
    expect(found.id).toMatch(/^p-/);
    expect((await call("plan", args)).found.id).toBe(found.id);
    const { found: end, text } = await rest(found.id);
    expect(end.state, text).toBe("approved");
    expect((await call("land", { id: found.id })).found).toMatchObject({ state: "landed" });
  }, 120_000);
});

describe("what a model gets wrong", () => {
  it("is an error with a code and the next step, and the server lives on", async () => {
    const repository = host.repository();
    const place = { repository: repository.path };
    const unknown = await call("show", { id: "d-aaaaaaaaaaaaaaaa" });
    expect(unknown).toMatchObject({ failed: true, found: { error: { code: "not-found" } } });
    for (const [args, code] of [
      [{ ...place, brief: brief({ policy: "nonsense" }), checkFiles }, "not-found"],
      [{ ...place, brief: brief({ executor: "nobody" }), checkFiles }, "not-found"],
      [{ ...place, brief: brief() }, "brief-invalid"],
      [{ ...place, brief: brief(), checkFiles, onto: "release" }, "ref-refused"],
      [{ repository: "/etc", brief: brief(), checkFiles }, "repository-refused"],
    ] as const) {
      const { failed, found } = await call("delegate", args);
      expect([code, failed, (found.error as { code: string }).code]).toEqual([code, true, code]);
      expect((found.error as { next: string }).next).not.toBe("");
    }
    const extra = await call("delegate", { ...place, brief: brief({ policy: "library", network: ["*"] }), checkFiles });
    expect(extra.failed).toBe(true);
    expect((await call("show", { id: "../../status" })).failed).toBe(true);
    const early = await call("land", { id: "d-aaaaaaaaaaaaaaaa" });
    expect(early.found).toMatchObject({ error: { code: "not-found" } });
    expect((await call("policies", {})).failed).toBe(false);
  });

  it("without a daemon every tool says how to start one", async () => {
    await using alone = {
      client: await connect("/nonexistent/host.sock"),
      [Symbol.asyncDispose]: () => alone.client.close(),
    };
    expect((await call("policies", {}, alone.client)).found).toMatchObject({ error: { code: "host-unreachable" } });
  });
});
