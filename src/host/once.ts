/**
 * Idempotency keys: a caller that does not know whether its request arrived sends it again with the same key, and gets
 * what the first one gave. The key is in the ledger with what it made, so it holds across restarts.
 */
import { SallyportError } from "../domain/error.ts";
import type { EventData } from "../domain/event.ts";
import { digestValue } from "../gate/digest.ts";

type Idempotency = NonNullable<EventData<"delegation.accepted">["idempotency"]>;

/** What was made for a planner, with the key it was asked for by. */
export interface Made {
  id: string;
  planner: string;
  idempotency?: Idempotency | undefined;
}

/** Makes something once for a key of a planner. `made` lists what there is. */
export function onceByKey(planner: string, made: () => readonly Made[]) {
  const underWay = new Map<string, { digest: string; result: Promise<unknown> }>();

  /**
   * Runs `make` where the key is new, and gives `again` of the id where it is known. Throws `key-reused` where the key
   * was given with another request.
   */
  return async function once<T>(
    request: { key?: string | undefined },
    make: (idempotency: Idempotency | undefined) => Promise<T>,
    again: (id: string) => T,
  ): Promise<T> {
    const { key, ...asked } = request;
    if (key === undefined) return make(undefined);
    const digest = digestValue(JSON.parse(JSON.stringify(asked)));
    const running = underWay.get(key);
    if (running) {
      if (running.digest !== digest) throw reused(key);
      return running.result as Promise<T>;
    }
    const known = made().find((one) => one.planner === planner && one.idempotency?.key === key);
    if (known) {
      if (known.idempotency?.request !== digest) throw reused(key);
      return again(known.id);
    }
    const result = make({ key, request: digest });
    underWay.set(key, { digest, result });
    try {
      return await result;
    } finally {
      underWay.delete(key);
    }
  };
}

const reused = (key: string) =>
  new SallyportError("key-reused", `the key ${JSON.stringify(key)} was given with another request before`, {
    next: "Draw a new key for a new request; send the same request again with the old one.",
  });
