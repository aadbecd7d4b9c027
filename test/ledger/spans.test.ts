/** Reading one delegation's lines where they are, and a chain that is followed while it is written. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Entry, Event } from "../../src/domain/event.ts";
import { ChainFollower } from "../../src/ledger/follow-chain.ts";
import { type Ledger, openLedger } from "../../src/ledger/open.ts";
import { makeSigner } from "./signing.ts";

const signer = makeSigner();
let directory: string;
let ledger: Ledger;
const open = () =>
  openLedger({ directory, now: () => new Date("2026-03-01T12:00:00Z"), sign: signer.sign, segmentBytes: 20_000 });
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "spans-"));
  ledger = await open();
});
afterEach(async () => {
  await ledger.close().catch(() => {});
  rmSync(directory, { recursive: true, force: true });
});

const ids = ["d-aaaaaaaaaaaaaaaa", "d-bbbbbbbbbbbbbbbb", "d-cccccccccccccccc"];
const said = (n: number, of = ids[n % ids.length] as string): Event => ({
  type: "delegation.discarded",
  delegation: of,
  data: { by: `line ${n} ${"x".repeat(n % 300)}` },
});
async function all(lines: AsyncIterable<Entry>): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const entry of lines) found.push(entry);
  return found;
}
const write = async (from: number, to: number) => {
  for (let n = from; n < to; n++) ledger.record(said(n));
  await ledger.flush();
};
const file = (n: number) =>
  join(
    directory,
    readdirSync(directory)
      .filter((name) => name.endsWith(".jsonl"))
      .sort()[n] as string,
  );

describe("one delegation's lines", () => {
  it("are the same by their places as by reading everything, over segments, after a restart, and from a seq on", async () => {
    await write(0, 300);
    await ledger.close();
    ledger = await open();
    const whole = await all(ledger.read());
    expect(readdirSync(directory).length).toBeGreaterThan(3);
    await write(300, 400);
    const late = await all(ledger.read());
    for (const id of [...ids, "d-dddddddddddddddd"]) {
      expect(await all(ledger.read({ delegation: id }))).toEqual(late.filter((entry) => entry.delegation === id));
      const from = whole.length - 50;
      const tail = late.filter((entry) => entry.delegation === id && entry.seq >= from);
      expect(await all(ledger.read({ delegation: id, from }))).toEqual(tail);
    }
  });

  it("cost what they are: a bad line elsewhere is not read, and one of its own is found", async () => {
    for (const _ of await all(ledger.read())) throw new Error("empty");
    await ledger.append(said(1, ids[0]));
    await write(0, 400);
    for (let n = 0; n < 300; n++) await ledger.append(said(n, ids[1]));
    const path = file(readdirSync(directory).length - 1);
    const text = readFileSync(path, "utf8");
    const lines = text.split("\n");
    const at = lines.findLastIndex((line) => line.includes(ids[1] as string));
    lines[at] = (lines[at] as string).replace("line", "LINE");
    writeFileSync(path, lines.join("\n"));
    expect((await all(ledger.read({ delegation: ids[2] as string }))).length).toBe(133);
    await expect(all(ledger.read({ delegation: ids[1] as string }))).rejects.toMatchObject({ code: "ledger-broken" });
    writeFileSync(path, text);
    expect((await all(ledger.read({ delegation: ids[1] as string }))).length).toBeGreaterThan(300);
  });
});

describe("a chain that is followed", () => {
  it("is whole up to the head, goes on where it was, and ends at the first bad line", async () => {
    const follower = new ChainFollower(directory, signer.verifySignature);
    expect(await follower.advance(ledger.head())).toMatchObject({ head: { seq: 0 }, signedUpTo: null });
    await write(0, 200);
    const first = await follower.advance(ledger.head());
    expect(first).toMatchObject({ head: ledger.head() });
    expect(first.broken).toBeUndefined();
    expect(first.signedUpTo).toBeGreaterThan(0);
    await write(200, 300);
    expect(await follower.advance(ledger.head())).toMatchObject({ head: ledger.head() });
    const path = file(0);
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace("line 7 ", "line 8 "));
    // What was verified before is not looked at again, until somebody asks for that.
    expect((await follower.advance(ledger.head())).broken).toBeUndefined();
    const again = await follower.advance(ledger.head(), true);
    expect(again.broken).toMatchObject({ at: `${path}:8` });
    writeFileSync(path, text);
    expect((await follower.advance(ledger.head(), true)).broken).toBeUndefined();
  });

  it("is broken where a segment is missing, or its signature is another's", async () => {
    await write(0, 200);
    const other = new ChainFollower(directory, () => false);
    expect((await other.advance(ledger.head())).broken?.problem).toContain("signature");
    const path = file(1);
    const text = readFileSync(path);
    rmSync(path);
    const follower = new ChainFollower(directory, signer.verifySignature);
    expect((await follower.advance(ledger.head())).broken?.problem).toContain("ENOENT");
    writeFileSync(path, text);
  });
});
