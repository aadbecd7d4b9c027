/**
 * Collection: a frozen layer becomes a commit in quarantine, or a list of findings. The layer is walked, not the tree; what
 * passes is streamed into `git fast-import`, and the tree's id is git's own, read back.
 */
import type { Finding } from "../domain/rejection.ts";
import type { BaseTree } from "./base-tree.ts";
import { checkResult } from "./check-result.ts";
import { openIgnoreRules } from "./ignore.ts";
import { contentId, importLayer } from "./import-layer.ts";
import { assertFrozen, isFull, type Layer, lowerView } from "./layer.ts";
import { entryAt } from "./link-target.ts";
import { showPath } from "./names.ts";
import type { ObjectReader } from "./objects.ts";
import { type Change, type Quarantine, quarantineRef } from "./quarantine.ts";
import { type CollectLimits, linkFault, type Walked, type Wrote, walkLayer } from "./walk.ts";

export type { CollectLimits, Wrote } from "./walk.ts";

export interface CollectOptions {
  quarantine: Quarantine;
  base: BaseTree;
  /** The tree the layer was seeded with; left out: the base's. */
  fromTree?: string;
  /** Frozen. */
  layer: Layer;
  /** As they were given to `openWorkspace`. */
  lowers: readonly string[];
  limits: CollectLimits;
  /** The same predicate the base tree was made with. */
  visible: (path: string) => boolean;
  commit: { message: string; author: { name: string; email: string }; date: Date };
  /** The name under `refs/sallyport/` that keeps the result. */
  ref: string;
}

export type Collected =
  | { ok: true; commit: string; tree: string; changes: Change[]; ignored: number; wrote: Wrote }
  | { ok: false; findings: Finding[]; wrote: Wrote };

/**
 * Makes a proposal's commit out of a frozen layer, on the base commit. What the executor did wrong comes back as findings
 * and leaves no ref. Errors: `worktree-failed` where the layer is not frozen, `git-failed`.
 */
export async function collectLayer(options: CollectOptions): Promise<Collected> {
  const { quarantine, base, layer, lowers } = options;
  const ref = quarantineRef(options.ref);
  await assertFrozen(layer, lowers);
  const objects = quarantine.objects();
  const rules = openIgnoreRules(quarantine, base.ignoreRoot);
  try {
    const walked = await walkLayer({
      upper: layer.upper,
      merged: layer.merged,
      lower: lowerView(layer, lowers),
      objects,
      baseTree: base.tree,
      fromTree: options.fromTree ?? base.tree,
      rules,
      limits: options.limits,
      visible: options.visible,
    });
    const { wrote } = walked;
    if (await isFull(layer)) {
      walked.findings.push({
        reason: "layer-too-large",
        message: "the layer is full, so what was written last may be cut short; write less, or ask for a larger disk",
      });
    }
    for (const { candidate, fault, before } of walked.suspects) {
      // Touched, yet the same: a name the base has already is not the executor's fault.
      const same =
        candidate.mode === before.mode &&
        (await contentId(layer.upper, candidate, quarantine.objectFormat)) === before.oid;
      if (!same) walked.findings.push({ ...fault, path: showPath(candidate.path) });
    }
    if (walked.findings.length === 0) await checkLinks(walked, objects, base.tree, quarantine.objectFormat);
    if (walked.findings.length > 0) return { ok: false, findings: walked.findings, wrote };

    const imported = await importLayer(
      { quarantine, parent: base.commit, upper: layer.upper, ref, ...options.commit },
      walked,
    );
    if ("finding" in imported) return { ok: false, findings: [imported.finding], wrote };
    const { commit } = imported;
    const tree = await quarantine.treeOf(commit);
    const changes = await quarantine.changes(base.tree, tree);
    const findings = await checkResult({ objects, baseTree: base.tree, tree, changes, written: written(walked) });
    if (findings.length > 0) {
      await quarantine.drop(ref);
      return { ok: false, findings, wrote };
    }
    return { ok: true, commit, tree, changes, ignored: walked.ignored, wrote };
  } finally {
    await rules.close();
    await objects.close();
  }
}

/** Every path that was told to git: the result may differ from the base in no other. */
function written(walked: Walked): ReadonlySet<string> {
  return new Set([
    ...walked.candidates.map((c) => c.path.toString("utf8")),
    ...walked.removed.map((p) => p.toString("utf8")),
  ]);
}

/** Refuses bad targets, but not of a link that is as the base has it: that one is not the executor's. */
async function checkLinks(
  walked: Walked,
  objects: ObjectReader,
  baseTree: string,
  format: "sha1" | "sha256",
): Promise<void> {
  for (const candidate of walked.candidates) {
    const fault = linkFault(candidate);
    if (fault === null || candidate.target === undefined) continue;
    const before = await entryAt(objects, baseTree, candidate.path.toString("utf8").split("/"));
    const oid = await contentId("", candidate, format);
    if (before?.mode === "120000" && before.oid === oid) continue;
    walked.findings.push({
      reason: "link-refused",
      path: showPath(candidate.path),
      message: `the link is refused: ${fault} (${showPath(candidate.target).slice(0, 300)})`,
    });
  }
}
