/** The daemon's side of the gateway: starts the process, opens and closes lanes, and notices when it is gone. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmod, chown, lstat, mkdir, readdir, rm, rmdir } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { VerbDenial } from "../domain/denial.ts";
import { SallyportError } from "../domain/error.ts";
import type { EventData } from "../domain/event.ts";
import type { Keeper } from "./keeper.ts";
import {
  checkLane,
  type FromGateway,
  isSandboxId,
  type LaneSpec,
  readFromGateway,
  type ToGateway,
} from "./messages.ts";
import type { ReserveAsk, Reserved, SettleReport } from "./model-reserve.ts";
import { findPrivileges, readStatus, startingCapabilities } from "./privileges.ts";
import { type SecretHouse, secretHouse } from "./secret-house.ts";
import { houseDescriptor, keeperDescriptor } from "./secret-service.ts";
import { laneEntries, laneFiles } from "./transparent.ts";

export type { LaneSpec } from "./messages.ts";

export interface GatewayOptions {
  /** The sockets' directory: made and owned by the gateway's uid, one directory below it for each lane. */
  directory: string;
  uid: number;
  gid: number;
  onRequest: (event: EventData<"request">) => void;
  onVerb: (call: { sandbox: string; verb: string; body: unknown }) => Promise<{ status: number; body: unknown }>;
  /** Reserves the worst case of a request to a model; resolves when it is durable. Left out: no model is asked anything. */
  onReserve?: (call: { sandbox: string; ask: ReserveAsk }) => Promise<Reserved>;
  /** Bytes of a reserved request's answer come in; at most one word a second. */
  onProgress?(call: { sandbox: string; reservation: string }): void;
  /** How a reserved request ended; the last of a lane comes before its closing resolves. */
  onSettle?: (call: { sandbox: string; report: SettleReport }) => void;
  /** Called once, with a reason, if the process ends in any way but `stop`. */
  onExit: (reason: string) => void;
  log?: (line: object) => void;
  /** Reads the secrets' sources; left out: no lane can have secrets. */
  keeper?: Keeper;
}

export interface Gateway extends SecretHouse {
  pid: number;
  /**
   * Opens a sandbox's sockets. `directory` holds `host.sock`, the lane's authority in `ca.pem`, and for clients that know
   * no proxy `http.sock` and `https.sock`; it is what the sandbox is given, read-only.
   */
  openLane(lane: LaneSpec): Promise<{ directory: string }>;
  /**
   * Ends the lane's listener and every connection at once; its last events have come when this resolves. Throws
   * `gateway-failed` when the socket was not the one that was opened.
   */
  closeLane(sandbox: string): Promise<void>;
  stop(): Promise<void>;
}

/** Milliseconds for the process to start, and to open or close a lane. */
const startTime = 20_000;
const commandTime = 10_000;

