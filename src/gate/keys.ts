/** The host's ed25519 key: signs approvals and ledger heads. Made at first start, 0600, never leaves the state directory. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
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

/** Writes a file whole or not at all: a crash leaves the old one, or none, never an empty key. */
async function writeWhole(directory: string, name: string, text: string | Buffer, mode: number): Promise<void> {
  const fresh = join(directory, `.${name}.${randomBytes(8).toString("hex")}`);
  try {
    const handle = await open(fresh, "wx", mode);
    try {
      await handle.writeFile(text);
      await handle.chmod(mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(fresh, join(directory, name));
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
  const parent = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  await parent.sync().finally(() => parent.close());
}

async function readPrivate(file: string): Promise<KeyObject> {
  // Not through a link: who may replace the link would choose the key.
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ELOOP") throw cause;
    throw new SallyportError("control-missing", `${file} is a link`, {
      next: "Put the key itself there, mode 600.",
      cause,
    });
  });
  let pem: Buffer;
  try {
    const { mode, uid } = await handle.stat();
    if ((mode & 0o077) !== 0 || uid !== process.geteuid?.()) {
      throw new SallyportError(
        "control-missing",
        `${file} can be read by others (mode ${(mode & 0o777).toString(8)}, owner ${uid})`,
        {
          next: `chmod 600 ${file}, and ask who could have copied it.`,
        },
      );
    }
    pem = await handle.readFile();
  } finally {
    await handle.close();
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new SallyportError("control-missing", `${file} is not a private key`, {
      next: "Restore it from a backup.",
      cause,
    });
  }
  if (key.asymmetricKeyType === "ed25519") return key;
  throw new SallyportError("control-missing", `${file} is a key of type ${key.asymmetricKeyType}, not ed25519`, {
    next: "Restore it from a backup.",
  });
}

/**
 * Loads the key, making it first when there is none; the public half is written again where it is missing or another's.
 * Errors: `control-missing` for a key file that others may read, a link, or what is no ed25519 key.
 */
export async function loadHostKey(directory: string): Promise<HostKey> {
  const file = join(directory, "host.key");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  let key: KeyObject;
  try {
    key = await readPrivate(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const { privateKey } = generateKeyPairSync("ed25519");
    await writeWhole(directory, "host.key", privateKey.export({ type: "pkcs8", format: "pem" }), 0o600);
    key = await readPrivate(file);
  }
  const half = createPublicKey(key);
  const pem = half.export({ type: "spki", format: "pem" });
  // A crash between the two files, or a restored key: an auditor would check with the wrong half.
  if ((await readFile(join(directory, "host.pub"), "utf8").catch(() => "")) !== pem) {
    await writeWhole(directory, "host.pub", pem, 0o644);
  }
  return { ...publicHalf(half), sign: (bytes) => sign(null, bytes, key) };
}

/** A public half from its PEM text (SPKI). Throws `proof-invalid` for what is no ed25519 key. */
export function publicKeyFrom(pem: string): HostPublicKey {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === "ed25519" && key.type === "public" && !pem.includes("PRIVATE"))
      return publicHalf(key);
  } catch {
    // Said below.
  }
  throw new SallyportError("proof-invalid", "this is no public ed25519 key in PEM", {
    next: "Give the host's keys/host.pub.",
  });
}

/** The public half of a state directory's key, for checking without the private one. */
export async function loadHostPublicKey(directory: string): Promise<HostPublicKey> {
  try {
    return publicHalf(createPublicKey(await readFile(join(directory, "host.pub"))));
  } catch (cause) {
    throw new SallyportError("not-found", `no public key at ${join(directory, "host.pub")}`, {
      next: "Is --state right?",
      cause,
    });
  }
}
