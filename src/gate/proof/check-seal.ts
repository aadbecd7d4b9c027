/** Who signed the pack. */
import type { Claim } from "../../domain/proof.ts";
import { proofPayloadType } from "../../domain/proof.ts";
import { unsealed } from "../dsse.ts";
import { publicKeyFrom } from "../keys.ts";
import { failed, holds, notProvable, proved } from "./claim.ts";
import type { ProofContext } from "./proof-context.ts";

/** The envelope: one signature over every byte of the pack. */
export function checkSeal({ envelope, key }: ProofContext): Claim[] {
  const problem = unsealed(envelope, proofPayloadType, key);
  return [holds("seal", problem, `the pack is as the holder of the key ${key.keyid} signed it`)];
}

/** Whether that key is the host's: only somebody who has it from elsewhere can tell. */
export function checkKey({ pack, key, given }: ProofContext): Claim[] {
  const { keyid, publicKey } = pack.host;
  let own: string;
  try {
    own = publicKeyFrom(publicKey).keyid;
  } catch {
    return [failed("host.publicKey", "the pack's public key is no ed25519 key")];
  }
  const named = holds(
    "host.keyid",
    own === keyid ? undefined : `the pack's key has the id ${own}`,
    "names the pack's key",
  );
  if (given) {
    const problem = key.keyid === keyid ? undefined : `the pack is of the key ${keyid}, and ${key.keyid} was given`;
    return [named, holds("key", problem, "the key that was given is the one that signed")];
  }
  return [
    named,
    key.keyid === keyid
      ? notProvable(
          "key",
          `that ${keyid} is the host's: compare it with the host's own, or give its host.pub with --key`,
        )
      : proved("key", ""),
  ];
}
