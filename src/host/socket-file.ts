/** Unix sockets as files: who may reach one is decided by where it lies, whose it is and its mode, before it is served. */
import { execFile } from "node:child_process";
import { chmod, chown, lstat, realpath, rm, stat } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { SallyportError } from "../domain/error.ts";

/** Whose the file is, and who may open it. */
export interface SocketRights {
  uid: number;
  gid: number;
  /** Permission bits. */
  mode: number;
}

/**
 * Serves on a path. A file that nobody answers on is left over from a daemon that was killed, and is taken away; one that
 * is answered belongs to somebody (`host-busy`); what is no socket is nobody's to take away (`control-missing`).
 */
export async function listenOn(server: Server, path: string, rights: SocketRights): Promise<void> {
  await checkPath(path);
  await rm(path, { force: true });
  // From its first moment nobody else can open it: a chmod alone would come after the listen.
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ path }, () => {
        server.removeListener("error", reject);
        resolve();
      });
    });
  } catch (cause) {
    throw new SallyportError("control-missing", `${path} cannot be listened on: ${(cause as Error).message}`, {
      next: `Make its directory: install -d -m 755 ${dirname(path)}`,
      cause,
    });
  } finally {
    process.umask(mask);
  }
  await chown(path, rights.uid, rights.gid);
  await chmod(path, rights.mode);
}

/**
 * Whoever may write to the directory can put another socket in this one's place, and be taken for the daemon; a sticky
 * bit does not help while the daemon is down. Whoever may rename a directory above can do the same.
 */
async function checkDirectory(path: string): Promise<void> {
  const parent = dirname(path);
  const place = await realpath(parent).catch((cause: NodeJS.ErrnoException) => {
    throw new SallyportError("control-missing", `${parent}, for the socket ${path}, is not there (${cause.code})`, {
      next: `Make it: install -d -m 755 ${parent}`,
      cause,
    });
  });
  for (let directory = place; ; directory = dirname(directory)) {
    const { uid, mode } = await stat(directory);
    const ours = uid === 0 || uid === process.geteuid?.();
    const sticky = directory !== place && (mode & 0o1000) !== 0;
    if (!ours || ((mode & 0o022) !== 0 && !sticky)) {
      throw new SallyportError("control-missing", `others may write to ${directory}, above the socket ${path}`, {
        next: `Put the socket elsewhere, or: chown root ${directory} && chmod go-w ${directory}`,
      });
    }
    if (directory === "/") return;
  }
}

/**
 * Whether a socket may be made there: nobody else can, nobody answers, and what lies there is left over. Of one that is
 * `handed` over, only where it lies: it answers already. Changes nothing.
 */
export async function checkPath(path: string, handed = false): Promise<void> {
  await checkDirectory(path);
  if (handed) return;
  const there = await lstat(path).catch(() => undefined);
  if (!there) return;
  if (!there.isSocket())
    throw new SallyportError("control-missing", `${path} is there, and is no socket`, {
      next: "Look what it is. Name another path, or move it away.",
    });
  const answered = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => resolve(true)).once("error", () => resolve(false));
    probe.once("connect", () => probe.destroy());
  });
  if (answered)
    throw new SallyportError("host-busy", `another program answers on ${path}`, {
      next: "Stop it first, or name another path.",
    });
}

/** The number of a user or a group, as the machine's own name service has it. Throws `config-invalid`. */
export async function accountNumber(kind: "passwd" | "group", account: string | number): Promise<number> {
  if (typeof account === "number") return account;
  try {
    const { stdout } = await promisify(execFile)("getent", [kind, account], { timeout: 10_000 });
    const number = Number(stdout.split(":")[2]);
    if (Number.isInteger(number)) return number;
  } catch (cause) {
    const what = kind === "group" ? "group" : "user";
    throw new SallyportError("config-invalid", `there is no ${what} ${JSON.stringify(account)} on this machine`, {
      next: kind === "group" ? `groupadd --system ${account}` : "Name a user that there is, or a number.",
      cause,
    });
  }
  throw new SallyportError("config-invalid", `${account} has no number`, { next: "Name it by its number." });
}
