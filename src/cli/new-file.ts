/** A file that a command writes: there whole or not at all, and never in the place of another. */
import { randomBytes } from "node:crypto";
import { link, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SallyportError } from "../domain/error.ts";
import { syncDirectory } from "../ledger/segment.ts";

/** A new file, 0600, that has its name only when it is whole. What is there already is not written over. */
export async function newFile(path: string) {
  const fresh = join(dirname(path), `.sallyport-export.${randomBytes(8).toString("hex")}`);
  const refused = (cause: unknown) =>
    new SallyportError("usage", `${path} cannot be written: ${(cause as NodeJS.ErrnoException).code ?? cause}`, {
      next: "Name a file that does not exist yet, in a directory that does.",
      cause,
    });
  const handle = await open(fresh, "wx", 0o600).catch((cause: unknown) => {
    throw refused(cause);
  });
  const drop = async () => {
    await handle.close().catch(() => {});
    await rm(fresh, { force: true });
  };
  return {
    write: async (text: string | Uint8Array) => void (await handle.writeFile(text)),
    async keep() {
      await handle.sync();
      // A link, not a rename: it does not take the place of what is there.
      await link(fresh, path).catch((cause: unknown) => {
        throw refused(cause);
      });
      await drop();
      await syncDirectory(dirname(path));
    },
    drop,
  };
}
