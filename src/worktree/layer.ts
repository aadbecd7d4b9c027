/**
 * A layer: what one sandbox writes over a base tree. Its bound is real: a preformatted sparse ext4 file of so many bytes
 * and inodes, loop-mounted, under an overlay. A full layer says ENOSPC to its own sandbox and to nobody else.
 */
import { chmod, chown, lstat, mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../domain/error.ts";
import type { Owner } from "./git.ts";
import { assertMountable, detachLoops, mountOverlay, mounts, runTool, unmount } from "./mount.ts";

export { sweepMounts } from "./mount.ts";
export { seedWorkspace } from "./seed.ts";

export interface Layer {
  name: string;
  /** The layer's own directory, absolute; everything below is its. */
  directory: string;
  /** The ext4 file. */
  image: string;
  /** Where the ext4 file is mounted. */
  mount: string;
  upper: string;
  work: string;
  /** Where the frozen layer is shown over its lowers, read-only. */
  merged: string;
  /** Where the lowers alone are shown, when there are several. */
  below: string;
  owner: Owner;
}

/** A layer over its lowers, mounted for a sandbox. */
export interface Workspace {
  target: string;
  lowers: readonly string[];
  layer: Layer;
}

/** The paths of a layer, made or not: all that `destroyLayer` needs after a crash. */
export function layerAt(directory: string, name: string, owner: Owner): Layer {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name)) {
    throw new SallyportError("worktree-failed", `not a name for a layer: ${JSON.stringify(name.slice(0, 120))}`);
  }
  const own = join(directory, name);
  const mount = join(own, "mount");
  return {
    name,
    directory: own,
    image: join(own, "image.ext4"),
    mount,
    upper: join(mount, "upper"),
    work: join(mount, "work"),
    merged: join(own, "merged"),
    below: join(own, "below"),
    owner,
  };
}

/** The smallest layer that holds its own bookkeeping. */
const leastBytes = 4 * 1024 * 1024;

/**
 * Makes and mounts an empty layer of at most `bytes` (its file system's own tables count) and about `inodes` files.
 * Errors: `worktree-failed`; what was begun is then taken away again.
 */
export async function createLayer(options: {
  directory: string;
  name: string;
  bytes: number;
  inodes: number;
  owner: Owner;
}): Promise<Layer> {
  const { directory, name, owner } = options;
  assertMountable(directory);
  const layer = layerAt(directory, name, owner);
  const bytes = Math.max(leastBytes, Math.floor(options.bytes / 4096) * 4096);
  // A table for more files than there are blocks would eat the layer.
  const inodes = Math.max(64, Math.min(Math.floor(options.inodes), Math.floor(bytes / 4096)));
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await mkdir(layer.directory, { mode: 0o700 }).catch((error: unknown) => {
    throw new SallyportError("worktree-failed", `layer ${name} is there already`, {
      next: "Destroy it first.",
      cause: error,
    });
  });
  try {
    const image = await open(layer.image, "wx", 0o600);
    try {
      await image.truncate(bytes);
    } finally {
      await image.close();
    }
    const features = "^has_journal,^resize_inode";
    await runTool("mkfs.ext4", [
      "-q",
      "-F",
      "-b",
      "4096",
      "-m",
      "0",
      "-N",
      String(inodes),
      "-O",
      features,
      "-E",
      "lazy_itable_init=1,nodiscard,root_owner=0:0",
      layer.image,
    ]);
    await mkdir(layer.mount, { mode: 0o700 });
    await runTool("mount", ["-t", "ext4", "-o", "loop,nosuid,nodev,noatime,noinit_itable", layer.image, layer.mount]);
    await mkdir(layer.upper);
    await chmod(layer.upper, 0o755);
    await chown(layer.upper, owner.uid, owner.gid);
    await mkdir(layer.work, { mode: 0o700 });
    return layer;
  } catch (error) {
    await destroyLayer(layer).catch(() => {});
    throw error;
  }
}

/** Mounts a layer over its lowers (top first) at `target`, which is made where it is missing. */
export async function openWorkspace(options: {
  lowers: readonly string[];
  layer: Layer;
  target: string;
}): Promise<Workspace> {
  const { layer, target } = options;
  if (options.lowers.length === 0) throw new SallyportError("worktree-failed", "a workspace needs a base tree");
  await mkdir(target, { recursive: true });
  await mountOverlay(target, options.lowers, layer);
  return { target, lowers: [...options.lowers], layer };
}

