/** A public key that somebody knows from elsewhere, as a file on the command line. */
import { readFile } from "node:fs/promises";
import { SallyportError } from "../domain/error.ts";

/** Its text. Throws `proof-invalid` where it cannot be read. */
export async function readKeyFile(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new SallyportError("proof-invalid", `${path} cannot be read: ${cause.code ?? cause.message}`, {
      next: "Name the host's public key, keys/host.pub of its state directory.",
      cause,
    });
  });
}
