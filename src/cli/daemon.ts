/** `sallyport daemon`: the host in the foreground. */
import type { Command } from "commander";
import { exitCode } from "../domain/error.ts";
import { action, command, done, type Globals } from "./context.ts";

async function daemon({ state }: Globals): Promise<number> {
  // Loaded here: a command that only asks a daemon has no use for what it is made of.
  const [{ startDaemon }, { openLog, logSink }, { httpMcp }] = await Promise.all([
    import("../host/daemon.ts"),
    import("../host/log.ts"),
    import("../mcp/serve-http.ts"),
  ]);
  const file = process.env.SALLYPORT_LOG_FILE;
  const log = openLog(logSink(file || undefined));
  // After a rotation. Without a file a hang-up of the terminal ends it, as it ends any program in the foreground.
  if (file) process.on("SIGHUP", () => log.reopen());
  const running = await startDaemon(state, log, httpMcp);
  let asked = 0;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // A second Ctrl-C does not wait for the drain: the guard cleans up what is left.
      if (++asked > 1) process.exit(exitCode.failed);
      void running.stop(signal);
    });
  }
  const reason = await running.ended;
  return ["SIGINT", "SIGTERM", "drained", "drained in part"].includes(reason) ? done : exitCode.failed;
}

export function daemonCommand(): Command {
  return command("daemon", "Run the host in the foreground, until Ctrl-C or SIGTERM.", [
    "sudo sallyport daemon --state /var/lib/sallyport",
    "SALLYPORT_LOG=debug sallyport daemon",
    "SALLYPORT_LOG_FILE=/var/log/sallyport/daemon.log sallyport daemon",
  ]).action(action(daemon));
}
