/** Reads a proof pack without believing it: its form alone is checked here. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { canonicalJson } from "../../domain/canonical.ts";
import { SallyportError } from "../../domain/error.ts";
import { type EventData, type EventType, events } from "../../domain/event.ts";
import {
  type ProofEnvelope,
  type ProofPack,
  proofBytesMax,
  proofEnvelope,
  proofPack,
  proofPayloadType,
} from "../../domain/proof.ts";
import { digestBytes } from "../digest.ts";

/** A line of the pack. Types and forms that this version does not know are carried, and say nothing here. */
export interface ProofLine {
  seq: number;
  time: string;
  type: string;
  delegation: string | undefined;
  prev: string;
  hash: string;
  /** Its data, where it is an event that this version knows. */
  data: unknown;
  /** Whether `data` was read. */
  known: boolean;
  /** Why the line is not what it says it is; undefined where its form and hash hold. */
  problem: string | undefined;
}

export interface ReadProof {
  envelope: ProofEnvelope;
  pack: ProofPack;
  lines: readonly ProofLine[];
}

/** Reads a file. Errors: `proof-invalid` for everything that is no pack. */
export async function loadProof(path: string): Promise<ReadProof> {
  const refuse = (why: string, cause?: unknown) => invalid(`${path} ${why}`, cause);
  let bytes: Buffer;
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw refuse("is not a regular file");
      if (stat.size > 2 * proofBytesMax) throw refuse("is larger than any pack");
      bytes = await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof SallyportError) throw cause;
    throw refuse(`cannot be read: ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`, cause);
  }
  return readProof(bytes);
}

/** Reads a pack's bytes. Errors: `proof-invalid`. */
export function readProof(bytes: Uint8Array): ReadProof {
  const envelope = parsed(bytes, proofEnvelope.safeParse, "the file is no envelope");
  if (envelope.payloadType !== proofPayloadType)
    throw invalid(`the file holds ${JSON.stringify(envelope.payloadType)}, not a proof pack`);
  const payload = Buffer.from(envelope.payload, "base64");
  const pack = parsed(payload, proofPack.safeParse, "the payload is no proof pack");
  if (canonicalJson(pack) !== payload.toString("utf8")) throw invalid("the payload is not in its canonical form");
  return { envelope, pack, lines: pack.ledger.lines.map(readLine) };
}

function invalid(message: string, cause?: unknown): SallyportError {
  return new SallyportError("proof-invalid", message, {
    next: "Export it again: `sallyport audit export ID`.",
    ...(cause === undefined ? {} : { cause }),
  });
}

function parsed<T>(
  bytes: Uint8Array,
  schema: (
    value: unknown,
  ) =>
    | { success: true; data: T }
    | { success: false; error: { issues: readonly { path: PropertyKey[]; message: string }[] } },
  what: string,
): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw invalid(`${what}: it is not JSON, or was cut`, cause);
  }
  const result = schema(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw invalid(`${what}: ${issue?.path.map(String).join(".") || "it"}: ${issue?.message ?? "unknown"}`);
}

/** One line: canonical JSON whose `hash` is that of the rest, as in the ledger. */
function readLine(text: string): ProofLine {
  const bad = (problem: string, found: Partial<ProofLine> = {}): ProofLine => ({
    ...{ seq: -1, time: "", type: "", delegation: undefined, prev: "", hash: "", data: undefined, known: false },
    ...found,
    problem,
  });
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
    if (canonicalJson(value) !== text) return bad("it is not in its canonical form");
  } catch {
    return bad("it is not JSON");
  }
  const { seq, time, type, delegation, prev, hash, data } = value;
  if (typeof seq !== "number" || typeof time !== "string" || typeof type !== "string" || typeof prev !== "string")
    return bad("it is no entry");
  if (typeof hash !== "string" || (delegation !== undefined && typeof delegation !== "string"))
    return bad("it is no entry");
  const { hash: _, ...rest } = value;
  const is = Object.hasOwn(events, type) ? events[type as EventType].safeParse(data) : undefined;
  const line = {
    seq,
    time,
    type,
    delegation,
    prev,
    hash,
    data: is?.success ? is.data : data,
    known: is?.success === true,
  };
  const problem =
    digestBytes(Buffer.from(canonicalJson(rest))) === hash ? undefined : "hash is not the hash of the line";
  return { ...line, problem };
}

/** The lines of one type that this version knows, with their data. */
export function linesOf<T extends EventType>(
  lines: readonly ProofLine[],
  type: T,
  delegation?: string,
): (Omit<ProofLine, "data"> & { data: EventData<T> })[] {
  return lines.filter(
    (line) => line.type === type && line.known && (delegation === undefined || line.delegation === delegation),
  ) as never;
}
