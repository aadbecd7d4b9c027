import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { canonicalJson } from "../../src/domain/canonical.ts";
import type { Entry, Event } from "../../src/domain/event.ts";
import { foldEntries } from "../../src/ledger/fold.ts";
import { genesis } from "../../src/ledger/line.ts";
import { type Ledger, openLedger } from "../../src/ledger/open.ts";
import { verifyLedger } from "../../src/ledger/verify.ts";
import { makeSigner, numbered } from "./signing.ts";

let directory: string;
let ledger: Ledger | undefined;
const signer = makeSigner();
const start = async (segmentBytes?: number) => {
  ledger = await openLedger({
    directory,
    now: () => new Date(),
    sign: signer.sign,
    ...(segmentBytes ? { segmentBytes } : {}),
  });
  return ledger;
};
const all = async (entries: AsyncIterable<Entry>) =>
  foldEntries<Entry[]>(entries, [], (list, entry) => [...list, entry]);
const lines = async (name = "00000001.jsonl") =>
  (await readFile(join(directory, name), "utf8")).split("\n").slice(0, -1);

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), "ledger-")), "ledger");
});
afterEach(async () => {
  await ledger?.close().catch(() => undefined);
  ledger = undefined;
  await rm(join(directory, ".."), { recursive: true, force: true });
});

describe("a line", () => {
  test("is the canonical JSON of its entry, and its hash is over the same without `hash`", async () => {
    await start();
    const event: Event = {
      type: "request",
      delegation: "d-abcdefgh23456722",
      data: {
        sandbox: "s-abcdefgh23456722",
        method: "GET",
        url: 'https://a/"\u2028\\"hash":"é\n',
        decision: "deny",
        code: "no-rule",
        rule: "none",
        sent: 0,
        received: 15,
        milliseconds: 2,
      },
    };
    const entry = (await ledger?.append(event)) as Entry;
    const [line = ""] = await lines();
    expect(line).toBe(canonicalJson(JSON.parse(line)));
    expect(JSON.parse(line)).toEqual(entry);
    const { hash, ...rest } = entry;
    expect(hash).toBe(createHash("sha256").update(canonicalJson(rest)).digest("hex"));
    expect(entry).toMatchObject({ seq: 1, prev: genesis, ...event });
  });

  test("any text that an event may hold comes back as it was, and verifies", async () => {
    await start(4000);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", maxLength: 50 }), fc.jsonValue(), async (text, value) => {
        const event: Event = {
          type: "sandbox.started",
          data: {
            sandbox: "s-abcdefgh23456722",
            attempt: 1,
            role: "executor",
            purpose: text,
            image: `sha256:${"0".repeat(64)}`,
            engine: text,
            controls: { value },
          },
        };
        let canonical: string;
        try {
          canonical = canonicalJson(event.data);
        } catch {
          await expect(ledger?.append(event)).rejects.toMatchObject({ code: "internal" });
          return;
        }
        const entry = (await ledger?.append(event)) as Entry;
        expect(canonicalJson(entry.data)).toBe(canonical);
      }),
      { numRuns: 100 },
    );
    await ledger?.close();
    expect(await verifyLedger(directory, signer)).toMatchObject({ ok: true });
  });
});

