/** Where the host keeps everything. */
import { mkdir, stat } from "node:fs/promises";
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
