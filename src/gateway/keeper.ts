/**
 * The daemon's side of the keeper, the small process that reads secrets where root is needed. The daemon says which
 * references may be read and hands each gateway's link over; no value comes its way.
 */
import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { SallyportError } from "../domain/error.ts";

export interface Keeper {
  pid: number;
  /** Gives it the other end of a gateway's link. This process's copy is closed, unread, when it resolves. */
  link(socket: Socket): Promise<void>;
  /** Lets the gateway ask for these references as long as `holder` is not released. */
  allow(holder: string, references: readonly string[]): Promise<void>;
  release(holder: string): void;
  stop(): Promise<void>;
}

/** Milliseconds for it to start, and to answer. */
const startTime = 20_000;
const answerTime = 5000;

/**
 * Starts the keeper with this process's environment, in which `env:` sources are. Throws `control-missing` when it
 * does not start; `onExit` is called once if it ends in any way but `stop`.
 */
export async function startKeeper(onExit: (reason: string) => void): Promise<Keeper> {
  const main = fileURLToPath(
    new URL(import.meta.url.endsWith(".ts") ? "keeper-main.ts" : "keeper-main.js", import.meta.url),
  );
  const child = spawn(
    "setpriv",
    ["--pdeathsig=SIGKILL", "--", "prlimit", "--core=0", "--", process.execPath, "--max-old-space-size=64", main],
    // It says nothing: a process that holds values has no log.
    { cwd: "/", stdio: ["ignore", "ignore", "ignore", "ipc"], serialization: "json" },
  );
  const waiting = new Map<number, () => void>();
  const started = Promise.withResolvers<void>();
  let nextId = 0;
  let stopping = false;
  let gone: string | undefined;
  const end = (reason: string) => {
    if (gone !== undefined) return;
    gone = reason;
    child.kill("SIGKILL");
    const was = serving;
    started.reject(missing(reason));
    if (was && !stopping) onExit(reason);
  };
  let serving = false;
  child.once("error", (error) => end(error.message));
  child.once("exit", (code, signal) => end(signal ? `killed by ${signal}` : `exit code ${code}`));
  child.on("message", (message) => {
    const { type, id } = message as { type?: unknown; id?: unknown };
    if (type === "ready") started.resolve();
    if (type === "done") {
      waiting.get(Number(id))?.();
      waiting.delete(Number(id));
    }
  });
  const tell = async (message: object, socket?: Socket): Promise<void> => {
    if (gone !== undefined || !child.connected) throw missing(gone ?? "its channel is closed");
    const id = nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    waiting.set(id, resolve);
    const timer = setTimeout(() => reject(missing("it did not answer in time")), answerTime);
    child.send({ ...message, id }, socket, undefined, (error) => error && reject(missing(error.message)));
    await promise.finally(() => {
      clearTimeout(timer);
      waiting.delete(id);
    });
  };
  const timer = setTimeout(() => end("it did not start in time"), startTime);
  await started.promise.finally(() => clearTimeout(timer));
  serving = true;

  return {
    pid: child.pid ?? 0,
    link: (socket) => tell({ type: "link" }, socket),
    allow: (holder, references) => tell({ type: "allow", holder, references }),
    release(holder) {
      if (child.connected) child.send({ type: "release", holder }, () => undefined);
    },
    async stop() {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = new Promise((resolve) => child.once("exit", resolve));
      if (child.connected) child.disconnect();
      const late = setTimeout(() => child.kill("SIGKILL"), 1000);
      await exited;
      clearTimeout(late);
    },
  };
}

function missing(why: string): SallyportError {
  return new SallyportError("control-missing", `the keeper of the secrets' sources is not there: ${why}`, {
    next: "Start the daemon as root; look at its log.",
  });
}
