/** `audit verify`: of the ledger, or of a proof pack. */
import { exitCode, SallyportError } from "../domain/error.ts";
import { readAnchors, reportVerification, type VerifyReport } from "../host/audit/verified.ts";
import type { StateDirectory } from "../host/state-directory.ts";
import { verifyMarked } from "../ledger/verify.ts";
import { verifyWith } from "./audit-ledger.ts";
import { done, type Globals, print, say } from "./context.ts";

export interface VerifyFlags {
  anchor?: string[];
  repo?: string;
  key?: string;
}

export async function verify(globals: Globals, file: string | undefined, flags: VerifyFlags): Promise<number> {
  if (file !== undefined) {
    if (flags.anchor !== undefined)
      throw new SallyportError("usage", "--anchor is for the ledger, not for a proof pack", { next: "Leave it out." });
    const { verifyPack } = await import("./audit-proof.ts");
    return verifyPack(globals.json, file, flags);
  }
  if (flags.repo !== undefined)
    throw new SallyportError("usage", "--repo is for a proof pack", {
      next: "Name its file: `sallyport audit verify FILE --repo DIR`.",
    });
  const report = await verifyState(globals.state, flags.anchor ?? [], flags.key);
  if (globals.json) print(flat(report));
  else for (const line of describe(report)) say(line);
  return report.ok ? done : exitCode.rejected;
}

/** Verifies a state directory's ledger against the anchors that are named and those of its configuration. */
async function verifyState(state: StateDirectory, named: readonly string[], keyFile?: string): Promise<VerifyReport> {
  // Before the daemon's head is asked for: an anchor that is handed out meanwhile would stand after it.
  const anchors = await readAnchors(state, named);
  const { key, options } = await verifyWith(state, keyFile);
  const walked = await verifyMarked(state.ledger, { ...options, marks: anchors.marks });
  return reportVerification(state.ledger, walked, anchors, { ...key, known: keyFile !== undefined });
}

/** The report with the chain's own fields on top. What is not proved is told with the anchors in mind, and once. */
function flat({ chain, ...report }: VerifyReport): object {
  if (!chain.ok) return { ...chain, ...report };
  const { cannotProve: _, ...rest } = chain;
  return { ...rest, ...report };
}

function describe(report: VerifyReport): string[] {
  const list = (title: string, items: readonly string[]) =>
    items.length === 0 ? [] : [title, ...items.map((item) => `  - ${item}`)];
  const { seq, hash } = report.head;
  return [
    `Verification of ${report.ledger} --`,
    ...list("FAILED:", report.failed),
    ...list("Proved:", report.proved),
    ...list("Not proved:", report.notProved),
    `key   ed25519 ${report.key.keyid}`,
    `head  ${seq}:${hash}`,
    report.ok
      ? "The ledger is WHOLE, as far as this proves. Keep the head outside: --anchor takes it."
      : "The ledger is BROKEN.",
    ...(report.next === undefined ? [] : [`next: ${report.next}`]),
  ];
}
