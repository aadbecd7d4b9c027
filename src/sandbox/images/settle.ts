/**
 * A built image made the same on every host: times are clamped and what only tells of this build leaves its
 * configuration, so that its id depends on nothing but its inputs. It stands by itself afterwards: the engine no
 * longer counts it as a child of the one it was built on, and images can be cleared in any order.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type Docker from "dockerode";
import tar from "tar-stream";
import { inspectImage } from "./built-image.ts";
import { failed, readSavedImage, type SavedLayer } from "./saved-image.ts";

/** No file and no step of an image is younger, in seconds: what is, is of the build itself (SOURCE_DATE_EPOCH). */
export const sourceDateEpoch = 1_767_225_600;

interface Config {
  created: string;
  history?: Record<string, unknown>[];
  rootfs: { diff_ids: string[] };
  config?: Record<string, unknown>;
  [key: string]: unknown;
}

/**
 * Saves an image, loads it again, settled, and removes the first; gives its new id. The same inputs give the same id.
 * Throws `image-failed` where the engine's archive is not as expected, or the image did not come back.
 */
export async function settleImage(docker: Docker, digest: string, cacheDirectory: string): Promise<string> {
  await mkdir(cacheDirectory, { recursive: true });
  const directory = await mkdtemp(join(cacheDirectory, "settle-"));
  let settled: string;
  try {
    const archive = (await docker.getImage(digest).get()) as unknown as Readable;
    const { config: bytes, layers } = await readSavedImage(archive, directory, sourceDateEpoch);
    const before = JSON.parse(bytes.toString("utf8")) as Config;
    const diffIds = layers.map((layer) => layer.diffId);
    const config = JSON.stringify(settledConfig(before, diffIds));
    settled = `sha256:${createHash("sha256").update(config).digest("hex")}`;
    if (settled === digest) return digest;
    // An engine looks for a layer by the chain up to it before it reads its file. The lowest layers that clamping left
    // as they were have that chain in the image that is still there: the whole base, mostly.
    const changed = diffIds.findIndex((one, at) => one !== before.rootfs.diff_ids[at]);
    const present = changed < 0 ? layers.length : changed;
    await loadImage(docker, config, layers, present).catch(async (error: unknown) => {
      if (present === 0) throw error;
      await loadImage(docker, config, layers, 0);
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  if ((await inspectImage(docker, settled))?.Id !== settled) {
    throw failed(`${digest} did not come back from the engine as ${settled}`);
  }
  if (await inspectImage(docker, digest)) await docker.getImage(digest).remove({ force: true });
  return settled;
}

/** Loads an image into the engine, without the files of its lowest layers, as many as `present`. */
async function loadImage(docker: Docker, config: string, layers: SavedLayer[], present: number): Promise<void> {
  const pack = tar.pack();
  const loaded = docker.loadImage(pack as unknown as NodeJS.ReadableStream).then(
    (progress) =>
      new Promise<void>((resolve, reject) => {
        docker.modem.followProgress(progress, (error, events: { error?: string }[]) => {
          // What fails once the answer has begun is told in it.
          const told = events.find((event) => event.error !== undefined)?.error;
          if (error) reject(error);
          else if (told !== undefined) reject(failed(`the engine did not load the settled image: ${told}`));
          else resolve();
        });
      }),
  );
  // Either side ends the other: an engine would wait for the rest, and one that gave up reads no more.
  const written = writeArchive(pack, config, layers, present).catch((error: Error) => pack.destroy(error));
  loaded.catch((error: Error) => pack.destroy(error));
  await Promise.all([loaded, written]);
}

/** An archive with names of its own beside `manifest.json`, which engines load whichever form they save in. */
async function writeArchive(pack: tar.Pack, config: string, layers: SavedLayer[], present: number): Promise<void> {
  const mtime = new Date(0);
  for (const { file, size } of new Set(layers.slice(present))) {
    await pipeline(createReadStream(file), pack.entry({ name: basename(file), size, mtime }));
  }
  pack.entry({ name: "config.json", mtime }, config);
  const manifest = [{ Config: "config.json", RepoTags: null, Layers: layers.map(({ file }) => basename(file)) }];
  pack.entry({ name: "manifest.json", mtime }, JSON.stringify(manifest));
  pack.finalize();
}

/** The configuration without the build's container, times, and the engine's version. */
function settledConfig(config: Config, diffs: string[]): object {
  const created = new Date(sourceDateEpoch * 1000).toISOString().replace(".000Z", "Z");
  const { container: _, container_config: __, docker_version: ___, ...rest } = config;
  return {
    ...rest,
    created,
    // `Image` names the step before the last, which exists on this host only.
    ...(config.config ? { config: { ...config.config, Image: "" } } : {}),
    ...(config.history ? { history: config.history.map((step) => ({ ...step, created })) } : {}),
    rootfs: { ...config.rootfs, diff_ids: diffs },
  };
}
