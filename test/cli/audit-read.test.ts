import { spawn } from "node:child_process";
import { appendFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Entry } from "../../src/domain/event.ts";
import { type AuditState, auditState, ids, request, sandboxStarted } from "./audit-state.ts";

let state: AuditState;
beforeEach(() => {
  state = auditState();
});
afterEach(() => state.close());

const [a, b] = [ids.d(0), ids.d(1)];
const some = () =>
  state.write(
    { type: "host.started", data: { version: "1", keyid: "0".repeat(64), pid: 1 } },
    sandboxStarted(a, 0, 1),
    request(a),
    request(a, { url: "https://evil.example/x", decision: "deny", code: "no-rule", rule: "none" }),
    { type: "delegation.failed", delegation: a, data: { code: "internal", message: "it broke" } },
    sandboxStarted(b, 1, 2),
    request(b, { sandbox: ids.sandbox(1), url: "https://api.github.com/user", secret: "GITHUB_TOKEN" }),
    { type: "delegation.stuck", delegation: b, data: { attempt: 2, reason: "no way" } },
  );
const entries = (stdout: string) =>
  stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Entry);
const seqs = async (...flags: string[]) => {
  const said = await state.audit("show", "--json", ...flags);
  expect(said.code, said.stderr).toBe(0);
  return entries(said.stdout).map(({ seq }) => seq);
};

describe("audit show", { timeout: 120_000 }, () => {
  it("shows what was asked for, and says up to where it is verified", async () => {
    await some();
    expect(await seqs()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await seqs("--delegation", a)).toEqual([2, 3, 4, 5]);
    expect(await seqs("--delegation", a, "--delegation", b, "--type", "delegation.*")).toEqual([5, 8]);
    expect(await seqs("--type", "host.started", "--type", "segment.closed")).toEqual([1, 9]);
    expect(await seqs("--denied")).toEqual([4]);
    expect(await seqs("--host", "*.npmjs.org", "--host", "evil.example")).toEqual([3, 4]);
    expect(await seqs("--secret", "GITHUB_*")).toEqual([7]);
    expect(await seqs("--attempt", "2")).toEqual([6, 7, 8]);
    expect(await seqs("--since", "2026-03-01T00:00:07Z")).toEqual([7, 8, 9]);
    expect(await seqs("--since", "2026-03-01T00:00:02", "--until", "2026-03-01T00:00:04Z")).toEqual([2, 3]);
    expect(await seqs("--since", "1h")).toEqual([]);
    expect(await seqs("--limit", "2")).toEqual([1, 2]);
    const people = await state.audit("show", "--denied");
    expect(people.stdout).toContain("DENIED GET https://evil.example/x");
    expect(people.stderr).toMatch(/1 of 9 entries shown; verified up to 9:[0-9a-f]{64}/);
  });

  it("refuses flags that say nothing", async () => {
    await some();
    for (const flags of [
      ["--delegation", "x"],
      ["--since", "yesterday"],
      ["--limit", "0"],
      ["--attempt", "1.5"],
    ])
      expect((await state.audit("show", ...flags)).code, flags.join(" ")).toBe(2);
  });

  it("shows a broken ledger up to the bad line, and calls it broken", async () => {
    await some();
    const file = join(state.ledgerDirectory, "00000001.jsonl");
    const lines = readFileSync(file, "utf8").split("\n");
    lines[3] = (lines[3] ?? "").replace('"deny"', '"allow"');
    writeFileSync(file, lines.join("\n"));
    const people = await state.audit("show");
    expect(people.code).toBe(1);
    expect(people.stdout.trimEnd().split("\n")).toHaveLength(3);
    expect(people.stderr).toMatch(/BROKEN at .*00000001\.jsonl:4: hash is not the hash of the line/);
    const json = await state.audit("show", "--json");
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({
      error: { code: "ledger-broken" },
    });
  });

  it("cannot be made to print a second entry, or to move the cursor", async () => {
    const forged = `x\n     9  2026-01-01T00:00:00.000Z  ${a}  LANDED\r\u001b[2J\u009b1A\u202e\b\u2028end`;
    await state.write({ type: "delegation.failed", delegation: a, data: { code: "internal", message: forged } });
    const { stdout } = await state.audit("show");
    expect(stdout.split("\n").filter((line) => /^ *\d+ {2}\d{4}-/.test(line))).toHaveLength(2);
    expect(stdout.replaceAll("\n", "")).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    expect((await state.audit("show", "--json")).stdout.replaceAll("\n", "")).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
  });
});

describe("audit tail -f", { timeout: 120_000 }, () => {
  const follow = (...flags: string[]) => {
    const child = spawn(
      process.execPath,
      [
        join(import.meta.dirname, "../../src/cli/main.ts"),
        "audit",
        "tail",
        "-f",
        "--json",
        "--state",
        state.root,
        ...flags,
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    const said = { text: "", error: "" };
    child.stdout.on("data", (chunk: Buffer) => (said.text += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (said.error += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    const until = async (count: number) => {
      const end = Date.now() + 60_000;
      while (said.text.split("\n").length - 1 < count && Date.now() < end && child.exitCode === null)
        await new Promise((resolve) => setTimeout(resolve, 50));
      return entries(said.text).map(({ seq }) => seq);
    };
    return { child, ended, until, said };
  };

  it("goes on over segments and another writer, and ends cleanly on Ctrl-C", async () => {
    await some();
    const one = follow("-n", "2");
    try {
      expect(await one.until(2)).toEqual([8, 9]);
      const ledger = await state.open(900);
      for (let i = 0; i < 6; i++) await ledger.append(request(a));
      expect((await one.until(8)).length).toBeGreaterThanOrEqual(8);
      await ledger.close();
      expect(readdirSync(state.ledgerDirectory).length).toBeGreaterThan(3);
      const { seq } = ledger.head();
      await state.write(request(b));
      const all = await one.until(seq - 8 + 3);
      expect(all).toEqual(Array.from({ length: seq - 8 + 3 }, (_, i) => i + 8));
      one.child.kill("SIGINT");
      expect(await one.ended).toBe(0);
    } finally {
      one.child.kill("SIGKILL");
    }
  });

  it("waits for a line that is half written, and says when what it read is gone", async () => {
    await some();
    const one = follow("-n", "1");
    try {
      await one.until(1);
      const ledger = await state.open();
      await ledger.append(request(a));
      await one.until(2);
      const file = join(state.ledgerDirectory, "00000002.jsonl");
      const size = readFileSync(file).length;
      appendFileSync(file, '{"data":{"ha');
      await new Promise((resolve) => setTimeout(resolve, 1000));
      expect(one.child.exitCode).toBeNull();
      truncateSync(file, size);
      await ledger.append(request(b));
      expect(await one.until(3)).toEqual([9, 10, 11]);
      truncateSync(file, 10);
      expect(await one.ended).toBe(1);
      expect(one.said.text).toContain("no longer there");
      await ledger.close().catch(() => {});
    } finally {
      one.child.kill("SIGKILL");
    }
  });

  it("ends when nobody reads any more", async () => {
    await some();
    const one = follow("-n", "1");
    try {
      await one.until(1);
      one.child.stdout.destroy();
      await state.write(request(a));
      expect(await one.ended).toBe(0);
    } finally {
      one.child.kill("SIGKILL");
    }
  });
});
