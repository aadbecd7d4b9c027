/**
 * A certificate authority for one lane. It lives in this process's memory and goes with the lane: nothing outside the
 * lane's sandbox trusts it, and its key is not extractable and written nowhere.
 */
import { constants, randomBytes, type webcrypto } from "node:crypto";
import { isIP } from "node:net";
import { createSecureContext, type SecureContext } from "node:tls";
// The library's container needs it, and names it as nobody's dependency.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { leafContexts } from "./limits.ts";
import { nameConstraints, type PermittedName } from "./name-constraints.ts";

export interface LaneCa {
  /** The authority's certificate. */
  pem: string;
  /** What a TLS server of `host` (canonical) presents: a leaf for exactly that name. Rejects only on a bug. */
  contextFor(host: string): Promise<SecureContext>;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
/** Milliseconds. A lane's wall time is far below it; clocks in a sandbox are the host's. */
const lifetime = 7 * 24 * 3600 * 1000;
const backdated = 3600 * 1000;

/** Names above which the constraints are left out: the certificate would not fit a TLS record any more. */
const mostNames = 256;

/** Makes an authority that can vouch for `names` alone (RFC 5280 4.2.1.10), and only for leaves (path length 0). */
export async function createLaneCa(names: readonly PermittedName[]): Promise<LaneCa> {
  const now = Date.now();
  const validity = { notBefore: new Date(now - backdated), notAfter: new Date(now + lifetime) };
  const [keys, leafKeys] = await Promise.all([generate(false), generate(true)]);
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=Sallyport lane ${randomBytes(4).toString("hex")}`,
    ...validity,
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...(names.length <= mostNames ? [new x509.Extension("2.5.29.30", true, nameConstraints(names))] : []),
    ],
  });
  const shared = {
    authorityKey: await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
    subjectKey: await x509.SubjectKeyIdentifierExtension.create(leafKeys.publicKey),
    key: await exportKey(leafKeys.privateKey),
  };

  async function mint(host: string): Promise<SecureContext> {
    const leaf = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: "CN=Sallyport leaf",
      issuer: authority.subject,
      ...validity,
      publicKey: leafKeys.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.SubjectAlternativeNameExtension([{ type: isIP(host) === 0 ? "dns" : "ip", value: host }]),
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        shared.authorityKey,
        shared.subjectKey,
      ],
    });
    return createSecureContext({
      key: shared.key,
      cert: leaf.toString("pem"),
      minVersion: "TLSv1.2",
      // A renegotiated handshake could name another server in the middle of a connection (CVE-2009-3555).
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    });
  }

  const contexts = new Map<string, Promise<SecureContext>>();
  return {
    pem: `${authority.toString("pem")}\n`,
    contextFor(host) {
      const known = contexts.get(host);
      if (known) return known;
      if (contexts.size >= leafContexts) contexts.delete(contexts.keys().next().value ?? "");
      const made = mint(host);
      contexts.set(host, made);
      made.catch(() => contexts.delete(host));
      return made;
    },
  };
}

const generate = (extractable: boolean) =>
  crypto.subtle.generateKey(algorithm, extractable, ["sign", "verify"]) as Promise<webcrypto.CryptoKeyPair>;

/** 127 random bits: a positive integer within RFC 5280's 20 octets. */
const serial = () => `4${randomBytes(16).toString("hex").slice(1)}`;

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${der.replace(/.{64}/g, "$&\n")}\n-----END PRIVATE KEY-----\n`;
}
