/** `sallyport drain`: ends the daemon without cutting what runs. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { DrainAnswer } from "../domain/operations.ts";
import { call } from "./client.ts";
import { action, command, done, type Globals, print, say } from "./context.ts";
import { secondsOf } from "./seconds-of.ts";

interface DrainOptions {
  now?: true;
  within?: string;
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function drain({ state, json }: Globals, options: DrainOptions): Promise<number> {
  const seconds = options.now ? 0 : options.within === undefined ? undefined : secondsOf(options.within, "--within");
  const { pid } = await call<{ pid: number }>(state, "GET", "/v1/status");
  const answer = await call<DrainAnswer>(state, "POST", "/v1/drain", seconds === undefined ? {} : { seconds });
  if (!json) say(`draining: ${answer.running.length} running, ${answer.waiting} waiting for the next start`);
  // By its process, not by its socket: under socket activation a question to that would start the next daemon.
  while (isThere(pid)) await sleep(200);
  if (json) print({ ended: true, waiting: answer.waiting });
  else say("the daemon has ended");
  return done;
}

export function drainCommand(): Command {
  return command(
    "drain",
    "End the daemon when what runs has ended: nothing new is taken, nothing that waits is lost.",
    ["sallyport drain", "sallyport drain --within 30m", "sallyport drain --now"],
  )
    .option("--within <time>", "how long what runs may take, such as 30m (left out: a day)")
    .option("--now", "cut what runs at once")
    .action(action(drain));
}
