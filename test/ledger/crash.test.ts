import { type ChildProcess, execFile, spawn } from "node:child_process";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Entry } from "../../src/domain/event.ts";
import { type Ledger, openLedger } from "../../src/ledger/open.ts";
import { verifyLedger } from "../../src/ledger/verify.ts";
import { makeSigner, numbered } from "./signing.ts";

const run = promisify(execFile);
const signer = makeSigner();
let root: string;
let directory: string;
let child: ChildProcess | undefined;
let mounted: string | undefined;
const opened: Ledger[] = [];
const start = async (segmentBytes = 64 * 1024 ** 2, at = directory) => {
  const ledger = await openLedger({ directory: at, now: () => new Date(), sign: signer.sign, segmentBytes });
  opened.push(ledger);
  return ledger;
};
const last = () => join(directory, "00000001.jsonl");

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "ledger-crash-"));
  directory = join(root, "ledger");
});
afterEach(async () => {
  child?.kill("SIGKILL");
  child = undefined;
  for (const ledger of opened.splice(0)) await ledger.close().catch(() => undefined);
  if (mounted) await run("umount", ["-l", mounted]);
  mounted = undefined;
  await rm(root, { recursive: true, force: true });
});

describe("kill -9", () => {
  test("what was acknowledged is there when the ledger is opened again, and the chain holds", async () => {
    const seen = new Map<number, string>();
    for (let round = 0; round < 6; round++) {
      const script = join(import.meta.dirname, "append-forever.ts");
      child = spawn(process.execPath, [script, directory], { stdio: ["ignore", "pipe", "inherit"] });
      let output = "";
      child.stdout?.on("data", (chunk) => {
        output += String(chunk);
      });
      const ended = new Promise((resolve) => child?.on("close", resolve));
      const deadline = Date.now() + 20_000;
      while (output.length < 2000 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
      await new Promise((resolve) => setTimeout(resolve, 50 + round * 31));
      child.kill("SIGKILL");
      await ended;
      for (const line of output.split("\n").slice(0, -1)) {
        const [seq, hash = ""] = line.split(" ");
        seen.set(Number(seq), hash);
      }
      const ledger = await start(20_000);
      const hashes = new Map<number, string>();
      for await (const entry of ledger.read()) hashes.set(entry.seq, entry.hash);
      for (const [seq, hash] of seen) expect(hashes.get(seq), `seq ${seq}`).toBe(hash);
      await ledger.close();
    }
    expect(seen.size).toBeGreaterThan(100);
    const anySigner = { verifySignature: () => true };
    expect(await verifyLedger(directory, anySigner)).toMatchObject({ ok: true });
  });
});

describe("a torn last line", () => {
  test.each([
    ["half a line", '{"data":{"reason":"x'],
    ["zeros", "\0".repeat(512)],
    ["a whole line without its newline", "whole"],
  ])("%s is cut, kept aside and said", async (_, tail) => {
    const before = await start();
    await before.append(numbered(1));
    await before.append(numbered(2));
    const head = before.head();
    if (tail === "whole") {
      await before.append(numbered(3));
      const text = await readFile(last(), "utf8");
      await truncate(last(), Buffer.byteLength(text) - 1);
    } else await appendFile(last(), tail);

    const ledger = await start();
    const entries: Entry[] = [];
    for await (const entry of ledger.read()) entries.push(entry);
    expect(entries.map(({ type }) => type)).toEqual(["host.stopped", "host.stopped", "recovered"]);
    expect(entries[2]).toMatchObject({ seq: 3, prev: head.hash, data: { kept: "torn-3" } });
    const kept = await readFile(join(directory, "torn-3"), "utf8");
    if (tail !== "whole") expect(kept).toBe(tail);
    else expect(kept).toMatch(/"seq":3/);
    await ledger.close();
    expect(await verifyLedger(directory, signer)).toMatchObject({ ok: true });
  });

  test("a clean end is left as it is", async () => {
    const before = await start();
    await before.append(numbered(1));
    await before.close();
    const after = await start();
    expect(after.head().seq).toBe(2);
    await after.append(numbered(2));
    await after.close();
    expect((await readdir(directory)).sort()).toEqual(["00000001.jsonl", "00000002.jsonl"]);
    expect(await verifyLedger(directory, signer)).toMatchObject({ ok: true, segments: 2 });
  });

  test("anything else that is wrong keeps it closed, and names the line", async () => {
    const before = await start(1500);
    for (let i = 0; i < 12; i++) await before.append(numbered(i));
    const files = (await readdir(directory)).sort();
    const path = join(directory, files.at(-1) ?? "");
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace(/"reason":"1/, '"reason":"9'));
    await expect(start()).rejects.toMatchObject({
      code: "ledger-broken",
      message: expect.stringMatching(/\.jsonl:\d+ hash/),
    });
    await writeFile(path, text);
    await (await start()).close();
    const gone = join(directory, files.at(-2) ?? "");
    const middle = await readFile(gone, "utf8");
    await writeFile(gone, middle.split("\n").slice(0, -2).join("\n").concat("\n"));
    await expect(start()).rejects.toMatchObject({ code: "ledger-broken" });
    await rm(gone);
    await expect(start()).rejects.toMatchObject({
      code: "ledger-broken",
      message: expect.stringMatching(/expected segment/),
    });
  });

  test("a second writer is noticed, and both stop instead of writing over each other", async () => {
    const first = await start();
    await first.append(numbered(1));
    const second = await start();
    await second.append(numbered(2));
    await expect(first.append(numbered(3))).rejects.toMatchObject({
      code: "ledger-failed",
      message: expect.stringMatching(/someone else/),
    });
  });
});

describe("a full disk", () => {
  test("every waiting append is refused, nothing of it is there later, and room lets a new opening go on", async () => {
    const small = join(root, "small");
    await mkdir(small);
    const image = join(root, "small.img");
    await writeFile(image, "");
    await truncate(image, 1024 ** 2);
    await run("mke2fs", ["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", image]);
    await run("mount", ["-o", "loop", image, small]);
    mounted = small;
    const at = join(small, "ledger");
    const ledger = await start(undefined, at);
    const durable: number[] = [];
    let failure: unknown;
    for (let i = 0; i < 200 && failure === undefined; i++) {
      const group = await Promise.allSettled(
        [1, 2, 3].map((n) => ledger.append(numbered(i * 10 + n, "x".repeat(5000)))),
      );
      for (const result of group) {
        if (result.status === "fulfilled") durable.push(result.value.seq);
        else failure = result.reason;
      }
      if (failure !== undefined) expect(group.every(({ status }) => status === "rejected")).toBe(true);
    }
    expect(failure).toMatchObject({ code: "ledger-failed", message: expect.stringMatching(/ENOSPC/) });
    expect(durable.length).toBeGreaterThan(10);
    // Small enough to fit again: refused all the same, until it is opened anew.
    await expect(ledger.append(numbered(1))).rejects.toMatchObject({ code: "ledger-failed" });
    expect(ledger.failure()?.code).toBe("ledger-failed");
    ledger.record(numbered(2));
    await expect(ledger.close()).rejects.toMatchObject({ code: "ledger-failed" });

    expect(await verifyLedger(at, signer)).toMatchObject({ ok: true, head: { seq: durable.at(-1) } });
    const again = await start(undefined, at);
    expect(again.head().seq).toBe(durable.at(-1));
    expect(await again.append(numbered(1))).toMatchObject({ seq: (durable.at(-1) ?? 0) + 1 });
    await again.close();
  });
});
