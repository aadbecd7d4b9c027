/** DSSE v1 envelopes (github.com/secure-systems-lab/dsse): what is signed is the type and the payload together. */
import type { ProofEnvelope } from "../domain/proof.ts";
import type { HostKey, HostPublicKey } from "./keys.ts";

/** DSSE's pre-authentication encoding: what is signed, so that type and payload cannot be read another way. */
export function preAuthentication(type: string, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload]);
}

/** Signs a payload. */
export function seal(payloadType: string, payload: Buffer, key: HostKey): ProofEnvelope {
  const sig = key.sign(preAuthentication(payloadType, payload)).toString("base64");
  return { payloadType, payload: payload.toString("base64"), signatures: [{ keyid: key.keyid, sig }] };
}

/** Why an envelope is not this key's over a payload of this type, or undefined. */
export function unsealed(envelope: ProofEnvelope, payloadType: string, key: HostPublicKey): string | undefined {
  if (envelope.payloadType !== payloadType) return `its payload type is ${JSON.stringify(envelope.payloadType)}`;
  const payload = Buffer.from(envelope.payload, "base64");
  if (payload.toString("base64") !== envelope.payload) return "its payload is not canonical base64";
  const bytes = preAuthentication(payloadType, payload);
  const by = envelope.signatures.filter(({ keyid }) => keyid === key.keyid);
  if (by.length === 0) return `it bears no signature of the key ${key.keyid.slice(0, 12)}`;
  return by.some(({ sig }) => key.verify(bytes, Buffer.from(sig, "base64")))
    ? undefined
    : `the signature of the key ${key.keyid.slice(0, 12)} is over something else`;
}
