/**
 * The ledger's lines. Each is bound to its hash, and to its neighbour where both are here. A slice of a chain cannot show
 * that the lines between, which are others', were not changed with all that follow: for that the whole ledger is needed.
 */
import type { Claim } from "../../domain/proof.ts";
import { closingBytes } from "../../ledger/line.ts";
import { failed, holds, notProvable, proved } from "./claim.ts";
import type { ProofContext } from "./proof-context.ts";
import { linesOf } from "./read-proof.ts";
import { stateOf } from "./state-of.ts";

/** Each line's form, hash, order and subject. */
export function checkLines({ pack, lines }: ProofContext): Claim[] {
  const claims: Claim[] = [];
  const own = new Set<string | undefined>([pack.subject.id, ...pack.subject.delegations, pack.subject.plan]);
  let last = 0;
  for (const [index, line] of lines.entries()) {
    const name = `line ${line.seq >= 0 ? line.seq : `at place ${index + 1}`}`;
    if (line.problem) claims.push(failed(`${name} hash`, line.problem));
    if (line.seq <= last) claims.push(failed(`${name} order`, `it follows line ${last}`));
    else last = line.seq;
    if (line.type === "segment.closed" ? line.delegation !== undefined : !own.has(line.delegation))
      claims.push(failed(`${name} subject`, `it is about ${line.delegation ?? "nothing"}, which is not of this pack`));
    if (line.seq > pack.ledger.head.seq)
      claims.push(failed("ledger.head", `line ${line.seq} comes after the head ${pack.ledger.head.seq}`));
    else if (line.seq === pack.ledger.head.seq && line.hash !== pack.ledger.head.hash)
      claims.push(failed("ledger.head", `line ${line.seq} has another hash`));
  }
  if (claims.length === 0)
    claims.push(
      proved("lines", `${lines.length} lines are canonical, bound to their hashes, in order, and of this subject`),
    );
  const unread = lines.filter(({ known }) => !known);
  if (unread.length > 0) {
    const types = [...new Set(unread.map(({ type }) => type))].join(", ");
    claims.push(
      notProvable("lines unread", `${unread.length} lines are of a form that this version does not know: ${types}`),
    );
  }
  for (const id of pack.subject.delegations)
    if (!lines.some((line) => line.type === "delegation.accepted" && line.delegation === id))
      claims.push(failed("subject.delegations", `there is no line that accepts ${id}`));
  const state = stateOf(pack.subject.id, lines);
  claims.push(
    holds(
      "subject.state",
      state === pack.subject.state ? undefined : `it says ${pack.subject.state}, and its lines end as ${state}`,
      `${pack.subject.id} is ${state} by its lines`,
    ),
  );
  return claims;
}

/** The links between neighbours. */
export function checkChain({ lines }: ProofContext): Claim[] {
  let linked = 0;
  let apart = 0;
  const claims: Claim[] = [];
  for (const [index, line] of lines.entries()) {
    const before = lines[index - 1];
    if (!before) continue;
    if (line.seq !== before.seq + 1) apart++;
    else if (line.prev === before.hash) linked++;
    else claims.push(failed(`line ${line.seq} prev`, `it is not the hash of line ${before.seq}`));
  }
  if (claims.length === 0) claims.push(proved("chain", `${linked} neighbours are linked by their hashes`));
  if (apart > 0) {
    const why = `what stood in the ${apart} gaps: these lines are of other delegations, and only the whole ledger links over them (sallyport audit verify)`;
    claims.push(notProvable("chain gaps", why));
  }
  return claims;
}

/** The signed heads that were closed after the subject's lines. */
export function checkHeads({ lines, key }: ProofContext): Claim[] {
  const claims: Claim[] = [];
  const own = lines.filter(({ type }) => type !== "segment.closed");
  const closings = linesOf(lines, "segment.closed");
  for (const line of closings) {
    const { segment, lines: count, keyid, signature } = line.data;
    const bytes = closingBytes({ segment, lines: count, seq: line.seq, prev: line.prev, time: line.time });
    const problem =
      keyid !== key.keyid
        ? `it is signed by another key, ${keyid}`
        : key.verify(bytes, Buffer.from(signature, "base64"))
          ? undefined
          : "the signature is over something else";
    const linked = lines.some(({ seq, hash }) => seq === line.seq - 1 && hash === line.prev);
    const why = linked
      ? "the host signed the chain up to the line before, which is here and linked to it"
      : "the host signed a chain that ends here; that this pack's lines are in it, only the whole ledger shows";
    claims.push(holds(`head ${line.seq} signature`, problem, why));
  }
  const covered = closings.at(-1)?.seq ?? 0;
  const open = own.filter(({ seq }) => seq > covered).length;
  if (open > 0)
    claims.push(
      notProvable("heads", `${open} lines stand after the last signed head: their segment was not closed yet`),
    );
  return claims;
}
