import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { canonicalJson } from "../../src/domain/canonical.ts";
import { formLine, genesis, type Head } from "../../src/ledger/line.ts";
import { type Ledger, openLedger } from "../../src/ledger/open.ts";
import { verifyLedger } from "../../src/ledger/verify.ts";
import { makeSigner, numbered } from "./signing.ts";

const signer = makeSigner();
let root: string;
let good: string;
let copy: string;
let head: Head;
let files: string[];
let ledger: Ledger;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "ledger-verify-"));
  good = join(root, "good");
  copy = join(root, "copy");
  ledger = await openLedger({
    directory: good,
    now: () => new Date("2026-01-02T03:04:05Z"),
    sign: signer.sign,
    segmentBytes: 1500,
  });
  for (let i = 0; i < 20; i++) await ledger.append(numbered(i, "é"));
  head = ledger.head();
  files = (await readdir(good)).sort();
  expect(files.length).toBeGreaterThan(2);
});
beforeEach(async () => {
  await rm(copy, { recursive: true, force: true });
  await cp(good, copy, { recursive: true });
});
afterAll(async () => {
  await ledger?.close();
  await rm(root, { recursive: true, force: true });
});

const check = (anchor?: Head, directory = copy) =>
  verifyLedger(directory, { ...signer, ...(anchor ? { anchor } : {}) });
const read = async (name: string) => (await readFile(join(good, name), "utf8")).split("\n").slice(0, -1);
const write = (name: string, lines: string[]) => writeFile(join(copy, name), lines.map((line) => `${line}\n`).join(""));

describe("a good ledger", () => {
  test("verifies, and what it cannot prove is said", async () => {
    const plain = await check();
    expect(plain).toMatchObject({ ok: true, lines: head.seq, segments: files.length, head });
    expect(plain.ok && plain.cannotProve).toMatch(/cut off.*nor who wrote the lines after seq/);
    const anchored = await check(head);
    expect(anchored).toMatchObject({ ok: true, cannotProve: "" });
    expect(plain.ok && plain.signedUpTo).toBeGreaterThan(5);
  });

  test("an empty one verifies too, and a missing one does not", async () => {
    await rm(copy, { recursive: true });
    await expect(check()).rejects.toMatchObject({ code: "ledger-broken" });
    const empty = await openLedger({ directory: copy, now: () => new Date(), sign: signer.sign });
    await empty.close();
    expect(await check()).toMatchObject({ ok: true, lines: 0, signedUpTo: null, head: { seq: 0, hash: genesis } });
    expect(await check(head)).toMatchObject({ ok: false, problem: expect.stringMatching(/tail is missing/) });
  });

  test("while it is written, it verifies up to a durable head", async () => {
    const lines = await read(files.at(-1) ?? "");
    await writeFile(join(copy, files.at(-1) ?? ""), `${lines.join("\n")}\n{"data":{`);
    expect(await check()).toMatchObject({ ok: false, problem: expect.stringMatching(/not finished/) });
    expect(await verifyLedger(copy, { ...signer, upTo: head.seq })).toMatchObject({ ok: true, lines: head.seq });
  });
});

