/**
 * One build of an image at a time on this host, also across processes: two that build the same base would each tag
 * their own, and images made on the first would be of older inputs at once.
 */
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const waitMilliseconds = 20 * 60_000;
const pollMilliseconds = 250;

/**
 * Runs the work while no other process on this host does the work of the same key. The lock is an abstract Unix socket:
 * the kernel frees it when its holder ends, however that ends. After 20 minutes it goes on without: the lock saves work,
 * and whoever holds the name (any local user can) may not stop builds for good.
 */
export async function withBuildLock<T>(key: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  const name = `\0sallyport-build-${createHash("sha256").update(key).digest("hex").slice(0, 32)}`;
  const until = Date.now() + waitMilliseconds;
  let lock = await bind(name);
  if (!lock) onWait();
  while (!lock && Date.now() < until) {
    await sleep(pollMilliseconds);
    lock = await bind(name);
  }
  try {
    return await work();
  } finally {
    lock?.close();
  }
}

function bind(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((connection) => connection.destroy());
    server.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(name, () => resolve(server.unref()));
  });
}
