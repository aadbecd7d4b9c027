/** The trees and the diff of a canary, made by git in a scratch repository of the host's own. Nothing lands from there. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson } from "../../domain/canonical.ts";
import { SallyportError } from "../../domain/error.ts";
import { runGit } from "../../worktree/git.ts";
import { openQuarantine, type Quarantine } from "../../worktree/quarantine.ts";
import type { CanaryCase } from "./canary-case.ts";
import type { ShownCase } from "./vary-case.ts";

/** Where canaries are made: a quarantine over an empty repository. `close` removes both. */
export interface CanaryPlace {
  quarantine: Quarantine;
  close(): Promise<void>;
}

/** Makes a place below a directory. It belongs to no host repository, so no landing can name it. */
export async function openCanaryPlace(directory: string): Promise<CanaryPlace> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const place = await mkdtemp(join(directory, "canary-"));
  try {
    await chmod(place, 0o700);
    const empty = join(place, "none.git");
    await runGit(["init", "--quiet", "--bare", "--template=", "--end-of-options", empty], { cwd: place });
    const repository = {
      path: empty,
      gitDir: empty,
      headDir: empty,
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
      bare: true,
      objectFormat: "sha1" as const,
    };
    const quarantine = await openQuarantine({ directory: join(place, "q"), repository });
    return { quarantine, close: () => rm(place, { recursive: true, force: true }) };
  } catch (error) {
    await rm(place, { recursive: true, force: true });
    throw error;
  }
}

/** The tree of some text files. */
export async function treeOfFiles(quarantine: Quarantine, files: Readonly<Record<string, string>>): Promise<string> {
  const { stdout } = await runGit(["hash-object", "-t", "tree", "-w", "--stdin"], {
    gitDir: quarantine.gitDir,
    stdin: Buffer.alloc(0),
  });
  const overrides = [];
  for (const [path, text] of Object.entries(files))
    overrides.push({ path, mode: "100644", oid: await quarantine.writeBlob(Buffer.from(text)) });
  return quarantine.compose(stdout.toString("latin1").trim(), overrides);
}

/** A case's files after its change. Errors: `canary-invalid` where the patch does not apply to its base. */
export async function filesAfter(quarantine: Quarantine, one: CanaryCase): Promise<Record<string, string>> {
  const base = await treeOfFiles(quarantine, one.base);
  const scratch = await mkdtemp(join(quarantine.gitDir, "apply-"));
  try {
    const index = { gitDir: quarantine.gitDir, indexFile: join(scratch, "index") };
    await runGit(["read-tree", base], index);
    const file = join(scratch, "change.patch");
    await writeFile(file, one.patch);
    const applied = await runGit(["apply", "--cached", "--whitespace=nowarn", "--end-of-options", file], {
      ...index,
      accept: [0, 1, 128],
    });
    if (applied.code !== 0)
      throw new SallyportError(
        "canary-invalid",
        `${one.id}: its patch does not apply: ${applied.stderr.slice(0, 500)}`,
        {
          next: "Make change.patch with git diff against base/.",
        },
      );
    const tree = (await runGit(["write-tree"], index)).stdout.toString("latin1").trim();
    const files: Record<string, string> = { ...one.base };
    for (const change of await quarantine.changes(base, tree)) {
      if (change.kind === "deleted") delete files[change.path];
      else if (!change.mode.startsWith("100"))
        throw new SallyportError("canary-invalid", `${one.id}: ${change.path} is no plain file`);
      else files[change.path] = (await quarantine.readBlob(change.oid)).toString("utf8");
    }
    return files;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The trees of a shown case, its patch, and its report about exactly these trees. */
export async function shownTrees(
  quarantine: Quarantine,
  shown: ShownCase,
  limit: number,
): Promise<{ base: string; tree: string; patch: Buffer; report: ShownCase["report"] }> {
  const base = await treeOfFiles(quarantine, shown.before);
  const tree = await treeOfFiles(quarantine, shown.after);
  const patch = await quarantine.patch(base, tree, limit);
  if (!patch.ok)
    throw new SallyportError("canary-invalid", `the patch has more than ${limit} bytes`, {
      next: "Make the case smaller than what the policy lets through.",
    });
  return { base, tree, patch: patch.patch, report: aboutTrees(shown.report, base, tree) };
}

function aboutTrees(report: ShownCase["report"], base: string, tree: string): ShownCase["report"] {
  const was = report.proposal?.tree;
  const at = (run: ShownCase["report"]["base"]) =>
    run ? { ...run, tree: run.tree === was ? tree : run.tree } : undefined;
  const { base: onBase, proposal, proven, ...rest } = report;
  const shown = {
    ...rest,
    ...(onBase ? { base: { ...onBase, tree: base } } : {}),
    ...(proposal ? { proposal: { ...proposal, tree } } : {}),
    ...(proven ? { proven: at(proven) } : {}),
  };
  // A real one comes out of the ledger, where its keys stand in canonical order: another order would tell.
  return JSON.parse(canonicalJson(shown)) as ShownCase["report"];
}
