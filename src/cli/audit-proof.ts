/** `audit export` and `audit verify FILE`: a proof pack made, and one checked again with nothing but a repository. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exitCode, SallyportError } from "../domain/error.ts";
import type { Claim } from "../domain/proof.ts";
import { loadHostKey, loadHostPublicKey, publicKeyFrom } from "../gate/keys.ts";
import { exportProof } from "../gate/proof/export-proof.ts";
import { loadProof, type ReadProof } from "../gate/proof/read-proof.ts";
import { verifyProof } from "../gate/proof/verify-proof.ts";
import { version } from "../host/version.ts";
import { readEntries } from "../ledger/read.ts";
import { openHostRepository } from "../worktree/host-repository.ts";
import { openQuarantine } from "../worktree/quarantine.ts";
import { done, type Globals, print, say } from "./context.ts";
import { readKeyFile } from "./read-key.ts";

interface Head {
  seq: number;
  hash: string;
}

/** Writes a pack; `head` is the ledger's durable one. */
export async function exportPack(
  { state, json }: Globals,
  id: string,
  out: string | undefined,
  head: Head,
): Promise<number> {
  // Before the private half is asked for: that one is made where it is missing.
  await loadHostPublicKey(state.keys);
  const key = await loadHostKey(state.keys);
  const pem = await readFile(join(state.keys, "host.pub"), "utf8");
  const text = await exportProof(id, {
    entries: () => readEntries(state.ledger, head),
    head,
    key: { ...key, pem },
    version,
    now: new Date(),
    async openQuarantine(path) {
      try {
        const repository = await openHostRepository(path);
        return await openQuarantine({ directory: state.quarantine, repository });
      } catch {
        // The repository is gone: the pack then says what it can without patches.
        return undefined;
      }
    },
  });
  if (out === undefined) {
    process.stdout.write(text);
    return done;
  }
  await writeFile(out, text, { mode: 0o644, flag: "wx" }).catch((cause: NodeJS.ErrnoException) => {
    throw new SallyportError("usage", `${out} cannot be written: ${cause.code ?? cause.message}`, {
      next: "Name a file that does not exist yet.",
      cause,
    });
  });
  if (json) print({ id, file: out, bytes: Buffer.byteLength(text), keyid: key.keyid });
  else
    say(
      `${out}: ${Buffer.byteLength(text)} bytes, signed by ${key.keyid}; check it: sallyport audit verify ${out} --repo DIR`,
    );
  return done;
}

/** Checks a pack: 0 nothing failed, 1 something did, 2 it cannot be read. No daemon and no state directory is used. */
export async function verifyPack(
  json: boolean,
  file: string,
  options: { repo?: string; key?: string },
): Promise<number> {
  const proof = await loadProof(file);
  const claims = await claimsOf(proof, options);
  const failed = claims.filter(({ outcome }) => outcome === "failed");
  if (json) print({ file, subject: proof.pack.subject, host: proof.pack.host.keyid, ok: failed.length === 0, claims });
  else {
    const { subject, made, host } = proof.pack;
    say(`${subject.id}, ${subject.state}; exported ${made} by Sallyport ${host.version}, key ${host.keyid}`);
    const word = { proved: "proved      ", "not-provable": "not provable", failed: "FAILED      " } as const;
    for (const { claim, outcome, why } of claims) say(`${word[outcome]}  ${claim}: ${why}`);
    const count = (outcome: Claim["outcome"]) => claims.filter((one) => one.outcome === outcome).length;
    say(`${count("proved")} proved, ${count("not-provable")} not provable here, ${failed.length} FAILED`);
  }
  return failed.length === 0 ? done : exitCode.rejected;
}

async function claimsOf(proof: ReadProof, options: { repo?: string; key?: string }): Promise<Claim[]> {
  const key = options.key === undefined ? undefined : publicKeyFrom(await readKeyFile(options.key));
  if (options.repo === undefined) return verifyProof(proof, key ? { key } : {});
  const directory = await mkdtemp(join(tmpdir(), "sallyport-proof-"));
  try {
    // Everything is made in a quarantine of its own: nothing is written to the repository.
    const repository = await openHostRepository(options.repo);
    const quarantine = await openQuarantine({ directory, repository });
    return await verifyProof(proof, { ...(key ? { key } : {}), place: { repository, quarantine } });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