/** Takes the workspace away; the layer stays. Done twice, it does nothing. */
export async function closeWorkspace(workspace: Workspace): Promise<void> {
  await unmount(workspace.target);
}

/**
 * Ends all writing: the workspace is unmounted, the layer's file system made read-only as a whole (so also for a mount
 * in another namespace), and the result shown read-only at `layer.merged`. Collection reads nothing else.
 */
export async function freezeLayer(workspace: Workspace): Promise<Layer> {
  const { layer, lowers } = workspace;
  await closeWorkspace(workspace);
  const end = Date.now() + 10_000;
  for (;;) {
    try {
      await runTool("mount", ["-o", "remount,ro,nosuid,nodev", layer.mount]);
      break;
    } catch (error) {
      // A file still open for writing: the sandbox's last process is not gone yet.
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  const shown = new Set((await mounts()).map((m) => m.path));
  if (lowers.length > 1 && !shown.has(layer.below)) {
    await mkdir(layer.below, { recursive: true, mode: 0o700 });
    await mountOverlay(layer.below, lowers);
  }
  if (!shown.has(layer.merged)) {
    await mkdir(layer.merged, { recursive: true, mode: 0o700 });
    await mountOverlay(layer.merged, [layer.upper, ...lowers]);
  }
  return layer;
}

/** Where the lowers of a frozen layer can be read as one tree. */
export function lowerView(layer: Layer, lowers: readonly string[]): string {
  return lowers.length === 1 ? (lowers[0] as string) : layer.below;
}

/**
 * Makes sure that nothing can write to a layer any more: what is hashed is then what is used. Reads the kernel's own
 * list of mounts. Errors: `worktree-failed`.
 */
export async function assertFrozen(layer: Layer, lowers: readonly string[]): Promise<void> {
  const all = await mounts();
  const last = (path: string) => all.findLast((m) => m.path === path);
  const refuse = (found: string) =>
    new SallyportError("worktree-failed", `layer ${layer.name} is not frozen: ${found}`, {
      next: "End the sandbox and freeze the layer before it is collected.",
    });
  const own = last(layer.mount);
  if (own?.type !== "ext4") throw refuse("it is not mounted");
  if (!own.options.includes("ro") || !own.superOptions.includes("ro"))
    throw refuse("its file system can be written to");
  const writer = all.find((m) => m.type === "overlay" && m.superOptions.includes(`upperdir=${layer.upper}`));
  if (writer) throw refuse(`it is still mounted at ${writer.path}`);
  const merged = last(layer.merged);
  if (merged?.type !== "overlay" || !merged.options.includes("ro")) throw refuse("its merged view is missing");
  const stack = [layer.upper, ...lowers].join(":");
  if (!merged.superOptions.includes(`lowerdir=${stack}`)) throw refuse("its merged view shows other lowers");
  if (lowers.length > 1 && last(layer.below)?.type !== "overlay") throw refuse("the view of its lowers is missing");
}

/**
 * A write that finds no room ends before the last byte is taken: the kernel asks for as much as one folio of the page cache
 * holds (2 MiB at most; ext4 has large ones since Linux 6.16), and what it does not get stays free.
 */
const cutShort = 2 * 1024 * 1024;

/** True where a layer has no room left: what was written last may be cut short. */
export async function isFull(layer: Layer): Promise<boolean> {
  const room = await statfs(layer.mount);
  return room.bavail * room.bsize < cutShort || room.ffree === 0;
}

/** Unmounts, detaches and deletes a layer. Done twice, or on half a layer, it does what is left to do. */
export async function destroyLayer(layer: Layer): Promise<void> {
  for (const path of [layer.merged, layer.below]) await unmount(path);
  // An overlay elsewhere would keep the ext4 file busy for ever: the workspace goes with its layer.
  for (const m of await mounts()) {
    if (m.type === "overlay" && m.superOptions.includes(`upperdir=${layer.upper}`)) await unmount(m.path);
  }
  await unmount(layer.mount);
  if (await lstat(layer.image).catch(() => null)) await detachLoops((file) => file === layer.image);
  await rm(layer.directory, { recursive: true, force: true });
}
