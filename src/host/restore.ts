/** Restores a backup into an empty place: it is unpacked beside it, verified, and put there whole or not at all. */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { SallyportError } from "../domain/error.ts";
import { type BackupManifest, backupManifest } from "../domain/operations.ts";
import { loadHostPublicKey } from "../gate/keys.ts";
import { verifyLedger } from "../ledger/verify.ts";
import { runTool } from "../worktree/mount.ts";
import { makeStateDirectory, type StateDirectory } from "./state-directory.ts";
import { stateFormat } from "./state-format.ts";

const invalid = (file: string, why: string): SallyportError =>
  new SallyportError("backup-invalid", `${file}: ${why}`, { next: "Nothing was restored. Take another backup." });

/** Errors: `backup-invalid`, `ledger-broken`, `state-newer`, `usage` where there is something already. */
export async function restore(state: StateDirectory, named: string): Promise<BackupManifest> {
  const file = resolve(named);
  if (!(await stat(file).catch(() => undefined))?.isFile()) throw invalid(file, "there is no such file");
  const there = await readdir(state.root).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (there && there.length > 0)
    throw new SallyportError("usage", `${state.root} is not empty`, {
      next: "Restore into a directory that is not there or empty: --state DIR.",
    });
  await mkdir(dirname(state.root), { recursive: true });
  await checkMembers(file);
  const fresh = await mkdtemp(join(dirname(state.root), `.${basename(state.root)}.restore-`));
  try {
    const plain = ["--no-same-owner", "--no-same-permissions", "--no-overwrite-dir", "--delay-directory-restore"];
    await runTool("tar", ["--extract", "--gzip", "--file", file, ...plain, "--directory", fresh], "/", 24 * 3_600_000);
    const manifest = await readManifest(file, fresh);
    await checkLedger(file, fresh, manifest);
    await rm(join(fresh, "manifest.json"));
    if (there) await rmdir(state.root);
    await rename(fresh, state.root);
    await makeStateDirectory(state);
    return manifest;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** Plain files and directories below the top, and nothing else: a link or `..` in an archive leads out of the place. */
async function checkMembers(file: string): Promise<void> {
  const list = (...more: string[]) =>
    runTool("tar", ["--list", "--gzip", "--file", file, "--quoting-style=escape", ...more], "/", 3_600_000).catch(
      (cause: unknown) => {
        throw new SallyportError("backup-invalid", `${file} is no archive that can be read`, {
          next: "Nothing was restored. Take another backup.",
          cause,
        });
      },
    );
  for (const line of (await list("--verbose")).split("\n").filter(Boolean))
    if (!/^[-d]/.test(line)) throw invalid(file, `it has what is no plain file: ${line.slice(0, 200)}`);
  for (const name of (await list()).split("\n").filter(Boolean))
    if (!name.startsWith("./") || name.split("/").includes("..")) throw invalid(file, `it has ${name.slice(0, 200)}`);
}

async function readManifest(file: string, fresh: string): Promise<BackupManifest> {
  const text = await readFile(join(fresh, "manifest.json"), "utf8").catch(() => "");
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    throw invalid(file, "it is no backup of a state: manifest.json is missing or malformed");
  }
  const { format } = found as { format?: unknown };
  if (typeof format === "number" && format > stateFormat)
    throw new SallyportError("state-newer", `${file} was made by a newer version (form ${format})`, {
      next: "Restore it with that version.",
    });
  const parsed = backupManifest.safeParse(found);
  if (!parsed.success) throw invalid(file, "manifest.json is not of this form");
  return parsed.data;
}

/** The chain and its signatures, up to the very head that the manifest names. */
async function checkLedger(file: string, fresh: string, manifest: BackupManifest): Promise<void> {
  const key = await loadHostPublicKey(join(fresh, "keys"));
  if (key.keyid !== manifest.keyid) throw invalid(file, "its public key is not the one that its manifest names");
  const found = await verifyLedger(join(fresh, "ledger"), {
    verifySignature: (keyid, bytes, signature) =>
      keyid === key.keyid && key.verify(bytes, Buffer.from(signature, "base64")),
    anchor: manifest.head,
  });
  const why = found.ok
    ? found.head.seq === manifest.head.seq
      ? undefined
      : "it has lines after the head that its manifest names"
    : `${basename(found.file)}:${found.line} ${found.problem}`;
  if (why === undefined) return;
  throw new SallyportError("ledger-broken", `the ledger in ${file} does not verify: ${why}`, {
    next: "Nothing was restored. Take another backup.",
  });
}
