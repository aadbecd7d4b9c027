/** Probes of the state directory: what the daemon keeps there, and whether it can. */
import { lstat, readdir, readFile, stat, statfs } from "node:fs/promises";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { asSallyportError } from "../../domain/error.ts";
import { showSize } from "../../domain/units.ts";
import { type GateState, openGate, stepGate } from "../../gate/calibration/gate-state.ts";
import { readEntries } from "../../ledger/read.ts";
import { connectEngine } from "../../sandbox/connect.ts";
import { examineAnchors } from "../anchors-found.ts";
import { loadConfig } from "../config.ts";
import type { StateDirectory } from "../state-directory.ts";
import { fail, ok, type Verdict, warn } from "./finding.ts";

/** Below it a full disk is near: a layer may have some GiB, and the ledger stops the host where it cannot be written. */
const enough = 5 * 1024 ** 3;

/** Free space of the file system that holds `path`, or would. */
export async function disk(path: string): Promise<Verdict> {
  const { bavail, bsize, ffree, files } = await statfs(await nearest(path));
  const free = bavail * bsize;
  // A file system that counts no inodes (btrfs) says 0 of 0.
  if (files > 0 && ffree / files < 0.01)
    return warn(`${ffree} inodes free at ${path}`, "free some: base trees take one for each file; sallyport gc");
  return free > enough
    ? ok(`${showSize(free)} free at ${path}`)
    : warn(
        `${showSize(free)} free at ${path}`,
        "free some: layers are sparse, and a full disk stops the ledger; sallyport gc",
      );
}

export async function engineDisk(): Promise<Verdict> {
  const { DockerRootDir } = (await (await connectEngine()).info()) as { DockerRootDir?: string };
  return DockerRootDir ? disk(DockerRootDir) : warn("the engine does not say where it keeps images", "docker info");
}

/** The directory that is there, nearest above a path. */
export async function nearest(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    try {
      await statfs(at);
      return at;
    } catch {
      if (at === "/") return at;
    }
  }
}

/** Owner and mode of the directory and the key: the daemon refuses what others could have changed or read. */
export async function keys(state: StateDirectory): Promise<Verdict> {
  const root = await stat(state.root).catch(() => undefined);
  if (!root) return ok(`${state.root} is not there yet: the daemon makes it`);
  if (root.uid !== process.getuid?.() || (root.mode & 0o022) !== 0)
    return fail(
      `${state.root} belongs to another user or can be written by others`,
      `chown root ${state.root} && chmod 700 ${state.root}`,
    );
  const file = join(state.keys, "host.key");
  const key = await lstat(file).catch(() => undefined);
  if (!key) return ok("no key yet: the daemon makes one");
  if (key.isSymbolicLink()) return fail(`${file} is a link`, "put the key itself there, mode 600");
  if ((key.mode & 0o077) !== 0 || key.uid !== process.getuid?.())
    return fail(
      `${file} can be read by others (mode ${(key.mode & 0o777).toString(8)}, owner ${key.uid})`,
      `chmod 600 ${file}, and ask who could have copied it`,
    );
  return ok("the host's key is its own");
}

/** Who answers at the socket. */
export async function socket(state: StateDirectory): Promise<Verdict> {
  const found = await lstat(state.socket).catch(() => undefined);
  if (!found) return ok(`${state.socket} is free`);
  if (!found.isSocket())
    return warn(`${state.socket} is no socket: the daemon would take it away`, "move it, or name another --socket");
  const answered = await new Promise<boolean>((resolve) => {
    const probe = connect(state.socket, () => resolve(true)).once("error", () => resolve(false));
    probe.once("connect", () => probe.destroy());
  });
  if (!answered) return ok(`${state.socket} is left over from before: the daemon takes it`);
  return (found.mode & 0o007) === 0
    ? ok(`a program answers on ${state.socket}`)
    : warn(`anybody can open ${state.socket} (mode ${(found.mode & 0o777).toString(8)})`, `chmod o= ${state.socket}`);
}

/** The clock against the ledger's last line: one that went back dates new lines before old ones. */
export async function ledgerClock(state: StateDirectory, now = Date.now()): Promise<Verdict> {
  const segments = (await readdir(state.ledger).catch(() => [])).filter((name) => name.endsWith(".jsonl")).sort();
  const last = segments.at(-1);
  if (!last) return ok("no ledger yet");
  const tail = (await readFile(join(state.ledger, last), "utf8")).trimEnd();
  const time = /"time":"([^"]+)"/.exec(tail.slice(tail.lastIndexOf("\n") + 1))?.[1] ?? "";
  const ahead = Date.parse(time) - now;
  return ahead > 2000
    ? warn(
        `the clock is ${Math.round(ahead / 1000)} s before the ledger's last line`,
        "set the clock: what is written now would be dated before what is written already",
      )
    : ok("not before the ledger's last line");
}

export async function configuration(state: StateDirectory): Promise<Verdict> {
  const planners = Object.entries((await loadConfig(state)).planners);
  return planners.some(([, rights]) => rights.repositories.length > 0 && rights.refs.length > 0)
    ? ok(`${planners.length} planners`)
    : warn(
        "no planner may name any repository",
        `write ${state.config}: { version: 1, planners: { default: { repositories: ["/srv/git/*.git"], refs: ["refs/heads/sallyport/**"] } } }`,
      );
}

export async function gate(state: StateDirectory): Promise<Verdict> {
  const { closed } = await gateOnDisk(state.ledger);
  return closed
    ? warn(
        `closed since ${closed.since}: ${closed.reason}`,
        "nothing is signed or lands: sallyport gate status, then sallyport gate open --reason TEXT",
      )
    : ok("open");
}

/** The places outside to which heads are handed, as they are found. */
export async function anchors(state: StateDirectory): Promise<Verdict> {
  const { found, wrong } = await examineAnchors(state);
  return wrong.length === 0
    ? ok(found)
    : warn(wrong.join("; "), "mend the place; what a cut ledger has lost is found by its anchors alone");
}

/** The gate as the ledger's files tell it, with or without a daemon; a ledger that breaks off is read up to there. */
async function gateOnDisk(directory: string): Promise<GateState> {
  let state = openGate;
  try {
    for await (const entry of readEntries(directory, { seq: Number.MAX_SAFE_INTEGER, hash: "" }))
      state = stepGate(state, entry);
  } catch (error) {
    // No end is given, so each reading ends here; whether the ledger is whole, `audit verify` says.
    if (asSallyportError(error).code !== "ledger-broken") throw error;
  }
  return state;
}
