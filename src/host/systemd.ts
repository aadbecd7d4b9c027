/** What the service manager is told and gives: sd_notify(3) and socket activation, sd_listen_fds(3). Without one, nothing happens. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { fstatSync, readFileSync } from "node:fs";
import type { Server } from "node:net";
import { promisify } from "node:util";
import { SallyportError } from "../domain/error.ts";
import type { Log } from "./log.ts";

const run = promisify(execFile);
/** The first descriptor that a service manager hands over (SD_LISTEN_FDS_START). */
const firstDescriptor = 3;

export interface ServiceManager {
  /** Whether it handed a socket over. */
  readonly hands: boolean;
  /** Says how the service stands, such as `READY=1`. Never throws: a manager that does not listen changes nothing. */
  tell(...states: string[]): Promise<void>;
  /** Listens with the handed-over socket of that path. False where none was handed over. Throws `host-busy` for another path's. */
  listen(server: Server, path: string): Promise<boolean>;
  /** Stops the watchdog's signs of life. */
  close(): void;
}

/**
 * Takes the manager's variables out of the environment, so that nothing the daemon starts can speak or listen for it. Where a
 * watchdog waits, it is given a sign of life in half its time: by this process's own event loop, so one that hangs gives none.
 */
export function openServiceManager(log: Log, environment: NodeJS.ProcessEnv = process.env): ServiceManager {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, LISTEN_PID, LISTEN_FDS } = environment;
  const variables = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];
  for (const name of variables) delete environment[name];
  const descriptors = LISTEN_PID === String(process.pid) ? Number(LISTEN_FDS ?? 0) : 0;

  const tell = async (...states: string[]): Promise<void> => {
    if (!NOTIFY_SOCKET) return;
    // Node opens no datagram socket of Unix. The tool speaks in its parent's name, so `NotifyAccess=main` is enough.
    await run("systemd-notify", states, { env: { PATH: environment.PATH, NOTIFY_SOCKET }, timeout: 10_000 }).catch(
      (error: unknown) => log.warn({ err: error }, "the service manager was not told"),
    );
  };
  const watched = Number(WATCHDOG_USEC ?? 0) / 1000;
  const mine = WATCHDOG_PID === undefined || WATCHDOG_PID === String(process.pid);
  const signs = watched > 0 && mine ? setInterval(() => void tell("WATCHDOG=1"), watched / 2) : undefined;
  signs?.unref();
  return {
    hands: descriptors > 0,
    tell,
    async listen(server, path) {
      if (descriptors < 1) return false;
      const found = pathOf(firstDescriptor);
      if (descriptors !== 1 || found !== path) {
        throw new SallyportError(
          "host-busy",
          `the service manager handed over ${descriptors} sockets, the first for ${found ?? "no path"}, and the daemon's is ${path}`,
          {
            next: "Let ListenStream= of sallyport.socket name the daemon's socket, or start the daemon with --socket.",
          },
        );
      }
      server.listen({ fd: firstDescriptor });
      await once(server, "listening");
      return true;
    },
    close: () => clearInterval(signs),
  };
}

/** The path that a listening Unix socket is bound to, by the kernel's table (proc_net_unix: the inode is the seventh field). */
function pathOf(descriptor: number): string | undefined {
  try {
    const { ino } = fstatSync(descriptor, { bigint: true });
    const lines = readFileSync("/proc/net/unix", "utf8").split("\n");
    return lines.map((line) => line.trim().split(/\s+/)).find((fields) => fields[6] === String(ino))?.[7];
  } catch {
    return undefined;
  }
}
