/** Whether an approval in the ledger holds: its signature, its digest, and that it says what happened. Pure. */
import { approvalPayloadType, approvalStatement } from "../../domain/approval.ts";
import { canonicalJson } from "../../domain/canonical.ts";
import type { Delegation } from "../../domain/delegation.ts";
import type { ApprovalPage } from "../../domain/page.ts";
import { digestValue } from "../../gate/digest.ts";
import { unsealed } from "../../gate/dsse.ts";
import type { HostPublicKey } from "../../gate/keys.ts";
import { line } from "./text.ts";

type Approval = NonNullable<Delegation["approval"]>;

/** Why the approval does not hold by this key; undefined where it does. */
function flaw(record: Delegation, { approval, digest, predicate }: Approval, key: HostPublicKey): string | undefined {
  const forged = unsealed(approval, approvalPayloadType, key);
  if (forged !== undefined) return forged;
  if (digestValue(approval) !== digest) return "its digest is not that of its envelope";
  let said: unknown;
  try {
    said = JSON.parse(Buffer.from(approval.payload, "base64").toString("utf8"));
  } catch {
    return "its payload is not JSON";
  }
  const statement = approvalStatement.safeParse(said);
  if (!statement.success) return "its statement is malformed";
  if (canonicalJson(statement.data.predicate) !== canonicalJson(predicate))
    return "what is signed is not what the ledger says beside it";
  // A merge with a moved target has a tree and tests of its own; what never changes is compared.
  const facts: Record<string, [string | number, string | number | undefined]> = {
    delegation: [predicate.delegation, record.id],
    repository: [predicate.repository, record.repository],
    brief: [predicate.brief, record.briefDigest],
    policy: [predicate.policy, record.policyDigest],
  };
  if (!record.prepared) {
    const attempt = record.attempts.find((one) => one.number === predicate.attempt);
    facts.tree = [predicate.tree, attempt?.proposal?.tree];
    facts.patch = [predicate.patch, attempt?.proposal?.patch];
    facts.testReport = [predicate.testReport, attempt?.reportDigest];
  }
  const other = Object.entries(facts).find(([, [signed, happened]]) => signed !== happened);
  return other ? `its ${other[0]} is ${other[1][0]}, and the ledger has ${other[1][1] ?? "none"}` : undefined;
}

/** The approval that counts, and whether it holds. Without a key nothing is verified, and the page says so. */
export function approvalOf(record: Delegation, key: HostPublicKey | undefined): ApprovalPage | undefined {
  const { approval } = record;
  if (!approval) return undefined;
  const wrong = key ? flaw(record, approval, key) : "there was no public key to check it with";
  const before = (record.approvals ?? []).filter(({ digest }) => digest !== approval.digest).reverse();
  const checked = `the signature of the key ${key?.keyid.slice(0, 12)} is over this approval, which names this delegation, repository, brief, policy and result`;
  return {
    attempt: approval.attempt,
    digest: approval.digest,
    predicate: approval.predicate,
    keyids: approval.approval.signatures.map(({ keyid }) => line(keyid, 100)),
    verified: wrong === undefined,
    why: line(wrong ?? checked, 1000),
    replaces: before.map(({ digest }) => digest),
  };
}
