/** A verification in words: what of a ledger is proved, by which key, up to which head, by which anchors, and what is not. */
import { stat } from "node:fs/promises";
import { anchorName } from "../../domain/anchor.ts";
import { SallyportError } from "../../domain/error.ts";
import type { HostPublicKey } from "../../gate/keys.ts";
import { type Anchor, type AnchorReport, judgeAnchor } from "../../ledger/anchor.ts";
import type { Verification, Walked } from "../../ledger/verify.ts";
import { readPlace } from "../anchor-places.ts";
import { loadConfig } from "../config.ts";
import type { StateDirectory } from "../state-directory.ts";

/** All that a verification came to, as `--json` prints it. */
export interface VerifyReport {
  ok: boolean;
  ledger: string;
  key: { keyid: string; algorithm: "ed25519" };
  /** The last line that holds. */
  head: { seq: number; hash: string };
  proved: string[];
  notProved: string[];
  failed: string[];
  next?: string;
  anchors: AnchorReport[];
  /** The chain alone: lines, segments, or the first bad line. */
  chain: Verification;
}

/** What anchors hold, read before the ledger is. */
export interface AnchorsRead {
  /** Named by whoever asks: they are to prove something. */
  given: Anchor[];
  /** Of the configuration. */
  configured: Anchor[];
  /** Why the configuration's are not there. */
  problem?: string;
  /** The lines to be marked in a walk. */
  marks: ReadonlySet<number>;
}

/** Reads anchors: `SEQ:HASH`, `git:DIR#REF` or files, and those of the state directory's configuration. Throws `usage`. */
export async function readAnchors(state: StateDirectory, named: readonly string[] = []): Promise<AnchorsRead> {
  const given = await Promise.all(named.map(givenAnchor));
  const { anchors: configured, problem } = await configuredAnchors(state);
  const marks = new Set([...given, ...configured].flatMap(({ heads }) => heads.map(({ seq }) => seq)));
  return { given, configured, marks, ...(problem === undefined ? {} : { problem }) };
}

/** What a walk over the ledger and its anchors come to. */
export function reportVerification(
  ledger: string,
  walked: Walked,
  { given, configured, problem }: AnchorsRead,
  key: HostPublicKey & { known?: boolean },
): VerifyReport {
  const { verification: chain } = walked;
  const anchors = [
    // What somebody names is to prove something: where it proves nothing, that is no success.
    ...given.map((anchor) => asked(judgeAnchor(anchor, walked, key))),
    ...configured.map((anchor) => judgeAnchor(anchor, walked, key)),
  ];
  const anchored = Math.max(0, ...anchors.map(({ fails, upTo }) => (fails ? 0 : (upTo ?? 0))));
  const failed = anchors.filter(({ fails }) => fails).map(({ anchor, says }) => `${anchor}: ${says}`);
  if (!chain.ok) failed.unshift(`${chain.file}:${chain.line}: ${chain.problem}`);
  const ok = failed.length === 0;
  return {
    ok,
    ledger,
    key: { keyid: key.keyid, algorithm: "ed25519" },
    head: chain.head,
    proved: proved(chain, anchors),
    notProved: [
      ...notProved(chain, anchors, anchored),
      ...(key.known ? [] : ["that this key is the host's: it lies beside the ledger; --key takes the one you know"]),
      ...(problem === undefined ? [] : [problem]),
    ],
    failed,
    ...(ok ? {} : { next: chain.ok ? anchorNext : chain.next }),
    anchors,
    chain,
  };
}

const anchorNext = "Keep the directory and the anchor as they are; compare the ledger with a copy from before.";

function asked(report: AnchorReport): AnchorReport {
  return report.verdict === "empty" || report.verdict === "unread" ? { ...report, fails: true } : report;
}

/** `SEQ:HASH`, `git:DIR#REF`, or a file. */
async function givenAnchor(text: string): Promise<Anchor> {
  const bare = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text);
  if (bare) {
    const head = { seq: Number(bare[1]), hash: bare[2] ?? "" };
    return { name: text, heads: [head], malformed: [], malformedTotal: 0 };
  }
  const ref = /^git:(.+)#([^#]+)$/.exec(text);
  if (ref) return readPlace({ ref: { repository: ref[1] ?? "", ref: ref[2] ?? "" } });
  if (
    await stat(text).then(
      (found) => found.isFile(),
      () => false,
    )
  )
    return readPlace({ file: text });
  throw new SallyportError("usage", `an anchor is SEQ:HASH, git:DIR#REF or a file that is there, found ${text}`, {
    next: "Take it from an earlier `sallyport audit verify`, or from the configuration's `anchors`.",
  });
}

async function configuredAnchors(state: StateDirectory): Promise<{ anchors: Anchor[]; problem?: string }> {
  let places: Awaited<ReturnType<typeof loadConfig>>["anchors"];
  try {
    places = (await loadConfig(state)).anchors;
  } catch (error) {
    const why = error instanceof SallyportError ? error.message : String(error);
    return { anchors: [], problem: `what the configured anchors say: ${state.config} cannot be read: ${why}` };
  }
  return { anchors: await Promise.all(places.map((place) => readPlace(place).catch(() => unread(anchorName(place))))) };
}

const unread = (name: string): Anchor => ({
  name,
  heads: [],
  malformed: [],
  malformedTotal: 0,
  missing: "it cannot be read",
});

function proved(chain: Verification, anchors: readonly AnchorReport[]): string[] {
  const { seq } = chain.head;
  const said = [
    seq === 0
      ? "there is no line before the first bad one"
      : `${seq === 1 ? "line 1 is" : `lines 1 to ${seq} are each`} in the one canonical form, hashed, and linked to the line before`,
  ];
  if (chain.ok && chain.signedUpTo !== null)
    said.push(`the host's key signed every line up to ${chain.signedUpTo}, at the end of each closed segment`);
  for (const { anchor, verdict, says, upTo } of anchors)
    if (verdict === "agrees") said.push(`nothing up to ${upTo} was cut or swapped since ${anchor} got it: ${says}`);
  return said;
}

function notProved(chain: Verification, anchors: readonly AnchorReport[], anchored: number): string[] {
  const said: string[] = [];
  const { seq } = chain.head;
  if (!chain.ok) said.push(`anything after line ${seq}`);
  if (anchored < seq || seq === 0)
    said.push(
      anchored > 0
        ? `that nothing was cut off after ${anchored}, the last head that an anchor has: a shorter ledger from before verifies too`
        : "that nothing was cut off its end: no anchor was given or configured, and a shorter ledger from before verifies too",
    );
  const signed = chain.ok ? (chain.signedUpTo ?? 0) : 0;
  if (chain.ok && Math.max(signed, anchored) < seq)
    said.push(`who wrote the lines after ${Math.max(signed, anchored)}: no signature or anchor covers them yet`);
  for (const { anchor, verdict, fails, says } of anchors)
    if (!fails && verdict !== "agrees") said.push(`what ${anchor} could: ${says}`);
  said.push("that what a line says was true: it is the host's own record, by the host's clock");
  return said;
}
