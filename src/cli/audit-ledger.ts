/** How the audit commands find and read a ledger: from its files, by the host's public key, with a daemon's word on its end. */
import { SallyportError } from "../domain/error.ts";
import { subjectId } from "../domain/identity.ts";
import { written } from "../domain/units.ts";
import { type HostPublicKey, loadHostPublicKey, publicKeyFrom } from "../gate/keys.ts";
import type { EntryFilter } from "../host/audit/filter.ts";
import type { StateDirectory } from "../host/state-directory.ts";
import { type CheckedLine, type Verification, type VerifyOptions, walkLedger } from "../ledger/verify.ts";
import { call } from "./client.ts";
import { readKeyFile } from "./read-key.ts";

export interface Head {
  seq: number;
  hash: string;
}

/** A daemon that does not answer within this many milliseconds is as good as none. */
const patience = 5000;

/** The durable head of a daemon that is writing this ledger; undefined when none runs. */
export async function liveHead(state: StateDirectory): Promise<Head | undefined> {
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, patience, undefined).unref());
  const asked = call<{ head: Head; state: string }>(state, "GET", "/v1/status").then(
    ({ head, state: root }) => (root === state.root ? head : undefined),
    () => undefined,
  );
  return Promise.race([asked, late]);
}

/** The host's public key (or the one of `keyFile`), and the options that verify with it up to what is durable now. */
export async function verifyWith(
  state: StateDirectory,
  keyFile?: string,
): Promise<{ key: HostPublicKey; options: VerifyOptions }> {
  const key = keyFile === undefined ? await loadHostPublicKey(state.keys) : publicKeyFrom(await readKeyFile(keyFile));
  const live = await liveHead(state);
  const options: VerifyOptions = {
    verifySignature: (keyid, bytes, signature) =>
      keyid === key.keyid && key.verify(bytes, Buffer.from(signature, "base64")),
    ...(live ? { upTo: live.seq } : {}),
  };
  return { key, options };
}

/**
 * Shows every verified line to `look`, which may say to stop by returning true. Gives how far the ledger held: the
 * whole verification, or undefined where `look` stopped it before its end.
 */
export async function readVerified(
  state: StateDirectory,
  look: (lines: CheckedLine[]) => Promise<boolean | undefined>,
): Promise<Verification | undefined> {
  const walk = walkLedger(state.ledger, (await verifyWith(state)).options);
  for (;;) {
    const step = await walk.next();
    if (step.done) return step.value.verification;
    if (await look(step.value)) {
      await walk.return(undefined as never);
      return undefined;
    }
  }
}

/** A verification that failed, as the error that a command ends with. */
export function brokenLedger(result: Extract<Verification, { ok: false }>): SallyportError {
  const at = `${result.file}:${result.line}`;
  return new SallyportError("ledger-broken", `the ledger is BROKEN at ${at}: ${result.problem}`, {
    next: result.next,
    at,
  });
}

/** The durable head, from the daemon or else from the files, which are then verified. */
export async function durableHead(state: StateDirectory): Promise<Head> {
  const live = await liveHead(state);
  if (live) return live;
  const result = await readVerified(state, async () => false);
  if (!result?.ok) throw brokenLedger(result as Extract<Verification, { ok: false }>);
  return result.head;
}

/** The filters as they stand on a command line. */
export interface FilterFlags {
  delegation?: string[];
  type?: string[];
  host?: string[];
  denied?: boolean;
  secret?: string[];
  since?: string;
  until?: string;
  attempt?: string;
  limit?: string;
}

/** Reads the flags. Throws `usage` for what is no id, time or number. */
export function filterOf(flags: FilterFlags, now = new Date()): EntryFilter & { limit: number } {
  for (const id of flags.delegation ?? []) {
    if (!subjectId.safeParse(id).success)
      throw new SallyportError("usage", `${id} is no id`, { next: "Take it from `sallyport list`: d-…, p-… or m-…." });
  }
  const { limit, attempt, since, until, ...rest } = flags;
  return {
    ...rest,
    ...(since === undefined ? {} : { since: timeOf(since, now) }),
    ...(until === undefined ? {} : { until: timeOf(until, now) }),
    ...(attempt === undefined ? {} : { attempt: numberOf("--attempt", attempt) }),
    limit: limit === undefined ? Number.POSITIVE_INFINITY : numberOf("--limit", limit),
  };
}

/** A whole number above 0. */
export function numberOf(flag: string, text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new SallyportError("usage", `${flag} is a whole number above 0, found ${text}`, {
    next: "Write it in digits.",
  });
}

/** `2026-11-22`, `2026-11-22T18:00:00Z`, or how long ago: `24h`. In UTC, as the ledger has it. */
export function timeOf(text: string, now: Date): string {
  const ago = written.duration.safeParse(text);
  if (ago.success) return new Date(now.getTime() - ago.data).toISOString();
  const iso = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})?)?$/;
  const time = iso.test(text)
    ? new Date(/T.*(?:Z|[+-]\d{2}:\d{2})$|^[^T]*$/.test(text) ? text : `${text}Z`)
    : undefined;
  if (time && !Number.isNaN(time.getTime())) return time.toISOString();
  throw new SallyportError("usage", `not a time: ${text}`, {
    next: "Write 2026-11-22, 2026-11-22T18:00:00Z, or how long ago, such as 24h.",
  });
}
