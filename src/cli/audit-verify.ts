/** `audit verify`: what of the ledger is proved, by which key, up to which head, by which anchors, and what is not. */
import { stat } from "node:fs/promises";
import { anchorName } from "../domain/anchor.ts";
import { exitCode, SallyportError } from "../domain/error.ts";
import { readPlace } from "../host/anchor-places.ts";
import { loadConfig } from "../host/config.ts";
import type { StateDirectory } from "../host/state-directory.ts";
import { type Anchor, type AnchorReport, judgeAnchor } from "../ledger/anchor.ts";
import { type Verification, verifyMarked } from "../ledger/verify.ts";
import { verifyWith } from "./audit-ledger.ts";
import { done, type Globals, print, say } from "./context.ts";

export interface VerifyFlags {
  anchor?: string[];
  repo?: string;
  key?: string;
}

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

export async function verify(globals: Globals, file: string | undefined, flags: VerifyFlags): Promise<number> {
  if (file !== undefined) {
    if (flags.anchor !== undefined)
      throw new SallyportError("usage", "--anchor is for the ledger, not for a proof pack", { next: "Leave it out." });
    const { verifyPack } = await import("./audit-proof.ts");
    return verifyPack(globals.json, file, flags);
  }
  if (flags.repo !== undefined || flags.key !== undefined)
    throw new SallyportError("usage", "--repo and --key are for a proof pack", {
      next: "Name its file: `sallyport audit verify FILE --repo DIR`.",
    });
  const report = await verifyState(globals.state, flags.anchor ?? []);
  if (globals.json) print({ ...report.chain, ...report });
  else for (const line of describe(report)) say(line);
  return report.ok ? done : exitCode.rejected;
}

/** Verifies a state directory's ledger against the anchors that are named and those of its configuration. */
export async function verifyState(state: StateDirectory, named: readonly string[]): Promise<VerifyReport> {
  // Before the daemon's head is asked for: an anchor that is handed out meanwhile would stand after it.
  const given = await Promise.all(named.map(givenAnchor));
  const { anchors: configured, problem } = await configuredAnchors(state);
  const { key, options } = await verifyWith(state);
  const marks = new Set([...given, ...configured].flatMap(({ heads }) => heads.map(({ seq }) => seq)));
  const walked = await verifyMarked(state.ledger, { ...options, marks });
  const { verification: chain } = walked;
  const reports = [
    // What somebody names is to prove something: where it proves nothing, that is no success.
    ...given.map((anchor) => asked(judgeAnchor(anchor, walked, key))),
    ...configured.map((anchor) => judgeAnchor(anchor, walked, key)),
  ];
  const anchored = Math.max(0, ...reports.map(({ fails, upTo }) => (fails ? 0 : (upTo ?? 0))));
  const failed = reports.filter(({ fails }) => fails).map(({ anchor, says }) => `${anchor}: ${says}`);
  if (!chain.ok) failed.unshift(`${chain.file}:${chain.line}: ${chain.problem}`);
  const ok = failed.length === 0;
  return {
    ok,
    ledger: state.ledger,
    key: { keyid: key.keyid, algorithm: "ed25519" },
    head: chain.head,
    proved: proved(chain, reports),
    notProved: [...notProved(chain, reports, anchored), ...(problem === undefined ? [] : [problem])],
    failed,
    ...(ok ? {} : { next: chain.ok ? anchorNext : chain.next }),
    anchors: reports,
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
