import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AuditState, auditState, ids, request } from "./audit-state.ts";

let state: AuditState;
let out: string;
beforeEach(async () => {
  state = auditState();
  out = join(state.root, "out");
  await state.write(
    request(ids.d(0)),
    request(ids.d(1), { url: "=cmd|' /C calc'!A0", decision: "deny", code: "no-rule", rule: "none" }),
  );
});
afterEach(() => state.close());

describe("audit export", { timeout: 120_000 }, () => {
  it("writes entries as the ledger's own lines, CSV and OCSF", async () => {
    const ndjson = await state.audit("export", "--format", "ndjson");
    const lines = readFileSync(join(state.ledgerDirectory, "00000001.jsonl"), "utf8");
    expect([ndjson.code, ndjson.stdout]).toEqual([0, lines]);
    const csv = await state.audit("export", "--format", "csv", "--denied");
    expect(csv.stdout.split("\r\n")).toHaveLength(3);
    expect(csv.stdout).toMatch(/,DENIED GET =cmd\|' \/C calc'!A0 \(no-rule; rule none\),/);
    expect(csv.stdout).toMatch(/,'=cmd\|' \/C calc'!A0,/);
    const ocsf = await state.audit("export", ids.d(0), "--format", "ocsf");
    expect(
      ocsf.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([{ class_uid: 4002 }]);
  });

  it("makes a file whole, 0600, and never in the place of another", async () => {
    const made = await state.audit("export", "--format", "csv", "--out", out, "--json");
    expect([made.code, JSON.parse(made.stdout)]).toMatchObject([0, { entries: 3, verified: { seq: 3 } }]);
    expect(statSync(out).mode & 0o777).toBe(0o600);
    const before = readFileSync(out, "utf8");
    expect((await state.audit("export", "--format", "ocsf", "--out", out)).code).toBe(2);
    expect(readFileSync(out, "utf8")).toBe(before);
    expect(readdirSync(state.root).filter((name) => name.startsWith(".sallyport"))).toEqual([]);
    expect((await state.audit("export", "--format", "csv", "--out", join(out, "x"))).code).toBe(2);
  });

  it("leaves no file of a ledger that is broken", async () => {
    const file = join(state.ledgerDirectory, "00000001.jsonl");
    writeFileSync(file, readFileSync(file, "utf8").replace('"deny"', '"allow"'));
    const said = await state.audit("export", "--format", "ndjson", "--out", out);
    expect([said.code, existsSync(out)]).toEqual([1, false]);
    expect(said.stderr).toContain("BROKEN");
    expect(readdirSync(state.root).filter((name) => name.startsWith(".sallyport"))).toEqual([]);
    // To a pipe goes what holds, and the exit code says that it is not all.
    const piped = await state.audit("export", "--format", "ndjson");
    expect([piped.code, piped.stdout.split("\n").length]).toEqual([1, 2]);
  });

  it("refuses what is neither a pack nor a format", async () => {
    for (const flags of [[], ["--format", "xml"], [ids.d(0), "--denied"], ["--denied"]])
      expect((await state.audit("export", ...flags)).code, flags.join(" ")).toBe(2);
  });
});
