/** Whether the chain of the ledger holds, for pages: verified in the background, each line once, told as far as it is. */
import type { ChainStatus } from "../domain/page.ts";
import type { HostPublicKey } from "../gate/keys.ts";
import { ChainFollower, type Followed } from "../ledger/follow-chain.ts";
import type { Ledger } from "../ledger/open.ts";

export interface ChainWatch {
  /** The status, after verifying on for at most `patience` milliseconds. `again`: from the first line. */
  status(patience: number, again?: boolean): Promise<ChainStatus>;
}

function limitsOf({ head, signedUpTo }: Followed): string {
  const unsigned =
    (signedUpTo ?? 0) < head.seq
      ? `, nor who wrote the lines after ${signedUpTo ?? 0}, which no signature covers yet`
      : "";
  return `It cannot tell that nothing was cut off at the end before this daemon started: compare it with a head that was kept outside${unsigned}.`;
}

/** A walk over the ledger of a running daemon. */
export function watchChain(directory: string, ledger: Pick<Ledger, "head">, key: HostPublicKey): ChainWatch {
  const follower = new ChainFollower(
    directory,
    (keyid, bytes, signature) => keyid === key.keyid && key.verify(bytes, Buffer.from(signature, "base64")),
  );
  let checked: string | undefined;
  return {
    async status(patience, again = false) {
      const walk = follower.advance(ledger.head(), again).then(() => {
        checked = new Date().toISOString();
      });
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, patience);
      });
      await Promise.race([walk, late]);
      clearTimeout(timer);
      const known = follower.known();
      const { head, signedUpTo, keyids, broken } = known;
      return {
        state: broken ? "broken" : head.seq === 0 ? "unread" : "whole",
        upTo: head.seq,
        hash: head.hash,
        signedUpTo,
        keyids,
        ...(broken ? { problem: broken.problem, at: broken.at } : {}),
        cannotProve: limitsOf(known),
        ...(checked === undefined ? {} : { checked }),
      };
    },
  };
}
