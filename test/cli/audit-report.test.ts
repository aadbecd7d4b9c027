/** The report out of the files alone: a delegation that was approved on a real repository, and others around it. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DelegationPage } from "../../src/domain/page.ts";
import { loadHostKey } from "../../src/gate/keys.ts";
import { approved } from "../delegation/approved.ts";
import { lived } from "../delegation/lived.ts";
import { memoryStore } from "../delegation/memory-store.ts";
import { type Target, target } from "../delegation/target.ts";
import { type AuditState, auditState } from "./audit-state.ts";

let state: AuditState;
let repository: Target;
let ids: { approved: string; rejected: string; stuck: string };
const hostile = "\u001b[2J<script>alert(1)</script>\n     9  forged\r\u202e";

beforeAll(async () => {
  state = auditState();
  repository = await target();
  const key = await loadHostKey(join(state.root, "keys"));
  const one = await approved(repository.root, repository.repo, key, { ref: "refs/heads/main" });
  const others = memoryStore();
  const rejected = await lived(
    {
      brief: { title: "A change that is not wanted" },
      tries: [
        {
          end: "rejected",
          message: hostile,
          denied: [{ url: `https://evil.example/${encodeURIComponent("=1")}`, times: 3 }],
          asked: [{ tokens: 500, microusd: 4200 }],
        },
      ],
      last: "delegation.rejected",
    },
    others,
  );
  const stuck = await lived({ tries: [{ end: "stuck" }], reason: hostile }, others);
  ids = { approved: one.id, rejected: rejected.id, stuck: stuck.id };
  await state.write(...one.store.log, ...others.log);
  // Where the daemon would have it.
  const made = readdirSync(repository.root).find((name) => name.startsWith("quarantine-")) ?? "";
  renameSync(join(repository.root, made), join(state.root, "quarantine"));
  if (!existsSync(join(import.meta.dirname, "../../dist/console")))
    execFileSync(process.execPath, [join(import.meta.dirname, "../../tools/build-console.ts")]);
}, 120_000);
afterAll(async () => {
  state?.close();
  await repository?.clean();
});

interface Report {
  ok: boolean;
  found: number;
  pages: DelegationPage[];
  faults: { id: string; seq: number }[];
  verification: { ok: boolean; proved: string[] };
}
const report = async (...flags: string[]) => {
  const said = await state.audit("report", "--json", ...flags);
  return { code: said.code, report: JSON.parse(said.stdout) as Report };
};

describe("audit report", { timeout: 120_000 }, () => {
  it("answers the five questions on the terminal", async () => {
    const { code, stdout, stderr } = await state.audit("report", ids.approved);
    expect(code, stderr).toBe(0);
    for (const text of [
      "APPROVED  Add, do not subtract",
      "WHAT DID IT DO?",
      "modified src/sum.mjs",
      "WHAT DID IT TRY?",
      "0 requests, 0 denied",
      "WHO LET IT LAND?",
      "signature and statement hold",
      "nothing of it has landed",
      "WHAT DID IT COST?",
      "IS THIS LOG WHOLE?",
      "Yes, as far as can be proved",
      "not proved  that nothing was cut off its end",
    ])
      expect(stdout).toContain(text);
  });

  it("says what it tried and could not, whatever its texts say", async () => {
    const { stdout } = await state.audit("report", ids.rejected);
    expect(stdout).toContain("3 requests, 3 denied");
    expect(stdout).toMatch(/evil\.example +0 +3/);
    expect(stdout).toContain("$0.0042");
    expect(stdout.replaceAll("\n", "")).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    expect(stdout).not.toMatch(/^ +9 {2}forged/m);
  });

  it("has the patch that the ledger names, and the approval that the host signed, in the pages", async () => {
    const { code, report: made } = await report(ids.approved);
    expect([code, made.ok, made.found]).toEqual([0, true, 1]);
    const [page] = made.pages;
    expect(page?.attempts.items[0]?.proposal?.patch.text).toContain("+  a +");
    expect(page?.approval?.verified).toBe(true);
    expect(page?.ledger.whole).toMatchObject({ state: "whole", signedUpTo: expect.any(Number) });
  });

  it("takes a span of time, with what was before it", async () => {
    const all = await report("--since", "2026-03-01");
    expect(all.report.pages.map(({ summary }) => summary.id).sort()).toEqual(Object.values(ids).sort());
    const last = all.report.pages.find(({ summary }) => summary.id === ids.stuck)?.summary.updated ?? "";
    const late = await report("--since", last);
    expect(late.report.pages.map(({ summary }) => summary.id)).toEqual([ids.stuck]);
    expect(late.report.pages[0]?.brief.intent).not.toBe("");
    expect((await report("--since", "2027-01-01")).report).toMatchObject({ found: 0, pages: [], ok: true });
  });

  it("writes one page that stands for itself, 0600, and never over another", async () => {
    const file = join(state.root, "report.html");
    const said = await state.audit("report", "--since", "2026-03-01", "--html", file);
    expect([said.code, said.stdout]).toMatchObject([
      0,
      expect.stringContaining("3 of 3 delegations; the log is whole"),
    ]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const html = readFileSync(file, "utf8");
    for (const text of [ids.approved, ids.rejected, ids.stuck, "Is this log whole?", "a +"])
      expect(html).toContain(text);
    expect(html).not.toContain("<script");
    expect(html).not.toContain("\u001b");
    expect((await state.audit("report", ids.approved, "--html", file)).code).toBe(2);
    expect(readFileSync(file, "utf8")).toBe(html);
  });

  it("refuses what it cannot be of", async () => {
    for (const flags of [[], [ids.approved, "--since", "1h"], ["--until", "1h"], ["nonsense"], ["d-aaaaaaaaaaaazzzz"]])
      expect((await state.audit("report", ...flags)).code, flags.join(" ")).toBe(2);
  });

  it("calls a broken log broken, and tells what stands before the break", async () => {
    const copy = auditState();
    try {
      mkdirSync(copy.root, { recursive: true });
      execFileSync("cp", ["-r", `${state.root}/.`, copy.root]);
      const file = join(copy.ledgerDirectory, readdirSync(copy.ledgerDirectory).sort().at(-1) ?? "");
      writeFileSync(file, readFileSync(file, "utf8").replace(/"by":"executor"/, '"by":"host"'));
      const { code, stdout } = await copy.audit("report", ids.approved);
      expect([code, stdout]).toMatchObject([1, expect.stringMatching(/IS THIS LOG WHOLE\?\n {2}NO; head/)]);
      expect(stdout).toContain("APPROVED  Add, do not subtract");
    } finally {
      copy.close();
    }
  });
});