/** Starts the gateway. Throws `gateway-failed` when it cannot serve without privileges, or `control-missing`. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { directory, uid, gid } = options;
  await prepare(directory, uid, gid);
  const child = spawnGateway(options);
  const house = secretHouse(pipeOf(child, houseDescriptor), options.keeper);
  const lanes = new Map<string, { verbs: readonly string[]; entries: readonly string[]; inode: bigint | undefined }>();
  const waiting = new Map<number, (failure: string | undefined) => void>();
  let nextId = 0;
  let stopping = false;
  let gone: string | undefined;
  const started = Promise.withResolvers<void>();

  const end = (reason: string) => {
    if (gone !== undefined) return;
    gone = reason;
    child.kill("SIGKILL");
    house.close();
    started.reject(failed(`the gateway did not start: ${reason}`));
    for (const settle of waiting.values()) settle(reason);
    waiting.clear();
    if (!stopping && serving) options.onExit(reason);
  };
  let serving = false;
  let lastWords = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    lastWords = (lastWords + chunk.toString("latin1")).slice(-4096);
    options.log?.({ from: "gateway", text: chunk.toString("latin1").slice(0, 4096) });
  });
  child.once("error", (error) => end(error.message));
  child.once("exit", (code, signal) => {
    const words = lastWords.trim();
    end(`${signal ? `killed by ${signal}` : `exit code ${code}`}${words ? `: ${words}` : ""}`);
  });
  child.once("disconnect", () => {
    // The exit that mostly comes with it says more.
    if (!stopping) setTimeout(() => end("it closed its channel"), 500).unref();
  });
  child.on("message", (value) => {
    const message = readFromGateway(value);
    if (message) handle(message);
    else end("it sent a message that is not one");
  });

  const send = (message: ToGateway) => {
    if (gone === undefined && child.connected) child.send(message, (error) => error && end(error.message));
  };
  const command = async (message: (id: number) => ToGateway): Promise<void> => {
    if (gone !== undefined) throw failed(`the gateway is gone: ${gone}`);
    const id = nextId++;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    waiting.set(id, resolve);
    const timer = setTimeout(() => end("it did not answer in time"), commandTime);
    send(message(id));
    const failure = await promise.finally(() => clearTimeout(timer));
    if (failure !== undefined) throw failed(failure);
  };

  function handle(message: FromGateway): void {
    if (message.type === "ready") started.resolve();
    else if (message.type === "refused") end(message.why);
    else if (message.type === "done") {
      waiting.get(message.id)?.(message.failure);
      waiting.delete(message.id);
    } else if (message.type === "events") {
      for (const event of message.events) {
        if (gone !== undefined) return;
        if (lanes.has(event.sandbox)) options.onRequest(event);
        else end("it reported on a sandbox without a lane");
      }
    } else if (message.type === "progress") {
      if (lanes.has(message.sandbox)) options.onProgress?.(message);
      else end("it told of a sandbox without a lane");
    } else if (message.type === "reserve" || message.type === "settle") {
      if (!lanes.has(message.sandbox)) end("it spent for a sandbox without a lane");
      else if (message.type === "reserve") void answerReserve(message);
      else options.onSettle?.(message);
    } else if (lanes.get(message.sandbox)?.verbs.includes(message.verb)) {
      void answerVerb(message);
    } else end("it passed on a verb that the lane has not");
  }

  async function answerVerb({ id, sandbox, verb, body }: FromGateway & { type: "verb" }): Promise<void> {
    try {
      const { status, body: said } = await options.onVerb({ sandbox, verb, body });
      if (!Number.isInteger(status) || status < 200 || status > 599) throw new Error(`the status ${status} is not one`);
      send({ type: "answer", id, status, body: said });
    } catch (error) {
      options.log?.({ from: "gateway", verb, sandbox, error: String(error) });
      send({
        type: "answer",
        id,
        status: 500,
        body: { code: "internal" satisfies VerbDenial, rule: "verbs", why: "the host failed", next: "Send it again." },
      });
    }
  }

  async function answerReserve({ id, sandbox, ask }: FromGateway & { type: "reserve" }): Promise<void> {
    let word: Reserved | undefined;
    try {
      word = await options.onReserve?.({ sandbox, ask });
    } catch (error) {
      options.log?.({ from: "gateway", reserve: ask.route, sandbox, error: String(error) });
    }
    // What could not be reserved does not go out (invariant 8).
    const why = "the host could not reserve what this request may cost";
    send({
      type: "reserved",
      id,
      word: word ?? {
        ok: false,
        status: 503,
        code: "budget-unavailable",
        rule: "budget",
        why,
        next: "Try again later.",
      },
    });
  }

  const timer = setTimeout(() => end("it did not start in time"), startTime);
  try {
    await started.promise;
    // What the kernel says about it, not what it says about itself.
    const faults = child.pid === undefined ? ["it has no pid"] : findPrivileges(readStatus(child.pid), uid, gid);
    if (faults.length > 0) {
      end(faults.join("; "));
      throw new SallyportError("control-missing", `the gateway keeps privileges: ${faults.join("; ")}`, {
        next: "Start the daemon as root, without a wrapper that adds capabilities.",
      });
    }
    const keeperEnd = pipeOf(child, keeperDescriptor);
    // Nothing is asked on it before the first secret is held, so nothing of it was read here.
    if (options.keeper) await options.keeper.link(keeperEnd);
    else keeperEnd.destroy();
    serving = true;
  } catch (error) {
    end(String(error));
    throw error;
  } finally {
    clearTimeout(timer);
  }

  return {
    pid: child.pid ?? 0,
    holdSecrets: house.holdSecrets,
    releaseSecrets: house.releaseSecrets,
    mask: house.mask,
    contains: house.contains,
    async openLane(lane) {
      const fault = checkLane(lane);
      if (fault) throw failed(fault);
      if (lanes.has(lane.sandbox)) throw failed("the sandbox has a lane already");
      const entries = laneEntries(lane.network);
      const state = { verbs: [...lane.verbs], entries, inode: undefined as bigint | undefined };
      lanes.set(lane.sandbox, state);
      try {
        await command((id) => ({ type: "open", id, lane }));
        state.inode = await socketInode(join(directory, lane.sandbox), uid, entries);
      } catch (error) {
        lanes.delete(lane.sandbox);
        throw error;
      }
      return { directory: join(directory, lane.sandbox) };
    },
    async closeLane(sandbox) {
      const state = lanes.get(sandbox);
      if (!state) return;
      const inode = await socketInode(join(directory, sandbox), uid, state.entries).catch(() => undefined);
      try {
        if (gone === undefined) await command((id) => ({ type: "close", id, sandbox }));
      } finally {
        lanes.delete(sandbox);
        await sweep(directory, sandbox);
      }
      if (gone === undefined && inode !== state.inode) {
        throw failed(`the socket of ${sandbox} is not the one that was opened`);
      }
    },
    async stop() {
      stopping = true;
      const over = child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
      const exited = over ? undefined : new Promise((resolve) => child.once("exit", resolve));
      if (child.connected) child.disconnect();
      const late = setTimeout(() => child.kill("SIGKILL"), 1000);
      await exited;
      clearTimeout(late);
      for (const sandbox of lanes.keys()) await sweep(directory, sandbox);
      lanes.clear();
    },
  };
}

/** What of the daemon's environment the gateway needs: whom the host trusts, and how it reaches others. */
const passed = [
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "TZ",
  ...["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].flatMap((name) => [name, name.toLowerCase()]),
];

function spawnGateway({ directory, uid, gid }: GatewayOptions): ChildProcess {
  const main = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "main.ts" : "main.js", import.meta.url));
  const environment: Record<string, string> = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", UV_THREADPOOL_SIZE: "16" };
  for (const name of passed) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return spawn(
    "setpriv",
    [
      `--bounding-set=-all,${startingCapabilities}`,
      "--inh-caps=-all",
      "--no-new-privs",
      // Covers the time until it changes its uid, which clears it; from then on the closed channel ends it.
      "--pdeathsig=SIGKILL",
      "--",
      "prlimit",
      "--core=0",
      "--",
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      "--max-old-space-size=256",
      // Requests leave little that lives: a small nursery that one thread collects in half a millisecond, instead of one of
      // 48 MiB that several threads collect in five, with every connection waiting.
      "--max-semi-space-size=8",
      "--no-parallel-scavenge",
      "--use-system-ca",
      main,
      String(uid),
      String(gid),
    ],
    {
      cwd: directory,
      env: environment,
      stdio: ["ignore", "ignore", "pipe", "ipc", "pipe", "pipe"],
      serialization: "json",
    },
  );
}

