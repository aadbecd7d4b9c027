/** The lock that lets one daemon at a time have a state directory. */
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { SallyportError } from "../domain/error.ts";
import type { StateDirectory } from "./state-directory.ts";

/**
 * Takes the directory for this process. The lock is an abstract Unix socket named by the directory's device and inode:
 * the kernel gives it to one process and takes it back when that one dies, however it dies, so there is no stale lock
 * to judge. The file `lock` beside it only says whose it is. Throws `host-busy`. Returns the release.
 */
export async function lockState(state: StateDirectory): Promise<() => Promise<void>> {
  const file = join(state.root, "lock");
  const { dev, ino } = await stat(state.root, { bigint: true });
  const holder = createServer((socket) => socket.destroy());
  try {
    await new Promise<void>((resolve, reject) => {
      holder.once("error", reject);
      holder.listen(`\0sallyport-state-${dev}-${ino}`, resolve);
    });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EADDRINUSE") throw cause;
    const pid = (await readFile(file, "utf8").catch(() => "")).trim();
    throw new SallyportError("host-busy", `another daemon${pid ? ` (pid ${pid})` : ""} has ${state.root}`, {
      next: "Use that one, or stop it first.",
      cause,
    });
  }
  holder.unref();
  await writeFile(file, `${process.pid}\n`, { mode: 0o600 });
  return async () => {
    await rm(file, { force: true });
    await new Promise<void>((resolve) => holder.close(() => resolve()));
  };
}
