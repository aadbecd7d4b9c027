/** Reads recorded delegations out of the ledger's files, every line checked; needs no daemon. */

import { step } from "../delegation/reduce.ts";
import { type Delegation, executorSpend } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import type { Entry, EventData } from "../domain/event.ts";
import { delegationId } from "../domain/identity.ts";
import { loadHostPublicKey } from "../gate/keys.ts";
import type { StateDirectory } from "../host/state-directory.ts";
import { readEntries } from "../ledger/read.ts";
import { verifyLedger } from "../ledger/verify.ts";
import type { Recorded } from "../policy/recorded.ts";
import { call } from "./client.ts";

/** The entries of the whole ledger as it is durable now. Throws `ledger-broken` where it is not what was written. */
export async function* recordedEntries(state: StateDirectory): AsyncGenerator<Entry> {
  const key = await loadHostPublicKey(state.keys);
  const upTo = await durableSeq(state);
  const result = await verifyLedger(state.ledger, {
    verifySignature: (keyid, bytes, signature) =>
      keyid === key.keyid && key.verify(bytes, Buffer.from(signature, "base64")),
    ...(upTo === undefined ? {} : { upTo }),
  });
  if (!result.ok)
    throw new SallyportError("ledger-broken", `${result.file}:${result.line}: ${result.problem}`, {
      next: result.next,
    });
  yield* readEntries(state.ledger, result.head);
}

/** What one delegation asked for, wrote and spent. Throws `not-found` where the ledger has no such delegation. */
export async function recordedDelegation(state: StateDirectory, id: string): Promise<Recorded> {
  if (!delegationId.safeParse(id).success)
    throw new SallyportError("usage", `${JSON.stringify(id)} is not a delegation's id`, {
      next: "`sallyport list` shows them.",
    });
  let record: Delegation | undefined;
  const requests: EventData<"request">[] = [];
  let output = 0;
  for await (const entry of recordedEntries(state)) {
    if (entry.delegation !== id) continue;
    record = step(record, entry);
    if (entry.type === "request") requests.push(entry.data);
    if (entry.type === "sandbox.ended") {
      const { sandbox } = entry.data;
      if (record?.sandboxes.find((one) => one.id === sandbox)?.role === "executor")
        output = Math.max(output, entry.data.output.bytes);
    }
  }
  if (!record)
    throw new SallyportError("not-found", `the ledger has no delegation ${id}`, {
      next: "`sallyport list` shows them.",
    });
  const proposals = record.attempts.flatMap(({ proposal }) => proposal ?? []);
  return {
    id,
    policy: record.policy,
    brief: record.brief,
    requests,
    changes: proposals.flatMap(({ changes }) => changes),
    spend: {
      ...executorSpend(record),
      attempts: record.attempts.length,
      patch: Math.max(0, ...proposals.map(({ patchBytes }) => patchBytes)),
      output,
    },
  };
}

/** The hosts that delegations under the policy of a name asked for, and how many delegations there were. */
export async function recordedHosts(
  state: StateDirectory,
  policy: string,
): Promise<{ hosts: Set<string>; delegations: number }> {
  const under = new Set<string>();
  const hosts = new Set<string>();
  for await (const entry of recordedEntries(state)) {
    if (entry.type === "delegation.accepted" && entry.delegation && entry.data.policy.name === policy)
      under.add(entry.delegation);
    if (entry.type !== "request" || !entry.delegation || !under.has(entry.delegation)) continue;
    const { url } = entry.data;
    const host = /^(?:[a-z]+:\/\/)?(\[[^\]]*\]|[^/:?]+)/i.exec(url)?.[1];
    if (host) hosts.add(host);
  }
  return { hosts, delegations: under.size };
}

/** How far the ledger is durable while a daemon writes it; undefined when none runs on this state. */
async function durableSeq(state: StateDirectory): Promise<number | undefined> {
  try {
    const { head, state: root } = await call<{ head: { seq: number }; state: string }>(state, "GET", "/v1/status");
    return root === state.root ? head.seq : undefined;
  } catch {
    return undefined;
  }
}
