/**
 * A backup of the state: the ledger up to its durable head, the configuration, the policies and the quarantines; the host's key
 * where it is asked for. Taken beside a running daemon: first everything is linked or copied into a folder on the same file
 * system, in an order in which nothing that is named can be missing, then verified, then packed.
 */
import { constants } from "node:fs";
import { copyFile, cp, link, lstat, mkdir, mkdtemp, open, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { SallyportError } from "../domain/error.ts";
import type { BackupManifest } from "../domain/operations.ts";
import { loadHostPublicKey } from "../gate/keys.ts";
import { verifyLedger } from "../ledger/verify.ts";
import { runTool } from "../worktree/mount.ts";
import type { StateDirectory } from "./state-directory.ts";
import { stateFormat } from "./state-format.ts";
import { version } from "./version.ts";

export interface BackupOptions {
  file: string;
  /** Whether the host's private key goes in. */
  keys: boolean;
  /** The durable head of the daemon that runs: what comes after it is left out. */
  head?: number;
}

/** Errors: `not-found` where there is no state, `usage` where the file is there, `ledger-broken`. */
export async function backUp(
  state: StateDirectory,
  options: BackupOptions,
): Promise<BackupManifest & { bytes: number }> {
  const file = resolve(options.file);
  if (await lstat(file).catch(() => undefined))
    throw new SallyportError("usage", `${file} is there already`, { next: "Name a file that is not." });
  await loadHostPublicKey(state.keys);
  const staged = await mkdtemp(join(state.root, ".backup-"));
  const partial = join(dirname(file), `.${basename(file)}.partial-${process.pid}`);
  try {
    await stageLedger(state.ledger, join(staged, "ledger"), options.head);
    await stageQuarantines(state.quarantine, join(staged, "quarantine"));
    await cp(state.policies, join(staged, "policies"), { recursive: true }).catch(ignoreMissing);
    await stageFiles(state, staged, options.keys);
    const manifest = await verified(state, staged, options.keys);
    await writeFile(join(staged, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
    // 0600 from its first byte: it may hold the key, and holds what executors wrote.
    await (await open(partial, "wx", 0o600)).close();
    await runTool("tar", ["--create", "--gzip", "--file", partial, "--directory", staged, "."], "/", 24 * 3_600_000);
    const handle = await open(partial, "r+");
    const { size } = await handle.stat();
    await handle.sync().finally(() => handle.close());
    // A link does not replace what came to be there meanwhile.
    await link(partial, file);
    return { ...manifest, bytes: size };
  } finally {
    await rm(partial, { force: true });
    await rm(staged, { recursive: true, force: true });
  }
}

const ignoreMissing = (error: NodeJS.ErrnoException) => {
  if (error.code !== "ENOENT") throw error;
};

/** Closed segments never change: they are linked. The last ones are copied, and cut behind the head or the last whole line. */
async function stageLedger(from: string, to: string, head = Number.POSITIVE_INFINITY): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  const names = (await readdir(from)).sort();
  const segments = names.filter((name) => name.endsWith(".jsonl"));
  for (const name of names.filter((one) => one.startsWith("torn-"))) await link(join(from, name), join(to, name));
  let cutting = true;
  for (const name of segments.reverse()) {
    if (!cutting) {
      await link(join(from, name), join(to, name));
      continue;
    }
    const copy = join(to, name);
    await copyFile(join(from, name), copy, constants.COPYFILE_EXCL);
    const kept = await wholeBytes(copy, head);
    if (kept === 0) await rm(copy);
    else {
      await truncate(copy, kept);
      cutting = false;
    }
  }
}

/** How many bytes of a segment are whole lines up to `seq` `head`. */
async function wholeBytes(segment: string, head: number): Promise<number> {
  const handle = await open(segment);
  let bytes = 0;
  try {
    const { size } = await handle.stat();
    for await (const line of handle.readLines({ autoClose: false })) {
      const end = bytes + Buffer.byteLength(line) + 1;
      if (end > size || Number(/"seq":(\d+)/.exec(line)?.[1] ?? Number.NaN) > head) break;
      bytes = end;
    }
  } finally {
    await handle.close();
  }
  return bytes;
}

/** Refs first, objects after: what a ref names was written before it. Objects never change: they are linked. */
async function stageQuarantines(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  for (const name of await readdir(from).catch(() => [])) {
    if (!/^[0-9a-f]{32}\.git$/.test(name)) continue;
    const [git, copy] = [join(from, name), join(to, name)];
    await mkdir(copy, { mode: 0o700 });
    for (const part of ["HEAD", "config", "info", "refs", "packed-refs"])
      await cp(join(git, part), join(copy, part), { recursive: true, filter: (path) => !path.endsWith(".lock") }).catch(
        ignoreMissing,
      );
    await linkObjects(join(git, "objects"), join(copy, "objects"));
  }
}

async function linkObjects(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  const entries = await readdir(from, { withFileTypes: true });
  // A pack is looked up by its index: the index is linked last, after what it needs.
  entries.sort((a, b) => Number(a.name.endsWith(".idx")) - Number(b.name.endsWith(".idx")));
  for (const entry of entries) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkObjects(source, target);
    // A file that git has not finished yet, or that it just packed: the pack is listed after it.
    else if (entry.isFile() && !entry.name.startsWith("tmp_")) await link(source, target).catch(ignoreMissing);
  }
}

/** The files of the directory itself, such as the configuration, and the key's halves. */
async function stageFiles(state: StateDirectory, staged: string, keys: boolean): Promise<void> {
  for (const entry of await readdir(state.root, { withFileTypes: true })) {
    if (!entry.isFile() || entry.name === "lock" || entry.name.endsWith(".new")) continue;
    await copyFile(join(state.root, entry.name), join(staged, entry.name));
  }
  await mkdir(join(staged, "keys"), { mode: 0o700 });
  await copyFile(join(state.keys, "host.pub"), join(staged, "keys/host.pub"));
  if (keys) await copyFile(join(state.keys, "host.key"), join(staged, "keys/host.key"));
}

/** A backup of a broken ledger would be found out when it is needed: it is verified now. */
async function verified(state: StateDirectory, staged: string, keys: boolean): Promise<BackupManifest> {
  const key = await loadHostPublicKey(join(staged, "keys"));
  const found = await verifyLedger(join(staged, "ledger"), {
    verifySignature: (keyid, bytes, signature) =>
      keyid === key.keyid && key.verify(bytes, Buffer.from(signature, "base64")),
  });
  if (!found.ok)
    throw new SallyportError(
      "ledger-broken",
      `the ledger does not verify: ${basename(found.file)}:${found.line} ${found.problem}`,
      {
        next: "Nothing was written. Look at it with `sallyport audit verify`, and keep the backups that you have.",
      },
    );
  return {
    format: stateFormat,
    version,
    made: new Date().toISOString(),
    state: state.root,
    head: found.head,
    lines: found.lines,
    keyid: key.keyid,
    withKey: keys,
  };
}
