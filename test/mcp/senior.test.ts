/**
 * A real coding CLI as the senior harness: claude-code with Sallyport as its MCP server hires pi inside Sallyport, waits,
 * reads and lands. Both models are scripted, behind the providers' real protocols.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { root } from "../e2e/cli.ts";
import { type ModelHost, openModelHost } from "../e2e/harness-model.ts";
import type { Script } from "../model/start-model.ts";

let rig: ModelHost;
beforeAll(async () => {
  rig = await openModelHost({
    images: ["claude-code", "pi"],
    policies: {
      hired: {
        version: 1,
        extends: "coding",
        verifier: { harness: "skeptic-rules" },
        tests: { run: "node --test", report: "exit", evidence: ["test/**"] },
      },
    },
    refs: ["refs/heads/fix/**"],
  });
}, 900_000);
afterAll(() => rig?.close());

/** The stand-in as a Unix socket: the senior harness's container has no network, like everything here. */
function modelSocket(path: string, url: string): Promise<{ close(): void }> {
  const server = createServer((inside) => {
    const outside = connect(Number(new URL(url).port), "127.0.0.1");
    inside.pipe(outside).pipe(inside);
    for (const [one, other] of [
      [inside, outside],
      [outside, inside],
    ] as const)
      one.on("error", () => other.destroy());
  });
  return new Promise((done) => server.listen(path, () => done(server)));
}

interface Ran {
  code: number | null;
  output: string;
}

/** Runs claude-code as a person would on the build server, but in a container: with the house and its socket, as root. */
async function claude(directory: string, prompt: string): Promise<Ran> {
  const socket = join(directory, "model.sock");
  const bridge = await modelSocket(socket, rig.model.url);
  const image =
    execFileSync("docker", ["image", "ls", "-q", "--filter", "label=org.sallyport.image=claude-code"])
      .toString()
      .split("\n")[0] ?? "";
  const name = `senior-${process.pid}-${Date.now()}`;
  const config = {
    mcpServers: { sallyport: { command: join(root, "bin/sallyport"), args: ["mcp", "--socket", rig.host.socket] } },
  };
  writeFileSync(join(directory, "mcp.json"), JSON.stringify(config));
  const inside = [
    `socat TCP-LISTEN:4000,bind=127.0.0.1,fork UNIX-CONNECT:${socket} &`,
    `cd ${directory} && exec claude -p --permission-mode bypassPermissions --mcp-config mcp.json --strict-mcp-config --model claude-sonnet-4-5 "$0"`,
  ].join("\n");
  const environment = {
    ANTHROPIC_BASE_URL: "http://127.0.0.1:4000",
    ANTHROPIC_API_KEY: "placeholder",
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    DISABLE_AUTOUPDATER: "1",
    DISABLE_TELEMETRY: "1",
    // It would not run without asking as root; here the container is the sandbox.
    IS_SANDBOX: "1",
    MCP_TIMEOUT: "60000",
    MCP_TOOL_TIMEOUT: "120000",
    HOME: "/tmp",
  };
  const child = spawn(
    "docker",
    [
      "run",
      "--rm",
      "--init",
      "--name",
      name,
      "--network",
      "none",
      "--user",
      "0:0",
      "--entrypoint",
      "/bin/sh",
      "--volume",
      `${root}:${root}:ro`,
      "--volume",
      `${rig.host.directory}:${rig.host.directory}`,
      ...Object.entries(environment).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
      image,
      "-c",
      inside,
      prompt,
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  const timer = setTimeout(() => execFileSync("docker", ["kill", name], { stdio: "ignore" }), 150_000);
  const code = await new Promise<number | null>((done) => child.once("close", done));
  clearTimeout(timer);
  bridge.close();
  return { code, output: Buffer.concat(chunks).toString("utf8") };
}

it("claude-code hires pi with one tool call, waits, reads the patch, and lands it", async () => {
  const { host, model } = rig;
  const repository = host.repository();
  const directory = join(host.directory, "senior");
  mkdirSync(directory, { recursive: true });
  const brief = {
    title: "Round to the nearest cent",
    intent: "A cent is lost.",
    instructions: "half-a-cent: round in src/money.js, with a test.",
    accept: [
      {
        id: "A1",
        must: "cents() rounds to the nearest cent",
        checks: [{ run: "node check.mjs", files: ["check.mjs"] }],
      },
    ],
    executor: "pi",
    policy: "hired",
  };
  const checkFiles = {
    "check.mjs": 'import { cents } from "/workspace/src/money.js";\nif (cents(1.006) !== 101) process.exit(1);\n',
  };
  const tool = (name: string) => `mcp__sallyport__${name}`;
  const senior: Script = ({ asked }) => {
    const id = /d-[a-z2-7]{16}/.exec(asked.text)?.[0];
    const call = (name: string, args: Record<string, unknown>) => ({ do: [{ call: tool(name), arguments: args }] });
    if (id === undefined) {
      return call("delegate", {
        repository: repository.path,
        onto: "fix/hired",
        brief,
        checkFiles,
        key: "senior-0001",
      });
    }
    if (!/\\?"state\\?":\s*\\?"approved/.test(asked.text)) return call("wait", { id });
    if (!asked.text.includes("Math.round(x * 100)")) return call("diff", { id });
    if (!/\\?"state\\?":\s*\\?"landed/.test(asked.text)) return call("land", { id });
    return { text: "It has landed." };
  };
  model.converse("hire-somebody", senior);
  // The hired one's conversation is known by a word of its instructions; the senior's by one of its prompt.
  model.converse("half-a-cent", [
    { do: [{ edit: "src/money.js", from: "Math.floor", to: "Math.round" }] },
    {
      do: [
        { run: `printf 'test("parts of a cent", () => assert.equal(cents(1.006), 101));\\n' >> test/money.test.js` },
      ],
    },
    { text: "done" },
  ]);
  const { code, output } = await claude(directory, "hire-somebody to round to the nearest cent, and land it.");
  expect([code, output]).toEqual([0, expect.stringContaining("It has landed.")]);
  expect(repository.git("show", "fix/hired:src/money.js")).toContain("Math.round(x * 100)");
  const { delegations } = JSON.parse((await host.api("GET", "/v1/delegations")).body) as {
    delegations: { id: string; state: string; executor: string; idempotency: { key: string } }[];
  };
  expect(delegations).toMatchObject([{ state: "landed", executor: "pi", idempotency: { key: "senior-0001" } }]);
  // What the senior harness was shown of the hired one is short, and none of the planner's checks was told to that one.
  expect(JSON.stringify(model.requestsOf("half-a-cent"))).not.toContain("check.mjs");
}, 200_000);
