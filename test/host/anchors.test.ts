/** Heads of the ledger outside: handed out to real files, git refs and commands, and judged when they come back. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AnchorPlace, anchorPlace } from "../../src/domain/anchor.ts";
import type { Event } from "../../src/domain/event.ts";
import { type HostKey, loadHostKey } from "../../src/gate/keys.ts";
import { handOut, readPlace } from "../../src/host/anchor-places.ts";
import { type Anchors, openAnchors } from "../../src/host/anchors.ts";
import { formAnchor, judgeAnchor, readAnchor } from "../../src/ledger/anchor.ts";
import { type Ledger, openLedger } from "../../src/ledger/open.ts";
import { verifyMarked } from "../../src/ledger/verify.ts";
import { numbered } from "../ledger/signing.ts";

let directory: string;
let key: HostKey;
const ledgers: Ledger[] = [];
const open: Anchors[] = [];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "sp-anchor-"));
  chmodSync(directory, 0o755);
  key = await loadHostKey(join(directory, "keys"));
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  for (const one of ledgers.splice(0)) await one.close().catch(() => {});
  rmSync(directory, { recursive: true, force: true });
});

const signBy = (by: HostKey) => (bytes: Uint8Array) => ({
  keyid: by.keyid,
  signature: by.sign(bytes).toString("base64"),
});
async function ledgerIn(name: string, lines: number, by = key): Promise<Ledger> {
  const ledger = await openLedger({
    directory: join(directory, name),
    now: () => new Date("2026-01-01T00:00:00Z"),
    sign: signBy(by),
    segmentBytes: 4000,
  });
  ledgers.push(ledger);
  for (let i = 0; i < lines; i++) await ledger.append(numbered(i, name));
  return ledger;
}
const idOf = async (ledger: Ledger) => {
  for await (const { hash } of ledger.read()) return hash;
  return "";
};
const line = async (ledger: Ledger, head = ledger.head(), by = key) =>
  formAnchor(await idOf(ledger), head, new Date("2026-01-01T00:00:00Z"), signBy(by));
async function judged(name: string, file: string, by: Pick<HostKey, "keyid" | "verify"> = key) {
  const anchor = await readPlace({ file });
  const walked = await verifyMarked(join(directory, name), {
    verifySignature: (keyid, bytes, signature) =>
      keyid === by.keyid && by.verify(bytes, Buffer.from(signature, "base64")),
    marks: new Set(anchor.heads.map(({ seq }) => seq)),
  });
  return judgeAnchor(anchor, walked, by);
}
const file = (...lines: string[]) => {
  const path = join(directory, `heads-${Math.random()}`);
  writeFileSync(path, lines.map((one) => `${one}\n`).join(""));
  return path;
};
const until = async (what: () => boolean | Promise<boolean>) => {
  const end = Date.now() + 60_000;
  while (!(await what())) {
    if (Date.now() > end) throw new Error("it did not come");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

describe("an anchor's verdict", { timeout: 120_000 }, () => {
  it("agrees where every head stands in the ledger, and says up to where", async () => {
    const ledger = await ledgerIn("a", 5);
    const first = await line(ledger);
    await ledger.append(numbered(9));
    const report = await judged("a", file(first, await line(ledger)));
    expect(report).toMatchObject({ verdict: "agrees", fails: false, agreeing: 2, upTo: 6 });
  });

  it("finds a tail that was cut before it", async () => {
    const ledger = await ledgerIn("a", 8);
    const heads = file(await line(ledger));
    await ledger.close();
    const [segment = ""] = readdirSync(join(directory, "a"));
    const path = join(directory, "a", segment);
    writeFileSync(path, readFileSync(path, "utf8").split("\n").slice(0, 5).join("\n").concat("\n"));
    expect(await judged("a", heads)).toMatchObject({ verdict: "ahead", fails: true, says: /cut off its end/ as never });
  });

  it("finds another line in an anchored one's place, and a ledger that was begun anew with the same key", async () => {
    const first = await ledgerIn("a", 5);
    const heads = file(await line(first));
    const other = await ledgerIn("b", 5);
    expect(await judged("b", heads)).toMatchObject({ verdict: "other-ledger", fails: true });
    // As if by the same first line: the same ledger, and another history.
    const forked = file(formAnchor(await idOf(other), first.head(), new Date(0), signBy(key)));
    expect(await judged("b", forked)).toMatchObject({ verdict: "contradicts", fails: true });
  });

  it("finds two histories that one key signed", async () => {
    const ledger = await ledgerIn("a", 3);
    const twice = file(await line(ledger), await line(ledger, { seq: 3, hash: "0".repeat(64) }));
    expect(await judged("a", twice)).toMatchObject({ verdict: "two-histories", fails: true });
  });

  it("believes no head of another key, and none that the key it names did not sign", async () => {
    const ledger = await ledgerIn("a", 3);
    const stranger = await loadHostKey(join(directory, "others"));
    expect(await judged("a", file(await line(ledger, ledger.head(), stranger)))).toMatchObject({
      verdict: "other-key",
      fails: true,
    });
    const forged = JSON.stringify({ ...JSON.parse(await line(ledger)), time: "2027-01-01T00:00:00.000Z" });
    expect(await judged("a", file(await line(ledger), forged))).toMatchObject({ verdict: "forged", fails: true });
  });

  it("says what is no head, and goes on with those that are", async () => {
    const ledger = await ledgerIn("a", 3);
    const good = await line(ledger);
    const bad = ["not json", "{}", '{"type":"x"}', `"${"x".repeat(3000)}"`, "\u001b[2J", good.slice(0, 50)];
    expect(await judged("a", file(...bad))).toMatchObject({ verdict: "empty", fails: false, malformed: 6, upTo: null });
    expect(await judged("a", file(...bad, good))).toMatchObject({ verdict: "agrees", malformed: 6, upTo: 3 });
    expect(await judged("a", join(directory, "none"))).toMatchObject({ verdict: "unread", fails: false });
    expect(await judged("a", file())).toMatchObject({ verdict: "empty", fails: false });
    expect(readAnchor(good)).toMatchObject({ seq: 3 });
  });
});

describe("handing out", { timeout: 120_000 }, () => {
  const place = (written: unknown) => anchorPlace.parse(written);

  it("adds lines to a file, ends one that a crash tore, and touches nothing that is not its own", async () => {
    const path = join(directory, "heads");
    await handOut(place({ file: path }), "one");
    writeFileSync(path, "one\ntor");
    await handOut(place({ file: path }), "two");
    expect(readFileSync(path, "utf8")).toBe("one\ntor\ntwo\n");
    const victim = join(directory, "victim");
    writeFileSync(victim, "root:x\n", { mode: 0o600 });
    symlinkSync(victim, join(directory, "soft"));
    linkSync(victim, join(directory, "hard"));
    mkdirSync(join(directory, "folder"));
    execFileSync("mkfifo", [join(directory, "pipe")]);
    writeFileSync(join(directory, "open"), "", { mode: 0o666 });
    chmodSync(join(directory, "open"), 0o666);
    for (const name of ["soft", "hard", "folder", "pipe", "open", "no/such"])
      await expect(handOut(place({ file: join(directory, name) }), "x"), name).rejects.toMatchObject({
        code: "anchor-failed",
      });
    expect(readFileSync(victim, "utf8")).toBe("root:x\n");
  });

  it("commits to a ref as the repository's owner, with hooks off, and reads it back", async () => {
    const repository = join(directory, "r.git");
    execFileSync("git", ["init", "-q", "--bare", repository]);
    const owned = join(directory, "ran");
    for (const hook of ["reference-transaction", "post-commit", "pre-commit"])
      writeFileSync(join(repository, "hooks", hook), `#!/bin/sh\ntouch ${owned}\n`, { mode: 0o755 });
    execFileSync("git", ["-C", repository, "config", "commit.gpgSign", "true"]);
    execFileSync("chown", ["-R", "10005:10005", repository]);
    const ref = { repository, ref: "refs/sallyport/heads" };
    const ledger = await ledgerIn("a", 3);
    const heads: string[] = [];
    for (let i = 0; i < 3; i++) {
      heads.push(await line(ledger));
      await handOut(place({ ref }), heads.at(-1) ?? "");
      await ledger.append(numbered(i));
    }
    const anchor = await readPlace(place({ ref }));
    expect(anchor.heads.map((head) => head.seq)).toEqual([3, 4, 5]);
    expect(anchor.name).toBe(`git:${repository}#refs/sallyport/heads`);
    expect(readdirSync(directory)).not.toContain("ran");
    const owner = execFileSync("find", [repository, "-newer", join(repository, "config"), "-not", "-user", "10005"], {
      encoding: "utf8",
    });
    expect(owner).toBe("");
    await expect(handOut(place({ ref: { ...ref, repository: directory } }), "x")).rejects.toMatchObject({
      code: "repository-invalid",
    });
    expect(anchorPlace.safeParse({ ref: { repository, ref: "refs/heads/main" } }).success).toBe(false);
  });

  it("gives it to a command on its standard input, without a shell and without the daemon's environment", async () => {
    const got = join(directory, "got");
    await handOut(place({ command: ["/bin/sh", "-c", `cat > ${got}; env >> ${got}`] }), "the head");
    expect(readFileSync(got, "utf8")).toMatch(/^the head\n/);
    expect(readFileSync(got, "utf8")).not.toMatch(/VITEST|NODE/);
    await expect(
      handOut(place({ command: ["/bin/sh", "-c", "printf '\\033[2Jno' >&2; exit 3"] }), "x"),
    ).rejects.toMatchObject({
      code: "anchor-failed",
      message: expect.stringMatching(/ended with 3: \\u\{1b\}\[2Jno/),
    });
    await expect(handOut(place({ command: ["/no/such"] }), "x")).rejects.toMatchObject({ code: "anchor-failed" });
    // One that reads nothing and prints for ever fills no pipe.
    await handOut(place({ command: ["/bin/sh", "-c", "head -c 2000000 /dev/zero"] }), "x");
    expect(anchorPlace.safeParse({ command: ["touch", "/x"] }).success).toBe(false);
  });
});

describe("the daemon's part", { timeout: 120_000 }, () => {
  const start = async (
    ledger: Ledger,
    written: unknown[],
    fake?: (place: AnchorPlace, line: string) => Promise<void>,
  ) => {
    const events: Event[] = [];
    const anchors = await openAnchors({
      places: written.map((one) => anchorPlace.parse(one)),
      ledger,
      sign: signBy(key),
      note: (event) => {
        events.push(event);
        ledger.record(event);
      },
      log: pino({ level: "silent" }),
      again: 50,
      ...(fake ? { handOut: fake } : {}),
    });
    open.push(anchors);
    return { anchors, events };
  };
  const seqs = async (path: string) => (await readPlace({ file: path })).heads.map(({ seq }) => seq);

  it("hands out at the start, after so many lines, at the end of a segment, and when all is closed", async () => {
    const path = join(directory, "heads");
    const ledger = await ledgerIn("a", 1);
    const { anchors } = await start(ledger, [{ file: path, every: { lines: 5 } }]);
    await until(async () => (await seqs(path)).length === 1);
    for (let i = 0; i < 4; i++) await ledger.append(numbered(i));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await seqs(path)).toEqual([1]);
    await ledger.append(numbered(5));
    await until(async () => (await seqs(path)).length === 2);
    await ledger.append(numbered(6, "x".repeat(4000)));
    await until(async () => (await seqs(path)).at(-1) === ledger.head().seq);
    await ledger.append(numbered(7));
    await ledger.close();
    await anchors.close();
    expect((await seqs(path)).at(-1)).toBe(ledger.head().seq);
    expect(await judged("a", path)).toMatchObject({ verdict: "agrees", upTo: ledger.head().seq });
    expect(anchors.status()).toMatchObject([{ place: `file:${path}`, last: { seq: ledger.head().seq } }]);
  });

  it("hands out after so long, only where there are new lines", async () => {
    const path = join(directory, "heads");
    const ledger = await ledgerIn("a", 1);
    await start(ledger, [{ file: path, every: { time: "100ms" } }]);
    await ledger.append(numbered(1));
    await until(async () => (await seqs(path)).at(-1) === 2);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect((await seqs(path)).length).toBeLessThanOrEqual(2);
  });

  it("tells a place that fails once, goes on, and tells that it works again", async () => {
    const ledger = await ledgerIn("a", 1);
    let broken = true;
    const given: string[] = [];
    const { anchors, events } = await start(ledger, [{ file: "/x", every: { lines: 1 } }], async (_, text) => {
      if (broken) throw new Error("the mount is gone");
      given.push(text);
    });
    for (let i = 0; i < 50; i++) await ledger.append(numbered(i));
    await until(() => anchors.status()[0]?.failing !== undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(events).toMatchObject([
      { type: "anchor.failed", data: { anchor: "file:/x", message: "the mount is gone" } },
    ]);
    broken = false;
    await until(() => events.length === 2);
    expect(events[1]).toMatchObject({ type: "anchor.resumed" });
    expect(anchors.status()[0]?.failing).toBeUndefined();
    expect(given.length).toBeGreaterThan(0);
  });

  it("never holds an append up, though a place does not answer", async () => {
    const ledger = await ledgerIn("a", 1);
    const ends: (() => void)[] = [];
    await start(ledger, [{ file: "/x", every: { lines: 1 } }], () => new Promise((resolve) => ends.push(resolve)));
    for (let i = 0; i < 20; i++) await ledger.append(numbered(i));
    // All of them are durable, and the first head is still on its way.
    expect([ledger.head().seq >= 21, ends.length]).toEqual([true, 1]);
    ends[0]?.();
    open.splice(0);
  });
});
