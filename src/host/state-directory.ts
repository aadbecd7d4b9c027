/** Where the host keeps everything, and the lock that lets one daemon at a time have it. */
import { mkdir, open, readFile, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { SallyportError } from "../domain/error.ts";

export interface StateDirectory {
  root: string;
  ledger: string;
  trees: string;
  lanes: string;
  quarantine: string;
  gateway: string;
  keys: string;
  config: string;
  policies: string;
  socket: string;
}

/** The longest path a Unix socket can have on Linux (sun_path is 108 bytes with its end mark). */
const socketPathLimit = 107;

/** The layout of a state directory. Makes nothing. */
export function stateDirectory(root: string, socket?: string): StateDirectory {
  const at = (name: string) => join(resolve(root), name);
  return {
    root: resolve(root),
    ledger: at("ledger"),
    trees: at("trees"),
    lanes: at("lanes"),
    quarantine: at("quarantine"),
    gateway: at("gateway"),
    keys: at("keys"),
    config: at("config.yaml"),
    policies: at("policies"),
    socket: socket ? resolve(socket) : at("host.sock"),
  };
}

/** Makes the directories, 0700. */
export async function makeStateDirectory(state: StateDirectory): Promise<void> {
  if (Buffer.byteLength(state.socket) > socketPathLimit) {
    throw new SallyportError("usage", `the socket's path has more than ${socketPathLimit} bytes: ${state.socket}`, {
      next: "Name a shorter one with --socket, or a shorter --state.",
    });
  }
  if (/[,:\\\n]/.test(state.root)) {
    throw new SallyportError("usage", `the state directory's path may not contain , : \\ or a newline: ${state.root}`, {
      next: "They mean something in mount options. Name another --state.",
    });
  }
  for (const directory of [
    state.root,
    state.ledger,
    state.trees,
    state.lanes,
    state.quarantine,
    state.gateway,
    state.keys,
    state.policies,
  ]) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }
  const { uid, mode } = await stat(state.root);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) {
    throw new SallyportError("control-missing", `${state.root} belongs to another user or can be written by others`, {
      next: `chown root ${state.root} && chmod 700 ${state.root}`,
    });
  }
}

async function startTime(pid: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

/**
 * Takes the directory for this process: a file with our pid and start time, so that a recycled pid is no owner.
 * Throws `host-busy` while another daemon lives. Returns the release.
 */
export async function lockState(state: StateDirectory): Promise<() => Promise<void>> {
  const file = join(state.root, "lock");
  const mine = `${process.pid} ${await startTime(process.pid)}\n`;
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      const handle = await open(file, "wx", 0o600);
      await handle.writeFile(mine);
      await handle.close();
      // Another that started at the same moment may have taken this file for the dead daemon's and removed it: the
      // one whose lock is there a moment later is the owner.
      await new Promise((resolve) => setTimeout(resolve, 50));
      if ((await readFile(file, "utf8").catch(() => "")) !== mine) continue;
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const held = await readFile(file, "utf8").catch(() => "");
    const [pid, started] = held.trim().split(" ");
    if (pid && started && (await startTime(Number(pid))) === started) {
      throw new SallyportError("host-busy", `another daemon (pid ${pid}) has ${state.root}`, {
        next: "Use that one, or stop it first.",
      });
    }
    // Left by a daemon that was killed. Between two that start at once the exclusive open above decides.
    if ((await readFile(file, "utf8").catch(() => "")) === held) await rm(file, { force: true });
  }
  throw new SallyportError("host-busy", `${file} cannot be taken`, { next: "Try again." });
}
