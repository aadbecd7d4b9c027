/** Every approval: its signature, each of its fields against the lines, what it replaces, and what landed by it. */
import type { ApprovalPredicate } from "../../domain/approval.ts";
import { approvalPayloadType, approvalStatement } from "../../domain/approval.ts";
import { canonicalJson } from "../../domain/canonical.ts";
import type { EventData } from "../../domain/event.ts";
import type { Claim } from "../../domain/proof.ts";
import { digestValue } from "../digest.ts";
import { unsealed } from "../dsse.ts";
import { attemptsOf } from "./check-decisions.ts";
import { failed, holds, notProvable, proved } from "./claim.ts";
import type { ProofContext } from "./proof-context.ts";
import { linesOf, type ProofLine } from "./read-proof.ts";

type Approved = ReturnType<typeof linesOf<"delegation.approved">>[number];

/** What is known of an approval's delegation without it. */
interface Known {
  id: string;
  accepted: EventData<"delegation.accepted">;
  attempt: ReturnType<typeof attemptsOf>[number] | undefined;
  images: EventData<"delegation.accepted">["images"];
  replaced: ApprovalPredicate | undefined;
  /** Of a panel: what each said, of the merge where there is one that was verified, else of the attempt. */
  panel: ApprovalPredicate["panel"];
  /** Whether a line of this delegation before this one, other than an approval, says this value. */
  said(value: unknown): boolean;
}

/** A field's value by the lines; `said`: any that a line names, since it is of a target that moved. */
type Expected = { is: unknown } | { said: true };

/** By field. One that is not here is carried, and told as not provable. */
const fields: Readonly<Record<string, (known: Known) => Expected>> = {
  repository: ({ accepted }) => ({ is: accepted.repository }),
  ref: ({ accepted, replaced }) => (replaced ? { said: true } : { is: accepted.ref }),
  delegation: ({ id }) => ({ is: id }),
  attempt: ({ attempt }) => ({ is: attempt?.number }),
  base: ({ accepted, replaced }) => moved(replaced, "base", accepted.base),
  tree: ({ attempt, replaced }) => moved(replaced, "tree", attempt?.proposal?.data.proposal.tree),
  brief: ({ accepted }) => ({ is: digestValue(accepted.brief) }),
  patch: ({ attempt, replaced }) => moved(replaced, "patch", attempt?.proposal?.data.proposal.patch),
  testReport: ({ attempt, replaced }) => moved(replaced, "testReport", attempt?.report?.data.digest),
  verdict: ({ attempt, replaced }) => moved(replaced, "verdict", attempt?.verdict?.data.digest),
  policy: ({ accepted }) => ({ is: digestValue(accepted.policy) }),
  images: ({ images }) => ({ is: images }),
  members: ({ accepted }) => ({ is: accepted.plan?.combines?.map(({ approval }) => approval) }),
  verifier: ({ accepted, images }) => ({
    is: { harness: accepted.panel?.[0]?.harness ?? accepted.policy.verifier.harness, image: images.verifier },
  }),
  panel: ({ panel }) => ({ is: panel }),
};

/** What is about one tree: as collected, or as a line says of a later one where another approval is replaced. */
function moved(replaced: ApprovalPredicate | undefined, _field: string, is: unknown): Expected {
  return replaced ? { said: true } : { is };
}

/** Checked apart from the table. */
const own = new Set(["issued", "expires", "replaces"]);

export function checkApprovals(context: ProofContext): Claim[] {
  const { pack, lines } = context;
  return pack.subject.delegations.flatMap((id) => {
    const approvals = linesOf(lines, "delegation.approved", id);
    return [
      ...approvals.flatMap((line, index) => checkApproval(id, line, approvals.slice(0, index), context)),
      ...checkLanded(id, approvals, lines),
    ];
  });
}

function checkApproval(id: string, line: Approved, before: readonly Approved[], { lines, key }: ProofContext): Claim[] {
  const { approval, digest, predicate, attempt: number } = line.data;
  const name = `approval ${digest.slice(0, 12)}`;
  const claims = [
    holds(
      `${name} digest`,
      digestValue(approval) === digest ? undefined : "it is not the digest of its envelope",
      digest,
    ),
    holds(`${name} signature`, unsealed(approval, approvalPayloadType, key), "signed by the key above"),
  ];
  const statement = approvalStatement.safeParse(readPayload(approval.payload));
  if (!statement.success) return [...claims, failed(`${name} statement`, "its payload is no approval")];
  const signed = statement.data.predicate;
  const [subject] = statement.data.subject;
  claims.push(
    holds(
      `${name} statement`,
      canonicalJson(signed) !== canonicalJson(predicate)
        ? "what is signed is not what the line says"
        : canonicalJson(subject) !== canonicalJson({ name: signed.repository, digest: { gitTree: signed.tree } })
          ? "its subject is not the tree and repository that it approves"
          : undefined,
      "the line says what is signed",
    ),
  );
  const accepted = linesOf(lines, "delegation.accepted", id)[0];
  if (!accepted) return [...claims, notProvable(`${name} fields`, "the line that accepts it cannot be read")];
  const replaced = before.find(({ data }) => data.digest === signed.replaces);
  if (signed.replaces !== undefined || before.length > 0)
    claims.push(
      holds(
        `${name} replaces`,
        replaced && replaced === before.at(-1) ? undefined : "it does not name the approval before it",
        `names ${signed.replaces?.slice(0, 12)}`,
      ),
    );
  const chosen = linesOf(lines, "executor.chosen", id).findLast(({ seq }) => seq < line.seq);
  const known: Known = {
    id,
    accepted: accepted.data,
    attempt: attemptsOf(id, lines).find((attempt) => attempt.number === number),
    images: { ...accepted.data.images, ...(chosen ? { executor: chosen.data.image } : {}) },
    replaced: replaced?.data.predicate,
    panel: panelOf(id, line, lines),
    said: (value) => saysBefore(lines, id, line, before, value),
  };
  for (const [field, value] of Object.entries(signed)) {
    if (own.has(field)) continue;
    const expect = Object.hasOwn(fields, field) ? fields[field]?.(known) : undefined;
    claims.push(checkField(`${name} ${field}`, value, expect, known));
  }
  for (const [field, expect] of Object.entries(fields)) {
    const wanted = expect(known);
    if (!(field in signed) && "is" in wanted && wanted.is !== undefined)
      claims.push(failed(`${name} ${field}`, `it is missing, expected ${canonicalJson(wanted.is)}`));
  }
  const span = Date.parse(signed.expires) - Date.parse(signed.issued);
  claims.push(
    holds(`${name} time`, span > 0 ? undefined : "it expires before it was issued", `until ${signed.expires}`),
  );
  return claims;
}

