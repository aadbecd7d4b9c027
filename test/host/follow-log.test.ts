/** Following a log: every line once, in order, however slow the reader; and no more waits for it than a bounded queue. */
import { describe, expect, it } from "vitest";
import type { Entry } from "../../src/domain/event.ts";
import { followLog } from "../../src/host/wait.ts";
import { numbered } from "../ledger/signing.ts";
import { openApiRig } from "./api-rig.ts";

describe("following a log", () => {
  it("gives every line once to a reader that is far behind, and ends when it is told", async () => {
    await using rig = await openApiRig();
    const { ledger } = rig.store;
    for (let n = 1; n <= 10; n++) await rig.store.append(numbered(n));
    let over = false;
    const all = { from: 0, matches: (entry: Entry) => entry.type === "host.stopped" };
    const lines = followLog(ledger, all, () => over);
    const got: number[] = [];
    const take = async () => {
      const { value, done } = await lines.next();
      if (!done) got.push((JSON.parse(value) as Entry).seq);
      return done;
    };
    for (let n = 1; n <= 10; n++) await take();
    // It waits with its line in hand while three times as many come as may wait for it.
    const waiting = take();
    for (let n = 11; n <= 3010; n += 100)
      await Promise.all(Array.from({ length: 100 }, (_, more) => rig.store.append(numbered(n + more))));
    await waiting;
    over = true;
    while (!(await take()));
    expect(got).toEqual(Array.from({ length: 3010 }, (_, index) => index + 1));
  }, 60_000);
});
