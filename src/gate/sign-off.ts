/**
 * Sign-off: the approval is a DSSE v1 envelope (github.com/secure-systems-lab/dsse) over an in-toto Statement v1,
 * signed with the host's ed25519 key (RFC 8032). Everything that may not be swapped is in the signed text.
 */
import {
  type ApprovalPredicate,
  approvalPayloadType,
  approvalPredicateType,
  approvalStatement,
  type Envelope,
} from "../domain/approval.ts";
import { canonicalJson } from "../domain/canonical.ts";
import { SallyportError } from "../domain/error.ts";
import { digestValue } from "./digest.ts";
import { preAuthentication } from "./dsse.ts";
import type { HostKey, HostPublicKey } from "./keys.ts";

/** Signs an approval. Returns the envelope and the digest it is named by. */
export function signApproval(predicate: ApprovalPredicate, key: HostKey): { envelope: Envelope; digest: string } {
  const payload = Buffer.from(
    canonicalJson({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ name: predicate.repository, digest: { gitTree: predicate.tree } }],
      predicateType: approvalPredicateType,
      predicate,
    }),
  );
  const sig = key.sign(preAuthentication(approvalPayloadType, payload));
  const envelope: Envelope = {
    payloadType: approvalPayloadType,
    payload: payload.toString("base64"),
    signatures: [{ keyid: key.keyid, sig: sig.toString("base64") }],
  };
  return { envelope, digest: digestValue(envelope) };
}

const show = (value: unknown) => (value === undefined ? "left out" : canonicalJson(value));

/**
 * What an approval must say to be used now. Every field is compared, so a replay for another delegation, attempt,
 * base, tree, policy, repository or ref is refused (ATTACKS V5). Throws `approval-invalid` naming the first difference, or
 * `approval-expired`.
 */
export function checkApproval(
  envelope: Envelope,
  key: HostPublicKey,
  expected: Omit<ApprovalPredicate, "issued" | "expires" | "replaces">,
  now: Date,
): ApprovalPredicate {
  const refuse = (why: string): never => {
    throw new SallyportError("approval-invalid", `the approval does not hold: ${why}`, {
      next: "Delegate again: nothing lands without an approval of exactly this.",
    });
  };
  const payload = Buffer.from(envelope.payload, "base64");
  // The key signs ledger heads too: only what was signed as an in-toto statement is an approval.
  if (envelope.payloadType !== approvalPayloadType)
    refuse(`its payload type is ${JSON.stringify(envelope.payloadType)}`);
  // One text for one approval: it is named by the digest of its envelope.
  if (payload.toString("base64") !== envelope.payload) refuse("its payload is not canonical base64");
  const bytes = preAuthentication(envelope.payloadType, payload);
  if (!envelope.signatures.some((s) => s.keyid === key.keyid && key.verify(bytes, Buffer.from(s.sig, "base64")))) {
    refuse("no signature of this host's key");
  }
  let statement: unknown;
  try {
    statement = JSON.parse(payload.toString("utf8"));
  } catch {
    return refuse("its payload is not JSON");
  }
  const parsed = approvalStatement.safeParse(statement);
  if (!parsed.success) return refuse("its statement is malformed");
  const { predicate, subject } = parsed.data;
  const named = canonicalJson(subject[0]);
  if (named !== canonicalJson({ name: predicate.repository, digest: { gitTree: predicate.tree } }))
    refuse("its subject is not the tree and repository that it approves");
  // Both ways: what only one of them says is a difference too.
  for (const name of new Set([...Object.keys(expected), ...Object.keys(predicate)])) {
    if (name === "issued" || name === "expires" || name === "replaces") continue;
    const [found, value] = [predicate, expected].map((one) => show(one[name as keyof typeof expected]));
    if (found !== value) refuse(`${name} is ${found}, expected ${value}`);
  }
  if (now.getTime() >= Date.parse(predicate.expires)) {
    throw new SallyportError("approval-expired", `the approval expired at ${predicate.expires}`, {
      next: `Nothing was changed. Have it verified again: \`sallyport verify ${predicate.delegation}\`.`,
    });
  }
  return predicate;
}
