/** A closed gate in the store: the last word on what may be written down, whoever asks. And a canary, which is nobody's. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { landDelegation } from "../../src/delegation/decide.ts";
import { approvalPredicate } from "../../src/domain/approval.ts";
import type { Event } from "../../src/domain/event.ts";
import { type HostKey, loadHostKey } from "../../src/gate/keys.ts";
import { accountsFor } from "../../src/host/accounts.ts";
import { openStore, type Store } from "../../src/host/store.ts";
import { openLedger } from "../../src/ledger/open.ts";
import { approved } from "../delegation/approved.ts";
import { makeSigner } from "../ledger/signing.ts";
import { as, type Bench, bench, commit, owner } from "../worktree/fixture.ts";

let directory: string;
let b: Bench;
let key: HostKey;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "sallyport-gate-"));
  b = await bench();
  const base = await commit(b.repo, "mkdir src; printf 'export const sum = (a, b) =>\\n  a - b;\\n' > src/sum.mjs");
  await as(owner, b.repo, "git", "update-ref", "refs/heads/target", base);
  key = await loadHostKey(join(b.root, "keys"));
});
afterAll(async () => {
  await b?.clean();
  await rm(directory, { recursive: true, force: true });
});

async function withStore(use: (store: Store, reopen: () => Promise<Store>) => Promise<void>): Promise<void> {
  const at = await mkdtemp(join(directory, "ledger-"));
  const open = () => openLedger({ directory: at, now: () => new Date(), sign: makeSigner().sign });
  const storeOf = async (ledger: Awaited<ReturnType<typeof open>>) =>
    openStore(
      ledger,
      () => {},
      () => {},
    );
  let ledger = await open();
  try {
    await use(await storeOf(ledger), async () => {
      await ledger.close();
      ledger = await open();
      return storeOf(ledger);
    });
  } finally {
    await ledger.close();
  }
}

const image = `sha256:${"c".repeat(64)}`;
const canary = "c-aaaaaaaaaaaaaaaa";
const judged = (approves: boolean, label: "bad" | "good" = "bad"): Event => ({
  type: "canary.judged",
  delegation: canary,
  data: {
    case: "some-case",
    label,
    harness: "skeptic",
    image,
    policy: "base",
    approved: approves,
    hard: false,
    reasons: [],
  },
});
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: { code?: string }) => error.code ?? String(error),
  );
/** The events of an approved delegation, those up to its verdict and the approval. */
async function events() {
  const a = await approved(b.root, b.repo, key, { ref: "refs/heads/target" });
  return { a, log: a.store.log.slice(0, -1), approval: a.store.log.at(-1) as Event };
}

describe("the store with a closed gate", () => {
  it("takes no approval, from the judgement on and before any line says so; with an open one it does", async () => {
    const { log, approval } = await events();
    await withStore(async (store) => {
      for (const event of log) await store.append(event);
      await store.append(judged(true));
      expect(store.gate().closed?.canary).toBe(canary);
      expect(await code(store.append(approval))).toBe("gate-closed");
      await store.append({ type: "gate.opened", data: { by: "default", reason: "another image" } });
      expect(await code(store.append(approval))).toBe("done");
    });
  });

  it("begins no landing: the ref stays; and a canary rightly rejected stops nothing", async () => {
    const { a, log, approval } = await events();
    await withStore(async (store) => {
      const tools = { ...a.tools, record: store.record, append: store.append };
      for (const event of [...log, approval]) await store.append(event);
      await store.append(judged(true));
      const tip = () => as(owner, b.repo, "git", "rev-parse", "refs/heads/target");
      const before = await tip();
      expect(await code(landDelegation(a.id, "refs/heads/target", tools))).toBe("gate-closed");
      // Nor by way of another target, which takes a new approval.
      expect(await code(landDelegation(a.id, "refs/heads/elsewhere", tools))).toBe("gate-closed");
      expect(await tip()).toBe(before);
      await store.append({ type: "gate.opened", data: { by: "default", reason: "another image" } });
      await store.append(judged(false));
      await store.append(judged(false, "good"));
      expect(await code(landDelegation(a.id, "refs/heads/target", tools))).toBe("done");
      expect(await tip()).not.toBe(before);
    });
  });

  it("is as closed after a restart", async () => {
    await withStore(async (store, reopen) => {
      await store.append(judged(true));
      const again = await reopen();
      expect(again.gate().closed).toMatchObject({ by: "calibration", canary });
    });
  });

  it("decides one after the other: an approval that comes with the judgement is too late", async () => {
    const { log, approval } = await events();
    await withStore(async (store) => {
      for (const event of log) await store.append(event);
      const [first, second] = await Promise.all([code(store.append(judged(true))), code(store.append(approval))]);
      expect([first, second]).toEqual(["done", "gate-closed"]);
    });
  });
});

describe("a canary is nobody's", () => {
  it("no event about it makes a delegation, and none that would is taken further", async () => {
    const { log, approval } = await events();
    await withStore(async (store) => {
      for (const event of log) {
        const forged = { ...event, delegation: canary } as Event;
        await code(store.append(forged));
        expect(store.find(canary)).toBeUndefined();
      }
      await code(store.append({ ...approval, delegation: canary } as Event));
      expect(store.find(canary)).toBeUndefined();
      expect(store.list()).toEqual([]);
      expect(() => store.record(canary)).toThrow(/no delegation/);
    });
  });

  it("no approval can name it", async () => {
    const { approval } = await events();
    const { predicate } = (approval as Extract<Event, { type: "delegation.approved" }>).data;
    expect(approvalPredicate.safeParse(predicate).success).toBe(true);
    expect(approvalPredicate.safeParse({ ...predicate, delegation: canary }).success).toBe(false);
  });

  it("it spends on no delegation's account", () => {
    const find = () => {
      throw new Error("none");
    };
    const accounts = accountsFor({ budgets: { executorDay: {} } }, { record: find });
    expect(accounts({ role: "verifier", delegation: canary }, new Date())).toEqual([]);
  });
});