/** The daemon's end of one of the pipes, which Node types only up to the fifth. */
function pipeOf(child: ChildProcess, descriptor: number): Socket {
  return (child.stdio as readonly unknown[])[descriptor] as Socket;
}

const failed = (why: string) =>
  new SallyportError("gateway-failed", why, {
    next: "Look at the daemon's log; sandboxes have no way out until it serves again.",
  });

/** Makes the sockets' directory, and removes what an earlier process left in it. */
async function prepare(directory: string, uid: number, gid: number): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const found = await lstat(directory);
  if (!found.isDirectory()) throw failed(`${directory} is not a directory`);
  for (const name of await readdir(directory)) if (isSandboxId(name)) await sweep(directory, name);
  await chown(directory, uid, gid);
  await chmod(directory, 0o755);
}

/** Removes a lane's directory if it is still there. Never recursive: the gateway's uid can write there. */
async function sweep(directory: string, sandbox: string): Promise<void> {
  const lane = join(directory, sandbox);
  for (const name of Object.values(laneFiles)) await rm(join(lane, name), { force: true }).catch(() => undefined);
  await rmdir(lane).catch(() => undefined);
}

/** The inode of a lane's socket, after checking that the directory is the gateway's and holds what was asked for alone. */
async function socketInode(lane: string, uid: number, entries: readonly string[]): Promise<bigint> {
  const look = (name: string) => lstat(join(lane, name), { bigint: true });
  const [around, names, ...found] = await Promise.all([
    lstat(lane, { bigint: true }),
    readdir(lane),
    ...entries.map(look),
  ]);
  const owner = BigInt(uid);
  const sound =
    around.isDirectory() &&
    around.uid === owner &&
    (around.mode & 0o7777n) === 0o755n &&
    names.sort().join() === entries.join() &&
    found.every((one, index) => {
      const socket = entries[index]?.endsWith(".sock") === true;
      return (
        one.uid === owner &&
        (socket ? one.isSocket() : one.isFile() && one.nlink === 1n) &&
        (one.mode & 0o7777n) === (socket ? 0o666n : 0o644n)
      );
    });
  if (!sound) throw failed(`${lane} does not hold exactly the gateway's sockets and files`);
  return found[entries.indexOf(laneFiles.proxy)]?.ino ?? 0n;
}
