/** The form of a state directory: a daemon refuses one that a newer version wrote, and one whose key is gone. */
import { open, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../domain/error.ts";
import type { StateDirectory } from "./state-directory.ts";

/** Raised when an older version could no longer read what is written. */
export const stateFormat = 1;

/**
 * Checks the form and writes it where there is none: a state from before it had a form is of form 1. The state's lock is held.
 * Throws `state-newer`, or `control-missing` where there is the public half of a key and not the key.
 */
export async function checkStateFormat(state: StateDirectory): Promise<void> {
  const file = join(state.root, "format");
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  const format = text === undefined ? undefined : Number(text.trim());
  if (format !== undefined && !(Number.isInteger(format) && format <= stateFormat)) {
    throw new SallyportError(
      "state-newer",
      `${state.root} was written by a newer version (form ${text?.trim().slice(0, 40)}, this one knows ${stateFormat})`,
      { next: "Start that version, or restore a backup of before the upgrade in another directory.", at: file },
    );
  }
  const there = (name: string) =>
    stat(join(state.keys, name)).then(
      () => true,
      () => false,
    );
  // A new key made in silence would leave every signature so far without the key that it is checked with.
  if ((await there("host.pub")) && !(await there("host.key"))) {
    throw new SallyportError("control-missing", `${state.keys} has host.pub, and the key itself is gone`, {
      next: `Put host.key back, mode 600. To go on with a new key, move ${join(state.keys, "host.pub")} to a safe place: the ledger so far is checked with it.`,
    });
  }
  if (format === stateFormat) return;
  const fresh = `${file}.new`;
  const handle = await open(fresh, "w", 0o600);
  try {
    await handle.writeFile(`${stateFormat}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(fresh, file);
}
