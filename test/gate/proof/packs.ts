/** Packs of real delegations on a real repository and a real ledger; everything but the sandboxes. */
import { mkdtemp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson } from "../../../src/domain/canonical.ts";
import type { Event } from "../../../src/domain/event.ts";
import { type ProofPack, proofPayloadType } from "../../../src/domain/proof.ts";
import { digestBytes } from "../../../src/gate/digest.ts";
import { seal } from "../../../src/gate/dsse.ts";
import type { HostKey } from "../../../src/gate/keys.ts";
import { exportProof } from "../../../src/gate/proof/export-proof.ts";
import { readProof } from "../../../src/gate/proof/read-proof.ts";
import { openLedger } from "../../../src/ledger/open.ts";
import { openHostRepository } from "../../../src/worktree/host-repository.ts";
import { openQuarantine } from "../../../src/worktree/quarantine.ts";
import { type Approved, start } from "../../delegation/approved.ts";
import type { Bench } from "../../worktree/fixture.ts";

/** What `keys/` of a state directory holds. */
export async function withPem(key: HostKey, directory: string): Promise<HostKey & { pem: string }> {
  return { ...key, pem: await readFile(join(directory, "host.pub"), "utf8") };
}

/** Writes events as a ledger would have them, with another delegation's line between, and exports one subject. */
export async function packOf(
  b: Bench,
  key: HostKey & { pem: string },
  id: string,
  events: readonly Event[],
  quarantine: Approved["quarantine"] | undefined,
  options: { between?: Event; close?: boolean } = {},
): Promise<string> {
  const directory = await mkdtemp(join(b.root, "ledger-"));
  const ledger = await openLedger({
    directory,
    now: () => new Date(start.getTime() + 30_000),
    sign: (bytes) => ({ keyid: key.keyid, signature: key.sign(bytes).toString("base64") }),
  });
  for (const [index, event] of events.entries()) {
    if (index === 3 && options.between) await ledger.append(options.between);
    await ledger.append(event);
  }
  if (options.close !== false) await ledger.close();
  const text = await exportProof(id, {
    entries: () => ledger.read(),
    head: ledger.head(),
    key,
    version: "0.0.0-test",
    now: start,
    openQuarantine: async () => quarantine,
  });
  if (options.close === false) await ledger.close();
  return text;
}

/** The pack inside a file's text. */
export const inside = (text: string): ProofPack => readProof(Buffer.from(text)).pack;

/** A pack as a file again, signed by a key: what somebody who has it could make. */
export function sealed(pack: unknown, key: HostKey): Buffer {
  return Buffer.from(`${canonicalJson(seal(proofPayloadType, Buffer.from(canonicalJson(pack)), key))}\n`);
}

/** A line with its hash made anew. */
export function rehashed(line: string): string {
  const { hash: _, ...rest } = JSON.parse(line) as Record<string, unknown>;
  return canonicalJson({ ...rest, hash: digestBytes(Buffer.from(canonicalJson(rest))) });
}

/** The repository and a scratch quarantine over it. */
export async function placeAt(b: Bench, path: string) {
  const repository = await openHostRepository(path);
  const directory = await mkdtemp(join(b.root, "scratch-"));
  return { repository, quarantine: await openQuarantine({ directory, repository }) };
}

export type Path = readonly (string | number)[];

/** Every leaf of a value. */
export function leaves(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, item]) =>
    leaves(item, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

/** A copy with one leaf changed in the smallest way. */
export function flipped<T>(value: T, path: Path): T {
  const copy = structuredClone(value);
  let at = copy as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as typeof at;
  const last = path.at(-1) ?? "";
  const old = at[last];
  if (typeof old === "number") at[last] = old + 1;
  else if (typeof old === "boolean") at[last] = !old;
  else if (typeof old === "string") at[last] = old === "" ? "x" : `${old.slice(0, -1)}${old.endsWith("1") ? "2" : "1"}`;
  else at[last] = "1";
  return copy;
}
