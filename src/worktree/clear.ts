/**
 * Clears away what nobody needs any more: base trees, and the objects of proposals whose refs were dropped. Which those are is
 * decided above. Each step may be cut by a crash: what is half gone has no name that anybody looks up, and goes next time.
 */
import { readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runGit } from "./git.ts";
import { mounts, runTool } from "./mount.ts";

/** A name that no base tree has: it is being removed. */
export const goingPrefix = ".gone-";

export interface KeptTree {
  key: string;
  /** When it was asked for last. */
  used: Date;
  bytes: number;
}

/** Bytes on the disk below a path; 0 where there is nothing. */
export async function bytesOf(path: string): Promise<number> {
  const said = await runTool("du", ["--summarize", "--block-size=1", "--", path], "/", 600_000).catch(() => "0");
  return Number.parseInt(said, 10) || 0;
}

/** The base trees of a directory that were last asked for before `before` and that no mount stands on. */
export async function idleTrees(directory: string, before: Date): Promise<KeptTree[]> {
  const lowers = (await mounts()).flatMap(({ type, superOptions }) =>
    type === "overlay" ? superOptions.filter((option) => option.startsWith("lowerdir=")) : [],
  );
  const idle: KeptTree[] = [];
  for (const key of (await readdir(directory).catch(() => [])).sort()) {
    if (!/^[0-9a-f]{40}$/.test(key)) continue;
    const path = join(directory, key);
    const used = (await stat(join(path, "base.json")).catch(() => undefined))?.mtime;
    if (used === undefined || used >= before) continue;
    if (lowers.some((option) => option.includes(`${path}/`))) continue;
    idle.push({ key, used, bytes: await bytesOf(path) });
  }
  return idle;
}

/**
 * Removes base trees that were not asked for since `before`, and what an earlier removal was cut in. It is looked at once more on
 * each side of the rename: one that is asked for while the others are measured stays. Returns the keys that went.
 */
export async function removeTrees(directory: string, keys: readonly string[], before: Date): Promise<string[]> {
  const asked = async (path: string) => {
    const used = (await stat(join(path, "base.json")).catch(() => undefined))?.mtime;
    return used === undefined || used >= before;
  };
  const gone: string[] = [];
  for (const key of keys) {
    const [path, going] = [join(directory, key), join(directory, `${goingPrefix}${key}`)];
    if (await asked(path)) continue;
    // One step takes it from under its name: half a tree is never found there.
    await rm(going, { recursive: true, force: true });
    await rename(path, going);
    if (await asked(going)) await rename(going, path);
    else gone.push(key);
  }
  for (const name of await readdir(directory).catch(() => []))
    if (name.startsWith(goingPrefix)) await rm(join(directory, name), { recursive: true, force: true });
  return gone;
}

/** Every quarantine of a directory, by its git directory, with the refs that keep something: `<subject>/<name>`. */
export async function keptRefs(directory: string): Promise<{ gitDir: string; refs: string[] }[]> {
  const found: { gitDir: string; refs: string[] }[] = [];
  for (const name of (await readdir(directory).catch(() => [])).sort()) {
    if (!/^[0-9a-f]{32}\.git$/.test(name)) continue;
    const gitDir = join(directory, name);
    const { stdout } = await runGit(["for-each-ref", "--format=%(refname)", "refs/sallyport/"], { gitDir });
    const refs = stdout.toString("utf8").split("\n").filter(Boolean);
    found.push({ gitDir, refs: refs.map((ref) => ref.slice("refs/sallyport/".length)) });
  }
  return found;
}

/**
 * Drops refs of a quarantine and removes what nothing in it names any more, if it was written before `before`: what a running
 * delegation wrote and has not named yet is younger. Returns how many bytes that gave back. Errors: `git-failed`.
 */
export async function clearObjects(gitDir: string, refs: readonly string[], before: Date): Promise<number> {
  const objects = join(gitDir, "objects");
  const first = await bytesOf(objects);
  // Says that a clearing was begun here and is not done: one that is cut is finished by the next.
  const mark = join(gitDir, "clearing");
  if (refs.length > 0) await writeFile(mark, "");
  const begun = await stat(mark).then(
    () => true,
    () => false,
  );
  const lines = refs.map((ref) => `delete refs/sallyport/${ref}\n`).join("");
  // All of them or none: a crash leaves no half of a delegation.
  if (refs.length > 0) await runGit(["update-ref", "--no-deref", "--stdin"], { gitDir, stdin: Buffer.from(lines) });
  const expire = before.toISOString();
  const at = { gitDir, timeout: 3_600_000 };
  // `-l`: what the host repository has stays there. `-A`: what is younger leaves its pack and is kept loose. Only where something
  // was dropped: a new pack makes all that is in it young again.
  if (begun) await runGit(["repack", "-A", "-d", "-l", "-q", `--unpack-unreachable=${expire}`], at);
  await runGit(["prune", `--expire=${expire}`], at);
  await rm(mark, { force: true });
  return Math.max(0, first - (await bytesOf(objects)));
}
