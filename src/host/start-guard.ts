import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { SallyportError } from "../domain/error.ts";

export interface Guard {
  pid: number;
  /** Names the gateway of now: it is ended with the daemon even if it hangs. */
  watchGateway(pid: number): void;
  /** Tells it that all is cleaned up; resolves when it is gone. */
  dismiss(): Promise<void>;
}

/** Starts the guard of this instance; `onExit` is called when it goes without having been dismissed. */
export async function startGuard(instance: string, directory: string, onExit: () => void): Promise<Guard> {
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv,
      join(import.meta.dirname, import.meta.url.endsWith(".ts") ? "guard.ts" : "guard.js"),
      instance,
      directory,
    ],
    {
      stdio: ["pipe", "pipe", "ignore"],
      // A process group of its own: what ends the daemon's group must not end its guard.
      detached: true,
    },
  );
  // A guard that is gone is noticed by its exit; a write to it must not be what ends the daemon.
  child.stdin.on("error", () => {});
  let dismissed = false;
  child.once("exit", () => {
    if (!dismissed) onExit();
  });
  const ready = await Promise.race([
    once(child.stdout, "data").then(() => true),
    once(child, "exit").then(() => false),
  ]);
  if (!ready || child.pid === undefined)
    throw new SallyportError("control-missing", "the guard did not start", { next: "Look at the daemon's log." });
  return {
    pid: child.pid,
    watchGateway(pid) {
      child.stdin.write(`gateway ${pid}\n`);
    },
    async dismiss() {
      dismissed = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.stdin.end("done\n");
      await gone;
    },
  };
}
