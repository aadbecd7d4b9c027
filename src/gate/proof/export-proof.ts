/** Makes a proof pack out of the ledger's files and the quarantine, signed with the host's key. Needs no daemon. */
import { canonicalJson } from "../../domain/canonical.ts";
import { SallyportError } from "../../domain/error.ts";
import type { Entry } from "../../domain/event.ts";
import { type ProofPack, proofBytesMax, proofPack, proofPayloadType } from "../../domain/proof.ts";
import type { Head } from "../../ledger/line.ts";
import type { Quarantine } from "../../worktree/quarantine.ts";
import { digestBytes } from "../digest.ts";
import { seal } from "../dsse.ts";
import type { HostKey } from "../keys.ts";
import { stateOf } from "./state-of.ts";

export interface ExportTools {
  /** The ledger's entries up to `head`; called more than once. */
  entries(): AsyncIterable<Entry>;
  head: Head;
  /** The quarantine of a host repository; undefined where that is gone. */
  openQuarantine(repository: string): Promise<Quarantine | undefined>;
  key: HostKey & { pem: string };
  version: string;
  now: Date;
}

/** The pack of a delegation or plan, as the text of its file. Errors: `not-found`, `proof-invalid` where it is too large. */
export async function exportProof(id: string, tools: ExportTools): Promise<string> {
  const subject = await subjectOf(id, tools);
  const own = new Set<string>([...subject.delegations, ...(subject.plan ? [subject.plan] : [])]);
  const entries: Entry[] = [];
  const lines: string[] = [];
  let bytes = 0;
  for await (const entry of tools.entries()) {
    const closes = entry.type === "segment.closed" && lines.length > 0;
    if (!closes && !own.has(entry.delegation ?? "")) continue;
    const line = canonicalJson(entry);
    bytes += line.length;
    if (bytes > proofBytesMax / 2)
      throw new SallyportError("proof-invalid", `the lines of ${id} have more than ${proofBytesMax / 2} bytes`, {
        next: "Keep the whole ledger as the proof: `sallyport audit verify`.",
      });
    entries.push(entry);
    lines.push(line);
  }
  const pack: ProofPack = {
    version: 1,
    made: tools.now.toISOString(),
    host: { version: tools.version, keyid: tools.key.keyid, publicKey: tools.key.pem },
    subject: { id, state: stateOf(id, entries), ...subject },
    ledger: { head: { seq: tools.head.seq, hash: tools.head.hash }, lines: withoutLaterHeads(lines, entries) },
    patches: await patchesOf(entries, tools),
  };
  const payload = Buffer.from(canonicalJson(proofPack.parse(pack)));
  return `${canonicalJson(seal(proofPayloadType, payload, tools.key))}\n`;
}

/** Of the segments that end after the subject's last line, the first alone: it is the one that covers it. */
function withoutLaterHeads(lines: readonly string[], entries: readonly Entry[]): string[] {
  const last = entries.findLastIndex(({ type }) => type !== "segment.closed");
  return lines.slice(0, last + 2);
}

/** Whose lines belong to it: a plan lands as one, so its parts are with it, and it with them. */
async function subjectOf(id: string, tools: ExportTools): Promise<Pick<ProofPack["subject"], "delegations" | "plan">> {
  let plan = id.startsWith("p-") ? id : undefined;
  let found = false;
  const delegations = new Set<string>();
  if (id.startsWith("d-")) {
    for await (const entry of tools.entries()) {
      if (entry.type !== "delegation.accepted" || entry.delegation !== id) continue;
      found = true;
      plan = entry.data.plan?.id;
      delegations.add(id);
      for (const part of entry.data.plan?.combines ?? []) delegations.add(part.delegation);
      break;
    }
  } else if (plan) {
    const named = new Set<string>();
    for await (const entry of tools.entries()) {
      if (entry.delegation === plan && entry.type === "plan.accepted") {
        found = true;
        for (const { delegation } of [...entry.data.briefs, entry.data.combined]) named.add(delegation);
      }
      if (entry.delegation === plan && entry.type === "plan.mended") named.add(entry.data.delegation);
      // A part that never began has no line.
      if (entry.type === "delegation.accepted" && named.has(entry.delegation ?? ""))
        delegations.add(entry.delegation ?? "");
    }
  }
  if (!found || delegations.size === 0)
    throw new SallyportError("not-found", `the ledger has nothing of ${id} to prove`, {
      next: "Name a delegation (d-…) or a plan (p-…): `sallyport list`.",
    });
  return { delegations: [...delegations], ...(plan ? { plan } : {}) };
}

/** Every patch that a line names and that the quarantine can still make. */
async function patchesOf(entries: readonly Entry[], tools: ExportTools): Promise<Record<string, string>> {
  const patches: Record<string, string> = {};
  const bases = new Map<string, { repository: string; base: string; limit: number }>();
  let bytes = 0;
  const open = new Map<string, Promise<Quarantine | undefined>>();
  const add = async (id: string, tree: string, digest: string, from?: string) => {
    const known = bases.get(id);
    if (!known || digest in patches || /^0+$/.test(digest)) return;
    const { repository, limit } = known;
    const opened = open.get(repository) ?? tools.openQuarantine(repository);
    open.set(repository, opened);
    const quarantine = await opened;
    const base = await quarantine?.treeOf(from ?? known.base).catch(() => undefined);
    if (!quarantine || base === undefined) return;
    const made = await quarantine.patch(base, tree, limit).catch(() => undefined);
    // Another digest would be another patch: then the host cannot show what it signed.
    if (!made?.ok || digestBytes(made.patch) !== digest) return;
    bytes += made.patch.length * 1.4;
    if (bytes > proofBytesMax / 2) return;
    patches[digest] = made.patch.toString("base64");
  };
  for (const { type, data, delegation: id = "" } of entries) {
    if (type === "delegation.accepted")
      bases.set(id, { repository: data.repository, base: data.base, limit: data.policy.budget.patch });
    if (type === "proposal.collected") await add(id, data.proposal.tree, data.proposal.patch);
    if (type === "delegation.approved") await add(id, data.predicate.tree, data.predicate.patch, data.predicate.base);
  }
  return patches;
}