describe("append", () => {
  test("keeps the order of the calls, whatever waits and whatever does not, and tells listeners in it", async () => {
    await start();
    const told: string[] = [];
    const stop = ledger?.subscribe((entry) => told.push((entry.data as { reason: string }).reason));
    const waiting: (Promise<Entry> | undefined)[] = [];
    for (let i = 0; i < 500; i++) {
      if (i % 3 === 0) ledger?.record(numbered(i));
      else waiting.push(ledger?.append(numbered(i)));
    }
    const entries = await Promise.all(waiting);
    await ledger?.flush();
    stop?.();
    await ledger?.append(numbered(1000));
    const written = (await lines()).map((line) => (JSON.parse(line) as { data: { reason: string } }).data.reason);
    expect(written).toEqual([...Array.from({ length: 500 }, (_, i) => String(i)), "1000"]);
    expect(told).toEqual(written.slice(0, -1));
    expect(entries.map((entry) => entry?.seq)).toEqual(
      entries.map((entry) => (entry?.type === "host.stopped" ? Number(entry.data.reason) + 1 : 0)),
    );
  });

  test("many appends at once are few writes", async () => {
    await start();
    await ledger?.append(numbered(0));
    const writes = async () => Number(/syscw: (\d+)/.exec(await readFile("/proc/self/io", "utf8"))?.[1]);
    const before = await writes();
    await Promise.all(Array.from({ length: 1000 }, (_, i) => ledger?.append(numbered(i))));
    expect((await writes()) - before).toBeLessThan(200);
  });

  test("a recorded event is written without an append, soon", async () => {
    await start();
    ledger?.record(numbered(1));
    const end = Date.now() + 5000;
    while (ledger?.head().seq === 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(ledger?.head().seq).toBe(1);
  });

  test("an invalid event is refused before it has a place, and the next one takes it", async () => {
    await start();
    const bad = [
      { type: "host.stopped", data: { reason: 1 } },
      { type: "host.stopped", data: { reason: "x", more: 1 } },
      { type: "no.such", data: {} },
      { type: "toString", data: {} },
      { type: "host.stopped", delegation: "../x", data: { reason: "x" } },
      { type: "host.stopped", data: { reason: "half \ud800" } },
    ] as unknown as Event[];
    for (const event of bad) {
      await expect(ledger?.append(event)).rejects.toMatchObject({ code: "internal" });
      expect(() => ledger?.record(event)).toThrow(/not valid/);
    }
    expect(await ledger?.append(numbered(1))).toMatchObject({ seq: 1 });
    expect(await lines()).toHaveLength(1);
  });

  test("an event changed after the call is recorded as it was called", async () => {
    await start();
    const event = { type: "host.stopped" as const, data: { reason: "before" } };
    const appended = ledger?.append(event);
    event.data.reason = "after";
    expect((await appended)?.data).toEqual({ reason: "before" });
  });

  test("after close nothing is taken", async () => {
    await start();
    await ledger?.append(numbered(1));
    await ledger?.close();
    await expect(ledger?.append(numbered(2))).rejects.toMatchObject({ code: "ledger-failed" });
    await ledger?.close();
    expect((await lines()).map((line) => (JSON.parse(line) as Entry).type)).toEqual(["host.stopped", "segment.closed"]);
  });
});

test("appends one after the other never wait for a run that has just ended", async () => {
  await start();
  for (let i = 1; i <= 2000; i++) {
    expect((await ledger?.append(numbered(i)))?.seq).toBe(i);
    if (i % 7 === 0) await Promise.resolve();
    if (i % 11 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
});

describe("segments", () => {
  test("rotate at their size, each closed with a signed head, and read as one", async () => {
    await start(3000);
    for (let i = 0; i < 5; i++)
      await Promise.all(Array.from({ length: 10 }, (_, n) => ledger?.append(numbered(i * 10 + n))));
    const files = (await readdir(directory)).sort();
    expect(files.length).toBeGreaterThan(3);
    for (const file of files.slice(0, -1)) {
      expect((JSON.parse((await lines(file)).at(-1) ?? "") as Entry).type).toBe("segment.closed");
      expect((await stat(join(directory, file))).size).toBeLessThan(6000);
    }
    const entries = await all(ledger?.read() as AsyncIterable<Entry>);
    expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: entries.length }, (_, i) => i + 1));
    expect(entries.filter(({ type }) => type === "host.stopped")).toHaveLength(50);
    const later = await all(ledger?.read({ from: 40 }) as AsyncIterable<Entry>);
    expect(later).toEqual(entries.slice(39));
    await ledger?.close();
    expect(await verifyLedger(directory, signer)).toMatchObject({
      ok: true,
      signedUpTo: ledger?.head().seq,
      lines: ledger?.head().seq,
    });
  });

  test("are for the daemon's eyes only", async () => {
    await start();
    await ledger?.append(numbered(1));
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, "00000001.jsonl"))).mode & 0o777).toBe(0o600);
  });
});

describe("read", () => {
  test("gives one delegation's entries, up to the head at the time of the call", async () => {
    await start();
    const mine: Event = {
      type: "delegation.stuck",
      delegation: "d-abcdefgh23456722",
      data: { attempt: 1, reason: "r" },
    };
    await ledger?.append(numbered(1));
    await ledger?.append(mine);
    const reading = ledger?.read({ delegation: "d-abcdefgh23456722" }) as AsyncIterable<Entry>;
    await ledger?.append({ ...mine });
    expect(await all(reading)).toHaveLength(1);
    expect(await all(ledger?.read({ from: 3 }) as AsyncIterable<Entry>)).toHaveLength(1);
    expect(await all(ledger?.read({ from: 99 }) as AsyncIterable<Entry>)).toHaveLength(0);
  });
});
