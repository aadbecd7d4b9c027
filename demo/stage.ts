/** What both halves of the demo are shown with. */
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { call } from "../src/cli/client.ts";
import type { StateDirectory } from "../src/host/state-directory.ts";

const colour = process.stdout.isTTY && !process.env.NO_COLOR;
export const paint = (code: number, text: string) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
export const heading = (text: string) => console.log(`\n${paint(1, `== ${text}`)}`);
export const sallyport = join(import.meta.dirname, "../bin/sallyport");

/** Waits until the daemon answers; throws with what it said where it does not start within 30 s. */
export async function untilUp(daemon: ChildProcess, state: StateDirectory, said: () => string): Promise<void> {
  for (let waited = 0; waited < 30_000; waited += 50) {
    if (daemon.exitCode !== null) throw new Error(`the daemon did not start:\n${said()}`);
    if (await call(state, "GET", "/v1/status").then(() => true, () => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the daemon did not come up within 30 s");
}
