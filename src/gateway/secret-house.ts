/**
 * The daemon's side of masking: it asks the gateway, which alone knows the values, and gets back masked text and names.
 */
import type { Duplex } from "node:stream";
import { SallyportError } from "../domain/error.ts";
import type { SecretBinding } from "../domain/policy.ts";
import type { Keeper } from "./keeper.ts";
import { type Link, openLink } from "./secret-link.ts";

export interface SecretHouse {
  /**
   * Resolves every secret now, and keeps the values at the gateway for `holder`, a delegation. Throws
   * `secret-unavailable`, which names each reference that is missing, empty, too short, late or not as it must be.
   */
  holdSecrets(holder: string, secrets: Readonly<Record<string, SecretBinding>>): Promise<void>;
  /** Nothing of this holder's runs any more. Its values stay masked for the house. */
  releaseSecrets(holder: string): void;
  /** A text with every value that is or was known put as `[secret:<name>]`, in any encoding. */
  mask(text: string): Promise<string>;
  /** The names of the secrets whose values the bytes hold in any encoding. */
  contains(bytes: Buffer): Promise<string[]>;
}

/** Bytes asked about at once, and how far two pieces overlap: more than the longest form of the longest value. */
const pieceBytes = 4 * 1024 * 1024;
const overlapBytes = 256 * 1024;
/** Characters masked at once. A text is not cut: what is larger is not for the ledger. */
const textCharacters = 3 * 1024 * 1024;

export function secretHouse(socket: Duplex, keeper: Keeper | undefined): SecretHouse & { close(): void } {
  // The gateway has nothing to ask of the daemon here.
  const link: Link = openLink(socket, () => {
    throw new SallyportError("internal", "the daemon answers nothing on this link");
  });
  const referencesOf = (secrets: Readonly<Record<string, SecretBinding>>) =>
    Object.fromEntries(Object.entries(secrets).map(([name, { from }]) => [name, from]));
  return {
    async holdSecrets(holder, secrets) {
      const references = referencesOf(secrets);
      if (Object.keys(references).length === 0) return;
      if (!keeper)
        throw new SallyportError("secret-unavailable", "this gateway was started without a keeper of sources");
      await keeper.allow(holder, Object.values(references));
      await link.ask("hold", { holder, references });
    },
    releaseSecrets(holder) {
      keeper?.release(holder);
      link.ask("release", { holder }).catch(() => undefined);
    },
    async mask(text) {
      if (text.length > textCharacters) {
        throw new SallyportError("internal", `a text of ${text.length} characters is too long to be masked`);
      }
      return String(await link.ask("mask", { text }));
    },
    async contains(bytes) {
      const names = new Set<string>();
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        const piece = bytes.subarray(at, at + pieceBytes + overlapBytes).toString("base64");
        for (const name of (await link.ask("contains", { bytes: piece })) as string[]) names.add(name);
      }
      return [...names];
    },
    close: () => link.close(),
  };
}
