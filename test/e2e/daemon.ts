/** A real daemon as a child process, on a state directory of its own, with everything that a test asks of it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Delegation, restingStates } from "../../src/domain/delegation.ts";
import type { Entry } from "../../src/domain/event.ts";
import { program, type Running, root, run, type Said, start } from "./cli.ts";
import { leftovers, processesOf, until } from "./leftovers.ts";
import { makeRepository, type TestRepository } from "./repository.ts";

/** A policy without tests whose verifier is the scripted one: the quickest whole turn. */
const quick = {
  version: 1,
  extends: "base",
  sandbox: { cpus: 1, memory: "512MiB", pids: 128, disk: "128MiB" },
  filesystem: { writable: ["src/**", "test/**"] },
  budget: { wall: "60s", requests: 20, attempts: 2, patch: "64KiB", output: "1MiB" },
  verifier: { harness: "verifier-script" },
};

export interface TestHost {
  /** Holds everything: state, repositories, briefs. Short, for the socket's sake. */
  directory: string;
  state: string;
  socket: string;
  /** The daemon's process id. */
  readonly pid: number;
  log(): string;
  repository(
    name?: string,
    files?: Readonly<Record<string, string | Buffer>>,
    options?: { bare?: boolean },
  ): TestRepository;
  /** Writes a brief's file; gives its path. */
  brief(fields?: Record<string, unknown>): string;
  cli(...args: string[]): Promise<Said>;
  /** `cli` without waiting for its end. */
  begin(...args: string[]): Running;
  /** Delegates through the API; throws where it is refused. */
  send(repository: { path: string }, fields?: Record<string, unknown>, more?: Record<string, unknown>): Promise<string>;
  /** Waits until it rests. */
  rest(id: string, seconds?: number): Promise<Delegation>;
  /** `send`, then `rest`. */
  turn(
    repository: { path: string },
    fields?: Record<string, unknown>,
    more?: Record<string, unknown>,
  ): Promise<Delegation>;
  show(id: string): Promise<Delegation>;
  /** Waits until the ledger holds an event of that type of a delegation. */
  seen(id: string, type: Entry["type"], seconds?: number): Promise<Entry>;
  api(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: string }>;
  /** The ledger's entries as they are on disk now. */
  entries(delegation?: string): Entry[];
  up(env?: NodeJS.ProcessEnv): Promise<void>;
  /** SIGTERM, and its exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL to the daemon alone. */
  kill(): Promise<void>;
  /** The processes beside the daemon. */
  guard(): number;
  gateway(): number;
  /** Stops it, throws where anything is left or the ledger does not verify, and removes the directory. */
  close(): Promise<void>;
}

/** The options of a daemon in tests. */
export interface HostOptions {
  lanes?: number;
  queue?: number;
  /** Policies by name, beside `quick` and the shipped ones. */
  policies?: Record<string, object>;
  env?: NodeJS.ProcessEnv;
  refs?: string[];
  /** Images to build beside the scripted ones. */
  images?: readonly string[];
  /** A directory with more harness folders; all of them are built. */
  harnesses?: string;
  /** How the gate is calibrated; left out: not at all. */
  calibration?: { rate?: number; window?: number; canaries?: string[] };
  /** More keys of the configuration. */
  config?: Record<string, unknown> | ((directory: string) => object);
  /** The program to run; left out: the checkout's. */
  program?: string;
  /** What `run` may start and name; left out: nothing. */
  missions?: { harnesses?: string[]; executors?: string[]; policies?: string[] };
  /** More planners, by name; `repositories` are named by `directory`. */
  planners?: (directory: string) => Record<string, object>;
  /** Where heads of the ledger are handed to, by its directory; left out: nowhere. */
  anchors?: (directory: string) => object[];
}

/** What almost every test starts. */
const scriptedImages = ["scripted", "skeptic-rules", "verifier-script"];

// Whoever edits images/ meanwhile does not change what a running test file looks up.
function imagesOf(directory: string, harnesses: string | undefined): string {
  const images = join(directory, "images");
  for (const from of [join(root, "images"), join(root, "test/e2e/images"), ...(harnesses ? [harnesses] : [])]) {
    cpSync(from, images, { recursive: true, filter: (path) => !path.slice(from.length).includes("node_modules") });
  }
  return images;
}

