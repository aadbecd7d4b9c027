/** A clean workspace of any tree in quarantine: base tree, fresh bounded layer, the difference written in. Used once. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { sandboxOwner } from "../sandbox/engine.ts";
import type { BaseTree } from "../worktree/base-tree.ts";
import {
  closeWorkspace,
  createLayer,
  destroyLayer,
  type Layer,
  openWorkspace,
  seedWorkspace,
  type Workspace,
} from "../worktree/layer.ts";
import type { Quarantine } from "../worktree/quarantine.ts";

/** Files that a layer may hold: enough for an install, and a bound on a flood of empty ones. */
export const layerInodes = 200_000;

export interface TreePlace {
  quarantine: Quarantine;
  base: BaseTree;
  /** Read-only layers above the base tree, top first: what the policy's setup made. */
  setup: readonly string[];
  /** A directory of this delegation's, for layers and mount points. */
  directory: string;
  /** Bytes of a layer. */
  disk: number;
}

export interface CleanTree {
  workspace: Workspace;
  layer: Layer;
}

/** Mounts `tree` under a fresh layer, lends it to `use`, and takes everything away again whatever happens. */
export async function withCleanTree<T>(
  place: TreePlace,
  name: string,
  tree: string,
  use: (clean: CleanTree) => Promise<T>,
): Promise<T> {
  const directory = join(place.directory, name);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const layer = await createLayer({
    directory,
    name: "layer",
    bytes: place.disk,
    inodes: layerInodes,
    owner: sandboxOwner,
  });
  try {
    const target = join(directory, "workspace");
    const workspace = await openWorkspace({ lowers: [...place.setup, place.base.files], layer, target });
    try {
      if (tree !== place.base.tree)
        await seedWorkspace(workspace, place.quarantine, place.base.tree, tree, sandboxOwner);
      return await use({ workspace, layer });
    } finally {
      await closeWorkspace(workspace);
    }
  } finally {
    await destroyLayer(layer);
    await rm(directory, { recursive: true, force: true });
  }
}
