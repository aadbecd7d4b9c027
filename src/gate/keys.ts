/** The host's ed25519 key: signs approvals and ledger heads. Made at first start, 0600, never leaves the state directory. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { mkdir, open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../domain/error.ts";

export interface HostKey {
  keyid: string;
  sign(bytes: Uint8Array): Buffer;
  verify(bytes: Uint8Array, signature: Uint8Array): boolean;
}

/** Only the public half: what an auditor has. */
export type HostPublicKey = Omit<HostKey, "sign">;

function publicHalf(key: KeyObject): HostPublicKey {
  const der = key.export({ type: "spki", format: "der" });
  return {
    keyid: createHash("sha256").update(der).digest("hex"),
    verify: (bytes, signature) => verify(null, bytes, key, signature),
  };
}

/** Loads the key, making it first when there is none. Refuses a key file that others may read. */
export async function loadHostKey(directory: string): Promise<HostKey> {
  const file = join(directory, "host.key");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  try {
    const handle = await open(file, "wx", 0o600);
    try {
      const { privateKey, publicKey } = generateKeyPairSync("ed25519");
      await handle.writeFile(privateKey.export({ type: "pkcs8", format: "pem" }));
      await handle.sync();
      const pub = await open(join(directory, "host.pub"), "w", 0o644);
      await pub.writeFile(publicKey.export({ type: "spki", format: "pem" }));
      await pub.sync();
      await pub.close();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const { mode } = await stat(file);
  if ((mode & 0o077) !== 0) {
    throw new SallyportError("control-missing", `${file} can be read by others (mode ${(mode & 0o777).toString(8)})`, {
      next: `chmod 600 ${file}, and ask who could have copied it.`,
    });
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(await readFile(file));
  } catch (cause) {
    throw new SallyportError("control-missing", `${file} is not a private key`, { next: "Restore it from a backup.", cause });
  }
  return { ...publicHalf(createPublicKey(key)), sign: (bytes) => sign(null, bytes, key) };
}

/** The public half of a state directory's key, for checking without the private one. */
export async function loadHostPublicKey(directory: string): Promise<HostPublicKey> {
  try {
    return publicHalf(createPublicKey(await readFile(join(directory, "host.pub"))));
  } catch (cause) {
    throw new SallyportError("not-found", `no public key at ${join(directory, "host.pub")}`, { next: "Is --state right?", cause });
  }
}
