/** The gateway's side of its two links: what the daemon may ask of the vault, and how the vault asks the keeper. */
import { Socket } from "node:net";
import { SallyportError } from "../domain/error.ts";
import { openLink } from "./secret-link.ts";
import { createVault, type Vault } from "./secret-vault.ts";

/** Where `startGateway` puts the ends of the two socket pairs. */
export const keeperDescriptor = 4;
export const houseDescriptor = 5;

export interface SecretService {
  vault: Vault;
  /**
   * Resolves when the vault knows what an earlier gateway of this keeper's knew; nothing is masked or served before. Not
   * to be called before the daemon asks for something: until then nobody reads the other end.
   */
  recalled(): Promise<void>;
}

/** Opens both links. Without a keeper at the other end, every reference is unavailable. */
export function openSecretService(): SecretService {
  const keeper = openLink(openEnd(keeperDescriptor), refuse);
  const vault = createVault({
    resolve: async (reference, name) => String(await keeper.ask("resolve", { reference, name })),
    now: () => performance.now(),
  });
  // Whatever the last one was killed for: what it masked in the house's texts must stay masked.
  let recall: Promise<void> | undefined;
  const recalled = () => {
    recall ??= keeper.ask("recall", null).then(
      (known) => vault.recall(known as [string, string][]),
      () => {
        // No keeper, or a late one: the next question asks it again.
        recall = undefined;
      },
    );
    return recall;
  };
  openLink(openEnd(houseDescriptor), async (verb, data) => {
    await recalled();
    return answerHouse(vault, verb, data);
  });
  return { vault, recalled };
}

function openEnd(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: true });
}

/** No verb of these gives a value. */
async function answerHouse(vault: Vault, verb: string, data: unknown): Promise<unknown> {
  const asked = data as { holder?: unknown; references?: unknown; text?: unknown; bytes?: unknown } | null;
  if (verb === "hold" && typeof asked?.holder === "string" && isReferences(asked.references)) {
    return vault.hold(asked.holder, asked.references);
  }
  if (verb === "release" && typeof asked?.holder === "string") return vault.release(asked.holder);
  if (verb === "mask" && typeof asked?.text === "string") return vault.mask(asked.text);
  if (verb === "contains" && typeof asked?.bytes === "string")
    return vault.contains(Buffer.from(asked.bytes, "base64"));
  return refuse();
}

function isReferences(value: unknown): value is Record<string, string> {
  return typeof value === "object" && value !== null && Object.values(value).every((one) => typeof one === "string");
}

function refuse(): never {
  throw new SallyportError("internal", "that is not asked on this link");
}
