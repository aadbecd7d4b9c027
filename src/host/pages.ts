/** What is shown of this host to people: rows, pages, the chain, and why a policy decides as it does. Reads only. */
import { SallyportError } from "../domain/error.ts";
import type { MissionView } from "../domain/mission-record.ts";
import type { ChainStatus, DelegationPage, Explanation, PlanPage, Summaries, SummariesQuery } from "../domain/page.ts";
import { pageCaps } from "../domain/page-parts.ts";
import type { PlanView } from "../domain/plan-record.ts";
import type { HostPublicKey } from "../gate/keys.ts";
import { explain } from "../policy/explain.ts";
import { findPolicy, loadPolicyFile } from "../policy/load.ts";
import type { ChainWatch } from "./chain-status.ts";
import type { PatchText } from "./page/attempts.ts";
import { foldDelegation } from "./page/delegation-page.ts";
import { collectLines } from "./page/lines.ts";
import { listSummaries } from "./page/list.ts";
import { pageOfPlan } from "./page/plan-page.ts";
import { shown } from "./page/text.ts";
import type { Store } from "./store.ts";

export interface Pages {
  /** Rows; only of what `of` lets be told, where it is given. */
  summaries(query: SummariesQuery, of?: (id: string) => boolean): Summaries;
  /** The page of a delegation, with the text of its patches where asked. Throws `not-found`. */
  delegation(id: string, patches: boolean): Promise<DelegationPage>;
  /** The page of a plan or mission. Throws `not-found`. */
  plan(id: string): Promise<PlanPage>;
  /** Whether the chain holds; `again`: verified from the first line. */
  chain(again: boolean): Promise<ChainStatus>;
  /** What a policy decides about a request. Throws `not-found`, `policy-invalid`, `request-invalid`. */
  explain(name: string, request: string): Promise<Explanation>;
}

/** Milliseconds that an answer waits for the chain's verification, which goes on without it. */
const patience = { chain: 2000, page: 200 };

/** A patch as a page holds it: its text, cut and printable, or why there is none. */
export async function patchText(read: () => Promise<Uint8Array>): Promise<PatchText> {
  try {
    const bytes = await read();
    const cut = bytes.length > pageCaps.patchBytes;
    // Control characters in a diff are shown, not acted on; tabs and line ends are its own.
    return {
      text: shown(Buffer.from(bytes.subarray(0, pageCaps.patchBytes)).toString("utf8"), pageCaps.patchBytes * 2),
      cut,
    };
  } catch (error) {
    return { missing: shown(error instanceof Error ? error.message : String(error), 300) };
  }
}

/** Opens the pages over a running host. */
export function openPages(parts: {
  store: Store;
  chain: ChainWatch;
  key: HostPublicKey;
  viewPlan(id: string): PlanView;
  viewMission(id: string): MissionView;
  diff(id: string, attempt: number | undefined): Promise<Uint8Array>;
  /** Where policies are looked for. */
  policies: readonly string[];
}): Pages {
  const { store, chain, key, viewPlan, viewMission, diff } = parts;
  const list = listSummaries({ store, viewPlan, viewMission });
  return {
    summaries: list.page,
    chain: (again) => chain.status(patience.chain, again),

    async delegation(id, withPatches) {
      const record = store.record(id);
      const fold = foldDelegation(id);
      for await (const entry of store.ledger.read({ delegation: id })) fold.add(entry);
      const patches = new Map<number, PatchText>();
      if (withPatches) {
        for (const { number } of record.attempts.filter((one) => one.proposal).slice(0, pageCaps.attempts))
          patches.set(number, await patchText(() => diff(id, number)));
      }
      const mission = record.plan && store.findPlan(record.plan.id)?.mission;
      return fold.page({ chain: await chain.status(patience.page), key, patches, mission });
    },

    async plan(id) {
      const summary = list.one(id);
      const lines = collectLines();
      for await (const entry of store.ledger.read({ delegation: id })) lines.add(entry);
      const planId = id.startsWith("m-") ? store.mission(id).plan : id;
      const record = store.findPlan(planId);
      return pageOfPlan({
        summary,
        record,
        view: record && viewPlan(planId),
        mission: id.startsWith("m-") ? viewMission(id) : undefined,
        lines: lines.page(),
        chain: await chain.status(patience.page),
      });
    },

    async explain(name, request) {
      const found = /^(?:([A-Za-z]{1,20})\s+)?(\S+)$/.exec(request.trim());
      if (!found)
        throw new SallyportError("request-invalid", `${JSON.stringify(request.slice(0, 200))} is not a request`, {
          next: 'Write "METHOD URL", "GET wss://…" for a WebSocket, or "CONNECT host:port".',
        });
      const loaded = await loadPolicyFile(await findPolicy(name, parts.policies), parts.policies);
      const { allow, code, rule, index, why, next, text } = explain(loaded.policy, found[1] ?? "GET", found[2] ?? "");
      const at = index === undefined ? undefined : loaded.where(["network", index]);
      return {
        policy: loaded.policy.name,
        asked: shown(request, 8192),
        allow,
        code,
        rule: shown(rule),
        ...(index === undefined ? {} : { index }),
        ...(at === undefined ? {} : { at }),
        why: shown(why),
        next: shown(next),
        text: text.map((one) => shown(one)),
      };
    },
  };
}