/** Makes the directory, the configuration and the images, and starts the daemon. */
export async function openHost(options: HostOptions = {}): Promise<TestHost> {
  const directory = mkdtempSync(join(tmpdir(), "sp-"));
  const host = hostIn(directory, options);
  try {
    const names = [
      ...scriptedImages,
      ...(options.images ?? []),
      ...(options.harnesses ? readdirSync(options.harnesses) : []),
    ];
    // One build at a time on this machine: each image stands on the base that is found by its inputs. What is built is
    // shown: the first time takes minutes.
    execFileSync("flock", ["/tmp/sallyport-test-images.lock", program, "image", "build", ...names], {
      env: { ...process.env, SALLYPORT_IMAGES: join(directory, "images") },
      timeout: 900_000,
      stdio: ["ignore", "ignore", "inherit"],
    });
    await host.up();
    return host;
  } catch (error) {
    // One that came up too late is not left running.
    await host.stop().catch(() => {});
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

function hostIn(directory: string, options: HostOptions): TestHost {
  execFileSync("chmod", ["755", directory]);
  const state = join(directory, "s");
  const socket = join(state, "host.sock");
  const logFile = join(directory, "daemon.txt");
  const images = imagesOf(directory, options.harnesses);
  for (const made of [state, join(state, "policies"), join(directory, "r"), join(directory, "b")])
    mkdirSync(made, { recursive: true, mode: 0o755 });
  execFileSync("chmod", ["700", state]);
  const config = {
    version: 1,
    lanes: options.lanes ?? 2,
    queue: options.queue ?? 100,
    // A test that counts sandboxes draws no canary by chance.
    calibration: { rate: 0, ...options.calibration },
    ...(options.anchors ? { anchors: options.anchors(directory) } : {}),
    planners: {
      default: {
        repositories: [`${directory}/r/**`],
        refs: options.refs ?? ["refs/heads/**"],
        ...(options.missions ? { missions: options.missions } : {}),
      },
      ...options.planners?.(directory),
    },
    ...(typeof options.config === "function" ? options.config(directory) : options.config),
  };
  writeFileSync(join(state, "config.yaml"), JSON.stringify(config));
  for (const [name, policy] of Object.entries({ quick, ...options.policies })) {
    writeFileSync(join(state, "policies", `${name}.yaml`), JSON.stringify(policy));
  }
  const environment = { SALLYPORT_IMAGES: images, SALLYPORT_STATE: state, ...options.env };
  let child: ChildProcess | undefined;
  let briefs = 0;
  const exited = async (one: ChildProcess): Promise<number | null> => {
    await until("the daemon's end", () => one.exitCode !== null || one.signalCode !== null, 120);
    return one.exitCode;
  };
  const one = (what: string, pattern: string): number => {
    const found = processesOf(state).filter(({ command }) => command.includes(pattern));
    if (found.length !== 1) throw new Error(`expected one ${what}, found ${JSON.stringify(found)}`);
    return found[0]?.pid ?? 0;
  };

  const host: TestHost = {
    directory,
    state,
    socket,
    get pid() {
      if (child?.pid === undefined) throw new Error("the daemon is not up");
      return child.pid;
    },
    log: () => readFileSync(logFile, "utf8"),
    repository: (name = `r${++briefs}`, files, kind) => makeRepository(join(directory, "r", name), files, kind),
    brief(fields = {}) {
      const file = join(directory, "b", `${++briefs}.yaml`);
      writeFileSync(file, JSON.stringify({ ...defaultBrief, ...fields }, null, 1));
      return file;
    },
    cli: (...args) => run([...args, "--json"], { env: environment, seconds: 150 }),
    begin: (...args) => start([...args, "--json"], { env: environment, seconds: 150 }),
    async send(repository, fields, more) {
      const brief = { ...defaultBrief, ...fields };
      const { status, body } = await host.api("POST", "/v1/delegations", {
        repository: repository.path,
        brief,
        ...more,
      });
      if (status !== 201) throw new Error(`refused: ${status} ${body}`);
      return (JSON.parse(body) as { id: string }).id;
    },
    rest: (id, seconds = 90) =>
      until(
        `${id} at rest`,
        async () => {
          const { status, body } = await host.api("GET", `/v1/delegations/${id}/wait?seconds=5`);
          if (status !== 200) throw new Error(`${status} ${body}`);
          const record = JSON.parse(body) as Delegation;
          return restingStates.has(record.state) ? record : undefined;
        },
        seconds,
      ),
    turn: async (repository, fields, more) => host.rest(await host.send(repository, fields, more)),
    async show(id) {
      const { status, body } = await host.api("GET", `/v1/delegations/${id}`);
      if (status !== 200) throw new Error(`${status} ${body}`);
      return JSON.parse(body) as Delegation;
    },
    seen: (id, type, seconds = 60) =>
      until(`${type} of ${id}`, () => host.entries(id).find((entry) => entry.type === type), seconds),
    api: (method, path, body, headers) => callSocket(socket, method, path, body, headers),
    entries(delegation) {
      const folder = join(state, "ledger");
      const text = readdirSync(folder)
        .filter((name) => name.endsWith(".jsonl"))
        .sort()
        .map((name) => readFileSync(join(folder, name), "utf8"))
        .join("");
      // The last line may be on its way.
      const lines = text
        .slice(0, text.lastIndexOf("\n") + 1)
        .split("\n")
        .filter(Boolean);
      const all = lines.map((line) => JSON.parse(line) as Entry);
      return delegation ? all.filter((entry) => entry.delegation === delegation) : all;
    },
    async up(env = {}) {
      const log = openSync(logFile, "a");
      child = spawn(options.program ?? program, ["daemon", "--state", state], {
        env: { ...process.env, ...environment, ...env },
        stdio: ["ignore", log, log],
      });
      closeSync(log);
      const started = child;
      await until(
        "the daemon's start",
        async () => {
          if (started.exitCode !== null)
            throw new Error(`the daemon ended with ${started.exitCode}:\n${host.log().slice(-4000)}`);
          const { status, body } = await callSocket(socket, "GET", "/v1/status").catch(() => ({ status: 0, body: "" }));
          return status === 200 && (JSON.parse(body) as { pid: number }).pid === started.pid;
        },
        120,
      );
    },
    async stop() {
      const running = child;
      child = undefined;
      if (!running) return null;
      running.kill("SIGTERM");
      return exited(running);
    },
    async kill() {
      const running = child;
      child = undefined;
      running?.kill("SIGKILL");
      if (running) await exited(running);
    },
    guard: () => one("guard", "/guard."),
    gateway: () => one("gateway", "/gateway/main."),
    async close() {
      const problems: string[] = [];
      const code = await host.stop().catch((error: unknown) => String(error));
      if (code !== null && code !== 0) problems.push(`the daemon ended with ${code}:\n${host.log().slice(-3000)}`);
      const left = await until("nothing left", () => leftovers(directory).length === 0, 8).then(
        () => [],
        () => leftovers(directory),
      );
      problems.push(...left);
      const verified = await host.cli("audit", "verify");
      if (verified.code !== 0) problems.push(`the ledger does not verify: ${verified.stdout}${verified.stderr}`);
      if (left.length === 0) rmSync(directory, { recursive: true, force: true });
      if (problems.length > 0) throw new Error(problems.join("\n"));
    },
  };
  return host;
}

/** A brief that the scripted executor and the scripted verifier turn into an approval. */
export const defaultBrief = {
  title: "Round half up",
  intent: "verdict approve",
  instructions: "sed -i s/Math.floor/Math.round/ src/money.js",
  accept: [{ id: "A1", must: "cents() rounds to the nearest cent" }],
  executor: "scripted",
  policy: "quick",
};

/** One request over a Unix socket. */
export function callSocket(
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const payload = body === undefined ? undefined : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const type = payload ? { "content-type": "application/json", "content-length": String(payload.length) } : {};
    const sent = request(
      { socketPath, method, path, headers: { host: "sallyport", ...type, ...headers }, timeout: 60_000 },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("end", () =>
          resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
        );
        answer.on("error", reject);
      },
    );
    sent.on("error", reject);
    sent.end(payload);
  });
}