function panelOf(id: string, line: Approved, lines: readonly ProofLine[]): ApprovalPredicate["panel"] {
  const merged = linesOf(lines, "landing.verified", id).findLast(({ seq }) => seq < line.seq)?.data.panel;
  const members = attemptsOf(id, lines).find(({ number }) => number === line.data.attempt)?.members ?? [];
  const said = merged ?? members.map(({ data }) => ({ harness: "", image: "", ...data.member, verdict: data.verdict }));
  if (said.length === 0) return undefined;
  return said.map(({ harness, image, verdict }) => {
    return { harness, image, decision: verdict.decision, verdict: digestValue(verdict) };
  });
}

function checkField(claim: string, value: unknown, expected: Expected | undefined, known: Known): Claim {
  if (!expected) {
    const parts = [...values(value)];
    if (parts.length > 0 && parts.every((part) => known.said(part)))
      return proved(claim, "lines before it say each of its parts");
    return notProvable(claim, "this version does not know the field; it is signed with the rest");
  }
  if ("is" in expected) {
    const same = expected.is !== undefined && canonicalJson(value) === canonicalJson(expected.is);
    return holds(
      claim,
      same ? undefined : `it is ${canonicalJson(value)}, and the lines say ${JSON.stringify(expected.is)}`,
      "as the lines say",
    );
  }
  return holds(
    claim,
    known.said(value) ? undefined : `no line before it says ${canonicalJson(value)}`,
    "a line before it says so",
  );
}

function saysBefore(
  lines: readonly ProofLine[],
  id: string,
  line: Approved,
  before: readonly Approved[],
  value: unknown,
): boolean {
  // What the replaced approval said stands, unless another line moved it; a new target is the planner's word at landing.
  if (before.some(({ data }) => Object.values(data.predicate).some((other) => other === value))) return true;
  return lines.some(({ delegation, seq, type, data }) => {
    if (delegation !== id) return false;
    if (seq < line.seq) return type !== "delegation.approved" && values(data).has(value);
    return type === "landing.intended" && values(data).has(value);
  });
}

function values(data: unknown): Set<unknown> {
  const found = new Set<unknown>();
  const walk = (value: unknown) => {
    if (typeof value === "object" && value !== null) for (const item of Object.values(value)) walk(item);
    else found.add(value);
  };
  walk(data);
  return found;
}

function readPayload(payload: string): unknown {
  try {
    return JSON.parse(Buffer.from(payload, "base64").toString("utf8"));
  } catch {
    return undefined;
  }
}

/** What landed, by which approval, and while that held. */
function checkLanded(id: string, approvals: readonly Approved[], lines: readonly ProofLine[]): Claim[] {
  const landed = linesOf(lines, "delegation.landed", id);
  return landed.flatMap(({ data, seq }) => {
    const name = `landing ${data.commit.slice(0, 12)}`;
    const approval = approvals.findLast((one) => one.seq < seq);
    const intent = linesOf(lines, "landing.intended", id).findLast((one) => one.seq < seq);
    if (!approval) return [failed(`${name} approval`, "nothing was approved before it")];
    const { digest, predicate } = approval.data;
    const claims = [
      holds(
        `${name} approval`,
        data.approval === digest
          ? undefined
          : `it names ${data.approval.slice(0, 12)}, and ${digest.slice(0, 12)} was the last`,
        `by the approval ${digest.slice(0, 12)}`,
      ),
      holds(
        `${name} ref`,
        data.ref === predicate.ref ? undefined : `on ${data.ref}, approved for ${predicate.ref}`,
        data.ref,
      ),
    ];
    if (!intent) return [...claims, failed(`${name} intent`, "it was not written down before it was done")];
    const same =
      intent.data.commit === data.commit && intent.data.ref === data.ref && intent.data.approval === data.approval;
    const inTime = Date.parse(intent.time) < Date.parse(predicate.expires);
    return [
      ...claims,
      holds(
        `${name} intent`,
        same ? undefined : `line ${intent.seq} intended something else`,
        "written down before it was done",
      ),
      inTime
        ? proved(`${name} time`, "while the approval held")
        : failed(`${name} time`, `the approval had expired at ${predicate.expires}`),
    ];
  });
}
