import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadHostKey } from "../../src/gate/keys.ts";
import { formAnchor } from "../../src/ledger/anchor.ts";
import { type AuditState, auditState, ids, request } from "./audit-state.ts";

let state: AuditState;
let heads: string;
beforeEach(async () => {
  state = auditState();
  heads = join(state.root, "heads");
  await state.write(...Array.from({ length: 5 }, () => request(ids.d(0))));
});
afterEach(() => state.close());

interface Report {
  ok: boolean;
  lines: number;
  head: { seq: number; hash: string };
  key: { keyid: string };
  proved: string[];
  notProved: string[];
  failed: string[];
  anchors: { anchor: string; verdict: string; fails: boolean }[];
}
const verify = async (...flags: string[]) => {
  const said = await state.audit("verify", "--json", ...flags);
  return { code: said.code, report: JSON.parse(said.stdout) as Report };
};
async function signedHead(): Promise<string> {
  const key = await loadHostKey(join(state.root, "keys"));
  const lines = readFileSync(join(state.ledgerDirectory, "00000001.jsonl"), "utf8").trimEnd().split("\n");
  const at = (line = "") => JSON.parse(line) as { seq: number; hash: string };
  const { seq, hash } = at(lines.at(-1));
  return formAnchor(at(lines[0]).hash, { seq, hash }, new Date(0), (bytes) => ({
    keyid: key.keyid,
    signature: key.sign(bytes).toString("base64"),
  }));
}
/** As root on the host could: the end is cut, and what is left is whole for itself. */
const cutTail = () => {
  const file = join(state.ledgerDirectory, "00000001.jsonl");
  writeFileSync(file, `${readFileSync(file, "utf8").split("\n").slice(0, 3).join("\n")}\n`);
};

describe("audit verify", { timeout: 120_000 }, () => {
  it("says what is proved, by which key, up to where, and what is not", async () => {
    const { code, report } = await verify();
    expect(code).toBe(0);
    expect(report).toMatchObject({ ok: true, lines: 6, head: { seq: 6 }, failed: [], anchors: [] });
    expect(report.key.keyid).toMatch(/^[0-9a-f]{64}$/);
    expect(report.proved.join("\n")).toMatch(/lines 1 to 6 .*\n.*signed every line up to 6/);
    expect(report.notProved[0]).toMatch(/nothing was cut off its end: no anchor/);
    const people = await state.audit("verify");
    for (const word of ["Verification of ", "Proved:", "Not proved:", "key   ed25519 ", "head  6:", "WHOLE"])
      expect(people.stdout).toContain(word);
  });

  it("reads the configuration's anchors, and finds a cut tail by them", async () => {
    writeFileSync(heads, `${await signedHead()}\n`);
    writeFileSync(join(state.root, "config.yaml"), JSON.stringify({ version: 1, anchors: [{ file: heads }] }));
    const before = await verify();
    expect([before.code, before.report.anchors]).toMatchObject([0, [{ anchor: `file:${heads}`, verdict: "agrees" }]]);
    expect(before.report.notProved.join()).not.toContain("cut off");
    cutTail();
    const after = await verify();
    expect([after.code, after.report]).toMatchObject([1, { ok: false, anchors: [{ verdict: "ahead", fails: true }] }]);
    expect((await state.audit("verify")).stdout).toMatch(/FAILED:\n {2}- file:.*cut off its end[\s\S]*BROKEN/);
    // Without the anchor the shorter ledger verifies: that is what anchors are for.
    writeFileSync(join(state.root, "config.yaml"), JSON.stringify({ version: 1 }));
    expect((await verify()).code).toBe(0);
  });

  it("takes heads from the command line: SEQ:HASH, files, several", async () => {
    const { report } = await verify();
    const bare = `${report.head.seq}:${report.head.hash}`;
    writeFileSync(heads, `${await signedHead()}\n`);
    const good = await verify("--anchor", bare, "--anchor", heads);
    expect([good.code, good.report.anchors.map(({ verdict }) => verdict)]).toEqual([0, ["agrees", "agrees"]]);
    const wrong = await verify("--anchor", `${report.head.seq}:${"0".repeat(64)}`);
    expect([wrong.code, wrong.report.anchors[0]?.verdict]).toEqual([1, "contradicts"]);
    const ahead = await verify("--anchor", `99:${report.head.hash}`);
    expect([ahead.code, ahead.report.anchors[0]?.verdict]).toEqual([1, "ahead"]);
  });

  it("gives a clear word for an anchor that is none", async () => {
    expect((await state.audit("verify", "--anchor", "/no/such/file")).code).toBe(2);
    writeFileSync(heads, "\u001b[2Jnonsense\n");
    const named = await verify("--anchor", heads);
    expect([named.code, named.report.anchors[0]]).toMatchObject([1, { verdict: "empty", fails: true, malformed: 1 }]);
    // A configured one that is not there proves nothing, and breaks nothing.
    writeFileSync(
      join(state.root, "config.yaml"),
      JSON.stringify({ version: 1, anchors: [{ file: "/no/such/file" }] }),
    );
    const unread = await verify();
    expect([unread.code, unread.report.anchors[0]?.verdict]).toEqual([0, "unread"]);
    expect(unread.report.notProved.join()).toContain("file:/no/such/file");
    expect((await verify("--anchor", "git:/no/such#refs/sallyport/heads")).code).toBe(1);
    writeFileSync(join(state.root, "config.yaml"), "version: [");
    expect((await verify()).code).toBe(0);
  });

  it("takes the key that somebody knows, and finds a ledger and key that were swapped together", async () => {
    const known = join(state.root, "known.pub");
    writeFileSync(known, readFileSync(join(state.root, "keys/host.pub")));
    const good = await verify("--key", known);
    expect([good.code, good.report.notProved.join()]).toEqual([
      0,
      expect.not.stringContaining("this key is the host's"),
    ]);
    expect((await verify()).report.notProved.join()).toContain("this key is the host's");
    rmSync(join(state.root, "keys"), { recursive: true });
    rmSync(state.ledgerDirectory, { recursive: true });
    await state.write(request(ids.d(1)));
    expect((await verify()).code).toBe(0);
    const swapped = await verify("--key", known);
    expect([swapped.code, swapped.report.failed[0]]).toEqual([1, expect.stringContaining("not by a known key")]);
  });

  it("names the first bad line, and what holds before it", async () => {
    const file = join(state.ledgerDirectory, "00000001.jsonl");
    writeFileSync(file, readFileSync(file, "utf8").replace('"milliseconds":3', '"milliseconds":4'));
    const { code, report } = await verify();
    expect([code, report]).toMatchObject([1, { ok: false, head: { seq: 0 } }]);
    expect(report.failed[0]).toMatch(/00000001\.jsonl:1: hash is not the hash of the line/);
    expect(readdirSync(state.ledgerDirectory)).toHaveLength(1);
  });
});
