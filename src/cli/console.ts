/** `sallyport console`: the auditor's pages in a browser, on loopback, for as long as it runs. */
import { spawn } from "node:child_process";
import type { Command } from "commander";
import { SallyportError } from "../domain/error.ts";
import { call } from "./client.ts";
import { action, command, done, type Globals, print, say } from "./context.ts";

interface Options {
  port: string;
  open: boolean;
}

async function serve({ state, json }: Globals, options: Options): Promise<number> {
  const port = Number(options.port);
  if (!/^\d{1,5}$/.test(options.port) || port > 65_535)
    throw new SallyportError("usage", `${JSON.stringify(options.port)} is not a port`, { next: "0 takes a free one." });
  // Said here, and not only in the browser: whether a daemon answers.
  await call(state, "GET", "/v1/status");
  const { startConsole } = await import("../console/serve.ts");
  const running = await startConsole({ socket: state.socket, port });
  if (json) print({ url: running.url });
  else {
    say(`The console is at ${running.url}`);
    say("The address works once, in one browser. Ctrl-C ends it.");
  }
  if (options.open) openBrowser(running.url);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  await running.close();
  return done;
}

/** Opens the address where there is a desktop. Root does not start a browser. */
function openBrowser(url: string): void {
  const hasDesktop = Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
  if (!hasDesktop || process.getuid?.() === 0) return;
  spawn("xdg-open", [url], { stdio: "ignore", detached: true })
    .once("error", () => {})
    .unref();
}

export function consoleCommand(): Command {
  return command("console", "Show what happened in a browser, on this machine: read-only, until Ctrl-C.", [
    "sudo sallyport console",
    "sallyport console --port 7777 --no-open --socket /run/sallyport/auditor.sock",
  ])
    .option("--port <n>", "the port on 127.0.0.1; 0 takes a free one", "0")
    .option("--no-open", "start no browser")
    .action(action(serve));
}
