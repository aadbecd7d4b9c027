import { generateKeyPairSync, sign, verify } from "node:crypto";
import type { Event } from "../../src/domain/event.ts";

/** A key pair for one test, as the ledger and its verification want it. */
export function makeSigner(keyid = "k1") {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    sign: (bytes: Uint8Array) => ({ keyid, signature: sign(null, bytes, privateKey).toString("base64") }),
    verifySignature: (id: string, bytes: Uint8Array, signature: string) =>
      id === keyid && verify(null, bytes, publicKey, Buffer.from(signature, "base64")),
  };
}

/** A small event that can be told from others by its number. */
export const numbered = (n: number, text = ""): Event => ({
  type: "host.stopped",
  data: { reason: `${n} ${text}`.trim() },
});
