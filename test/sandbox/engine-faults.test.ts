/**
 * An engine that answers 500, drops its connection or does not answer (ATTACKS C3): a relay before the real engine's
 * socket injects the fault. Whatever happens, the call ends in time with `engine-failed`, and no container is left.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { dockerEngine } from "../../src/sandbox/docker-engine.ts";
import { type Bench, openBench } from "./engine.ts";

/** `lost`: the engine does what it is asked, and its answer does not arrive. */
type Fault = "500" | "drop" | "silent" | "lost";
const real = "/var/run/docker.sock";
const directory = mkdtempSync(join(tmpdir(), "engine-faults-"));
const socketPath = join(directory, "engine.sock");

let bench: Bench;
let relay: Server;
const sockets = new Set<Socket>();
/** Which calls meet a fault, how often still. */
let fault: { at: RegExp; is: Fault; times: number } | undefined;
let met = 0;

function strike(call: string): typeof fault {
  if (!fault || fault.times === 0 || !fault.at.test(call)) return undefined;
  fault.times -= 1;
  met += 1;
  return fault;
}

function serve(incoming: IncomingMessage, answer: ServerResponse): void {
  const call = `${incoming.method} ${incoming.url}`;
  const struck = strike(call);
  if (struck && struck.is !== "lost") {
    if (struck.is === "drop") incoming.socket.destroy();
    else if (struck.is === "500")
      answer.writeHead(500, { "content-type": "application/json" }).end('{"message":"planted"}');
    return;
  }
  const upstream = request({
    socketPath: real,
    method: incoming.method,
    path: incoming.url,
    headers: incoming.headers,
  });
  upstream.on("response", (response) => {
    if (struck) return response.resume().once("end", () => incoming.socket.destroy());
    answer.writeHead(response.statusCode ?? 502, response.headers);
    answer.flushHeaders();
    response.pipe(answer);
  });
  upstream.on("error", () => incoming.socket.destroy());
  answer.once("close", () => upstream.destroy());
  incoming.pipe(upstream);
}

beforeAll(async () => {
  bench = await openBench();
  relay = createServer(serve);
  relay.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).once("close", () => sockets.delete(socket));
  });
  // `attach` takes the connection over: it is passed on byte for byte.
  relay.on("upgrade", (incoming, socket, head) => {
    const struck = strike(`${incoming.method} ${incoming.url}`);
    if (struck?.is === "silent") return;
    if (struck) return void socket.destroy();
    const upstream = connect(real, () => {
      const headers = incoming.rawHeaders.reduce((all, v, i) => (i % 2 ? `${all}${v}\r\n` : `${all}${v}: `), "");
      upstream.write(`${incoming.method} ${incoming.url} HTTP/1.1\r\n${headers}\r\n`);
      upstream.write(head);
      upstream.pipe(socket).on("error", () => upstream.destroy());
      socket.pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(socketPath, resolve));
}, 600_000);
afterEach(() => {
  fault = undefined;
  met = 0;
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  relay?.close();
  await bench?.close();
  rmSync(directory, { recursive: true, force: true });
});

const engine = (limit?: number) => dockerEngine(new Docker({ socketPath }), limit);
/** The real engine's word. */
const left = () =>
  execFileSync("docker", ["ps", "-aq", "--filter", `label=org.sallyport.host=${bench.host}`])
    .toString()
    .trim();

describe("an engine at fault", () => {
  it("through the relay, without a fault, a sandbox runs", async () => {
    const sandbox = await engine().start(bench.spec(["sh", "-c", "echo fine; exit 3"]));
    const result = await sandbox.done;
    expect([result.end, result.exit, result.output.head.toString()]).toEqual(["exit", 3, "fine\n"]);
    expect(left()).toBe("");
  });

  const calls: [string, RegExp][] = [
    ["create", /^POST .*\/containers\/create/],
    ["inspect", /^GET .*\/containers\/.*\/json/],
    ["attach", /^POST .*\/attach/],
    ["start", /^POST .*\/start/],
  ];
  for (const [name, at] of calls) {
    // An attached stream has no answer to lose.
    for (const is of ["500", "drop", "silent", ...(name === "attach" ? [] : ["lost" as const])] as const) {
      it(`${name}: ${is} → engine-failed in time, and nothing is left`, async () => {
        fault = { at, is, times: 1 };
        const began = performance.now();
        await expect(engine(1_000).start(bench.spec(["sleep", "20"]))).rejects.toMatchObject({ code: "engine-failed" });
        expect(met).toBe(1);
        expect(performance.now() - began).toBeLessThan(20_000);
        expect(left()).toBe("");
      }, 30_000);
    }
  }

  for (const is of ["500", "drop"] as const) {
    it(`wait: ${is} → the sandbox ends as failed, and nothing is left`, async () => {
      fault = { at: /^POST .*\/wait/, is, times: 1 };
      const sandbox = await engine(1_000).start(bench.spec(["sleep", "20"]));
      expect((await sandbox.done).end).toBe("failed");
      expect(met).toBe(1);
      expect(left()).toBe("");
    }, 30_000);
  }

  it("wait that never answers: the wall time ends the sandbox all the same", async () => {
    fault = { at: /^POST .*\/wait/, is: "silent", times: 1 };
    const sandbox = await engine(1_000).start(bench.spec(["sleep", "60"], { wall: 1_000 }));
    expect((await sandbox.done).end).toBe("timeout");
    expect(left()).toBe("");
  }, 30_000);

  it("a removal that fails a few times is tried again", async () => {
    fault = { at: /^DELETE /, is: "500", times: 3 };
    const sandbox = await engine(1_000).start(bench.spec(["true"]));
    expect((await sandbox.done).end).toBe("exit");
    expect(met).toBe(3);
    expect(left()).toBe("");
  }, 30_000);
});
