/** Why nobody answers on a socket, and what to do about it: looked up when it has happened. */
import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { SallyportError } from "../domain/error.ts";

/** The error for a socket that could not be opened. */
export function unreachable(socket: string, cause: NodeJS.ErrnoException): SallyportError {
  const { why, next } =
    cause.code === "EACCES" || cause.code === "EPERM"
      ? forbidden(socket)
      : cause.code === "ENOENT"
        ? {
            why: "there is no such socket",
            next: `Start one with \`sallyport daemon\` (as root; or \`systemctl start sallyport\`), or name its --state or --socket.`,
          }
        : cause.code === "ECONNREFUSED"
          ? {
              why: "nobody answers on it",
              next: "The daemon that made it is gone. Start one with `sallyport daemon` (as root; or `systemctl start sallyport`), or name its --state or --socket.",
            }
          : {
              why: cause.message,
              next: "Start one with `sallyport daemon`, or name its --state or --socket.",
            };
  return new SallyportError("host-unreachable", `no daemon at ${socket}: ${why}`, { next, cause });
}

/** The file permission that stands in the way: the socket's own, or that of a directory above. */
function forbidden(socket: string): { why: string; next: string } {
  for (let path = socket; ; path = dirname(path)) {
    const found = look(path);
    if (!found && path !== dirname(path)) continue;
    if (!found) return { why: "this user may not open it", next: "Run it as root (sudo)." };
    const group = nameOf("/etc/group", found.gid);
    const open = (found.mode & (path === socket ? 0o020 : 0o010)) !== 0;
    const mode = (found.mode & 0o777).toString(8).padStart(3, "0");
    const owner = nameOf("/etc/passwd", found.uid);
    return {
      why: `this user may not open ${path}, which is ${owner}:${group} ${mode}`,
      next: open
        ? `Be in the group ${group} (\`sudo usermod -aG ${group} $USER\`, then log in again), run it as ${owner} (sudo), or name a socket that is yours with --socket.`
        : `Run it as ${owner} (sudo), or name a socket that is yours with --socket.`,
    };
  }
}

function look(path: string): { uid: number; gid: number; mode: number } | undefined {
  try {
    return statSync(path);
  } catch {
    // What lies in a directory that may not be entered cannot be looked at: the directory can.
    return undefined;
  }
}

/** A user's or group's name; its number where nobody has it. */
function nameOf(file: "/etc/passwd" | "/etc/group", id: number): string {
  try {
    const rows = readFileSync(file, "utf8").split("\n");
    return rows.find((row) => row.split(":")[2] === String(id))?.split(":")[0] ?? String(id);
  } catch {
    return String(id);
  }
}