describe("no change goes unseen (L1)", () => {
  test("any one byte, any one bit of it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), async (f, offset, flip) => {
        const name = files[f % files.length] ?? "";
        const bytes = await readFile(join(good, name));
        const at = offset % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        await writeFile(join(copy, name), bytes);
        const result = await check();
        await cp(join(good, name), join(copy, name));
        expect(result.ok).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  test("a line deleted, duplicated or swapped with its neighbour, and the first bad line is named", async () => {
    for (const name of files) {
      const lines = await read(name);
      for (let i = 0; i < lines.length; i++) {
        const lastOfAll = name === files.at(-1) && i === lines.length - 1;
        const line = lines[i] ?? "";
        await write(name, lines.toSpliced(i, 1));
        const deleted = await check(head);
        expect(deleted.ok, `deleted ${name}:${i + 1}`).toBe(false);
        if (!deleted.ok && i < lines.length - 1) expect(deleted).toMatchObject({ file: join(copy, name), line: i + 1 });
        if (lastOfAll) expect(deleted).toMatchObject({ problem: expect.stringMatching(/tail is missing/) });
        await write(name, lines.toSpliced(i, 0, line));
        expect(await check()).toMatchObject({ ok: false, file: join(copy, name), line: i + 2 });
        if (i + 1 < lines.length) {
          await write(name, lines.toSpliced(i, 2, lines[i + 1] ?? "", line));
          expect(await check()).toMatchObject({ ok: false, file: join(copy, name), line: i + 1 });
        }
      }
      await cp(join(good, name), join(copy, name));
    }
  });

  test("a cut tail is seen with an anchor, and without one it says that it cannot tell", async () => {
    const name = files.at(-1) ?? "";
    const lines = await read(name);
    await write(name, lines.slice(0, -1));
    expect(await check(head)).toMatchObject({ ok: false, seq: head.seq });
    const blind = await check();
    expect(blind).toMatchObject({
      ok: true,
      cannotProve: expect.stringMatching(/cannot tell that nothing was cut off/),
    });
  });

  test("a segment missing, renamed or in another's place", async () => {
    await rm(join(copy, files[0] ?? ""));
    expect(await check()).toMatchObject({ ok: false, problem: expect.stringMatching(/segment 1 is missing/) });
    await cp(join(good, files[1] ?? ""), join(copy, files[0] ?? ""));
    expect((await check()).ok).toBe(false);
  });

  test("another chain in its place: by another key, or by the same before the anchor", async () => {
    const stranger = makeSigner();
    const other = join(root, "other");
    const ledger = await openLedger({
      directory: other,
      now: () => new Date(),
      sign: stranger.sign,
      segmentBytes: 2500,
    });
    for (let i = 0; i < 20; i++) await ledger.append(numbered(i, "z"));
    await ledger.close();
    expect(await check(undefined, other)).toMatchObject({ ok: false, problem: expect.stringMatching(/signature/) });
    expect(await verifyLedger(other, { ...stranger, anchor: head })).toMatchObject({ ok: false, seq: head.seq });
    expect(await verifyLedger(other, stranger)).toMatchObject({ ok: true });
    await rm(other, { recursive: true });
  });

  test("a closed segment rewritten with a chain that holds is not what was signed", async () => {
    const name = files[0] ?? "";
    const entries = (await read(name)).map(
      (line) => JSON.parse(line) as { data: { reason?: string }; time: string; type: string },
    );
    let place: Head = { seq: 0, hash: genesis };
    const forged = entries.map(({ data, time, type }, i) => {
      const changed = i === 1 ? { reason: "nothing happened" } : data;
      const { line, hash } = formLine(
        { data: canonicalJson(changed), time, type, delegation: undefined },
        place.seq + 1,
        place.hash,
      );
      place = { seq: place.seq + 1, hash };
      return line;
    });
    await write(name, forged);
    expect(await check()).toMatchObject({
      ok: false,
      line: entries.length,
      problem: expect.stringMatching(/signature/),
    });
    await cp(join(good, name), join(copy, name));
    expect(await check()).toMatchObject({ ok: true });
  });
});

describe("one canonical form (L2)", () => {
  test.each<[string, (line: string) => string]>([
    ["a space", (line) => line.replace('"data":', '"data": ')],
    [
      "keys in another order",
      (line) => {
        const { data, ...rest } = JSON.parse(line);
        return JSON.stringify({ ...rest, data });
      },
    ],
    ["a duplicate key", (line) => line.replace('"seq":1,', '"seq":1,"seq":1,')],
    ["a duplicate key within", (line) => line.replace('{"reason":', '{"reason":"no","reason":')],
    ["an escape that need not be", (line) => line.replace("é", "\\u00e9")],
    ["half of a surrogate pair", (line) => line.replace("é", "\\ud800")],
    ["a number in another spelling", (line) => line.replace('"seq":1,', '"seq":1.0,')],
    ["another member", (line) => line.replace(/\}$/, ',"zz":1}')],
    ["a carriage return", (line) => `${line}\r`],
    ["a byte order mark", (line) => `\ufeff${line}`],
    ["an empty line", () => ""],
    ["no object", () => "[]"],
  ])("%s is refused at its line", async (_, change) => {
    const name = files[0] ?? "";
    const lines = await read(name);
    const first = lines[0] ?? "";
    expect(change(first)).not.toBe(first);
    await write(name, lines.with(0, change(first)));
    expect(await check()).toMatchObject({ ok: false, file: join(copy, name), line: 1, seq: 1 });
  });

  test("text that looks like another line stays within its own", async () => {
    const directory = join(root, "forge");
    const ledger = await openLedger({ directory, now: () => new Date(), sign: signer.sign });
    await ledger.append(numbered(1, '"}\n{"data":{},"hash":"0","prev":"0","seq":2,"type":"delegation.approved"}\n'));
    await ledger.append(numbered(2));
    await ledger.close();
    expect(await verifyLedger(directory, signer)).toMatchObject({ ok: true, lines: 3 });
    await rm(directory, { recursive: true });
  });
});
