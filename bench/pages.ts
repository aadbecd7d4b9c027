/** What people look at, with 10,000 delegations: one page's lines against reading the ledger for them, and one list against all records. */
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Event } from "../src/domain/event.ts";
import { foldDelegation, unreadChain } from "../src/host/page/delegation-page.ts";
import { listSummaries } from "../src/host/page/list.ts";
import { openStore } from "../src/host/store.ts";
import { openLedger } from "../src/ledger/open.ts";
import { readEntries } from "../src/ledger/read.ts";
import { briefOf, freshId, images } from "../test/delegation/approved.ts";
import { digest, oid, policyOf } from "../test/gate/samples.ts";
import { type Figure, sideBySide, timed } from "./measure.ts";

const delegations = 10_000;
const linesOfOne = 20;

export async function pageFigures(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), "sallyport-bench-"));
  const { privateKey } = generateKeyPairSync("ed25519");
  const ledger = await openLedger({
    directory,
    now: () => new Date(),
    sign: (bytes) => ({ keyid: digest("0"), signature: sign(null, bytes, privateKey).toString("base64") }),
  });
  const fault = (error: unknown) => {
    throw error;
  };
  try {
    const store = await openStore(ledger, fault, fault);
    const sandbox = `s-${"a".repeat(16)}`;
    const request: Event["data"] = {
      sandbox,
      method: "GET",
      url: "https://registry.npmjs.org/left-pad",
      decision: "allow",
      code: "allowed",
      rule: "network[0] registry.npmjs.org",
      sent: 0,
      received: 1024,
      milliseconds: 3,
    };
    const ids: string[] = [];
    const policy = policyOf();
    for (let n = 0; n < delegations; n++) {
      const delegation = freshId();
      ids.push(delegation);
      const data = {
        repository: "/srv/r.git",
        base: oid("0"),
        ref: "refs/heads/main",
        planner: "default",
        brief: briefOf({ title: `Work number ${n}` }),
        checkFiles: {},
        policy,
        policyDigest: digest("6"),
        briefDigest: digest("2"),
        images,
      };
      store.note({ type: "delegation.accepted", delegation, data });
      for (let line = 1; line < linesOfOne; line++) store.note({ type: "request", delegation, data: request } as Event);
      if (n % 100 === 99) await ledger.flush();
    }
    await ledger.flush();
    const one = ids[delegations >> 1] as string;
    const paged = async (lines: AsyncIterable<Parameters<ReturnType<typeof foldDelegation>["add"]>[0]>) => {
      const fold = foldDelegation(one);
      for await (const entry of lines) fold.add(entry);
      fold.page({ chain: unreadChain });
    };
    const nobody = (): never => {
      throw new Error("there is none");
    };
    const list = listSummaries({ store, viewPlan: nobody, viewMission: nobody });
    return [
      await sideBySide(
        { name: "a page among 10,000 delegations", unit: "ms", peer: "reading the ledger for it", runs: 5 },
        () => timed(() => paged(ledger.read({ delegation: one }))),
        () => timed(() => paged(readEntries(directory, ledger.head(), { delegation: one }))),
      ),
      await sideBySide(
        { name: "the first 50 of 10,000 delegations", unit: "ms", peer: "JSON of all records", runs: 9 },
        () => timed(async () => JSON.stringify(list.page({ limit: 50 }))),
        () => timed(async () => JSON.stringify(store.list())),
      ),
      await sideBySide(
        { name: "50 of 10,000 by words and state", unit: "ms", peer: "JSON of all records", runs: 9 },
        () => timed(async () => JSON.stringify(list.page({ limit: 50, state: "accepted", q: "number 77" }))),
        () => timed(async () => JSON.stringify(store.list())),
      ),
    ];
  } finally {
    await ledger.close();
    await rm(directory, { recursive: true, force: true });
  }
}
