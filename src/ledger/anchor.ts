/** Signed heads: how one is made, read, and compared with a ledger. Pure. */
import { type SignedHead, signedHead } from "../domain/anchor.ts";
import { canonicalJson } from "../domain/canonical.ts";
import type { Sign } from "./append.ts";
import type { Head } from "./line.ts";
import type { Walked } from "./verify.ts";

/** A line that is longer is none of ours. */
const lineMax = 2000;

type Unsigned = Pick<SignedHead, "ledger" | "seq" | "hash" | "time">;

/** What the signature is over. `type` keeps it from being taken for a signature over anything else. */
function headBytes({ ledger, seq, hash, time }: Unsigned): Uint8Array {
  return Buffer.from(canonicalJson({ type: "sallyport-ledger-head-v1", ledger, seq, hash, time }));
}

/** The line (without its newline) that vouches for a head of the ledger that begins with `ledger`. */
export function formAnchor(ledger: string, head: Head, time: Date, sign: Sign): string {
  const said = { ledger, ...head, time: time.toISOString() };
  return canonicalJson({ type: "sallyport-ledger-head-v1", ...said, ...sign(headBytes(said)) });
}

/** A line as what it claims; a string says what is wrong with it. */
export function readAnchor(line: string): SignedHead | string {
  if (line.length > lineMax) return `it has more than ${lineMax} characters`;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return "it is no JSON";
  }
  const parsed = signedHead.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return `it is no signed head: ${issue?.path.map(String).join(".") || "line"}: ${issue?.message ?? "unknown"}`;
}

/** What one place, or one head that was given by hand, has to say. */
export interface Anchor {
  name: string;
  /** Signed heads, oldest first; those without `keyid` were given by hand and are believed as they are. */
  heads: readonly (SignedHead | (Head & { keyid?: never }))[];
  /** Lines that are none, with what is wrong: the first few. */
  malformed: readonly { line: number; problem: string }[];
  malformedTotal: number;
  /** Why there is nothing: it cannot be read, or nobody can read it back. */
  missing?: string;
}

/** `agrees` proves; `unread` and `empty` prove nothing; all others say that something is wrong. */
export type AnchorVerdict =
  | "agrees"
  | "unread"
  | "empty"
  | "not-compared"
  | "ahead"
  | "contradicts"
  | "two-histories"
  | "other-ledger"
  | "other-key"
  | "forged";

export interface AnchorReport {
  anchor: string;
  verdict: AnchorVerdict;
  /** Whether the ledger can no longer be called whole. */
  fails: boolean;
  /** Heads that were compared and agree. */
  agreeing: number;
  /** The last of them; null where there is none. */
  upTo: number | null;
  malformed: number;
  says: string;
}

/** Compares what an anchor holds with a ledger that was walked with its heads marked. */
export function judgeAnchor(
  anchor: Anchor,
  walked: Walked,
  key: { keyid: string; verify(bytes: Uint8Array, signature: Uint8Array): boolean },
): AnchorReport {
  const { verification, ledger, marked } = walked;
  const end = verification.head.seq;
  let agreeing = 0;
  let upTo: number | null = null;
  let beyondBreak = 0;
  const said = new Map<number, string>();
  const faults = new Map<AnchorVerdict, string>();
  const fault = (verdict: AnchorVerdict, says: string) => {
    if (!faults.has(verdict)) faults.set(verdict, says);
  };
  for (const head of anchor.heads) {
    const { seq, hash } = head;
    if (head.keyid !== undefined) {
      if (head.keyid !== key.keyid) {
        fault(
          "other-key",
          `its head at ${seq} is signed by the key ${head.keyid}, and this host's is ${key.keyid}: the key was changed, or the anchor is another host's`,
        );
        continue;
      }
      if (!key.verify(headBytes(head), Buffer.from(head.signature, "base64"))) {
        fault("forged", `its head at ${seq} names this host's key, which did not sign it`);
        continue;
      }
      const known = said.get(seq);
      if (head.ledger !== ledger) {
        fault(
          "other-ledger",
          `its head at ${seq} is of the ledger that begins with ${head.ledger}, signed by this host's key; this one begins with ${ledger}: the ledger was begun anew, or the anchor is shared`,
        );
        continue;
      }
      if (known !== undefined && known !== hash)
        fault(
          "two-histories",
          `this host's key signed two heads at ${seq}, ${known} and ${hash}: one of them was cut away`,
        );
      said.set(seq, hash);
    }
    const found = marked.get(seq);
    if (found === hash) {
      agreeing += 1;
      upTo = Math.max(upTo ?? 0, seq);
    } else if (found !== undefined)
      fault("contradicts", `it has ${hash} at ${seq}, and the ledger ${found}: another line is in its place`);
    else if (!verification.ok) beyondBreak += 1;
    else if (seq > end)
      fault("ahead", `it was at ${seq}, and the ledger ends at ${end}: ${seq - end} lines or more are cut off its end`);
    else fault("contradicts", `it names ${seq}, which no line has`);
  }
  const base = { anchor: anchor.name, agreeing, upTo, malformed: anchor.malformedTotal };
  const worst = (["two-histories", "contradicts", "ahead", "forged", "other-key", "other-ledger"] as const).find(
    (one) => faults.has(one),
  );
  if (worst) return { ...base, verdict: worst, fails: true, says: faults.get(worst) ?? "" };
  if (anchor.missing !== undefined) return { ...base, verdict: "unread", fails: false, says: anchor.missing };
  const [first] = anchor.malformed;
  const spoilt = first
    ? `${anchor.malformedTotal} of its lines are no signed heads, the first at ${first.line}: ${first.problem}`
    : "";
  if (beyondBreak > 0 && agreeing === 0)
    return {
      ...base,
      verdict: "not-compared",
      fails: false,
      says: "its heads stand after the line at which the ledger breaks",
    };
  if (agreeing === 0) return { ...base, verdict: "empty", fails: false, says: spoilt || "it holds no head yet" };
  const heads = agreeing === 1 ? "one head agrees" : `${agreeing} heads agree, the last`;
  return { ...base, verdict: "agrees", fails: false, says: `${heads} at ${upTo}${spoilt ? `; ${spoilt}` : ""}` };
}
