/**
 * A built image made the same on every host: times are clamped and what only tells of this build leaves its
 * configuration, so that its id depends on nothing but its inputs. It stands by itself afterwards: the engine no
 * longer counts it as a child of the one it was built on, and images can be cleared in any order.
 */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join, posix } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type Docker from "dockerode";
import tar from "tar-stream";
import { SallyportError } from "../../domain/error.ts";
import { inspectImage } from "./built-image.ts";
import { clampTimes } from "./clamp-times.ts";

/** No file and no step of an image is younger, in seconds: what is, is of the build itself (SOURCE_DATE_EPOCH). */
export const sourceDateEpoch = 1_767_225_600;
/** Configurations and manifests; layers are streamed. */
const heldBytes = 4 << 20;

interface Config {
  created: string;
  history?: Record<string, unknown>[];
  rootfs: { diff_ids: string[] };
  config?: Record<string, unknown>;
  [key: string]: unknown;
}

/**
 * Saves an image, removes it and loads it again, settled; gives its new id. The same inputs give the same id. Throws
 * `image-failed` where the engine's archive is not as expected, or the image did not come back.
 */
export async function settleImage(docker: Docker, digest: string, cacheDirectory: string): Promise<string> {
  const file = join(cacheDirectory, `${digest.slice("sha256:".length, 23)}.${process.pid}.tar`);
  await mkdir(cacheDirectory, { recursive: true });
  let settled: string;
  try {
    settled = await rewrite((await docker.getImage(digest).get()) as unknown as Readable, file);
    if (settled === digest) return digest;
    await docker.getImage(digest).remove({ force: true });
    const progress = await docker.loadImage(createReadStream(file));
    await new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve()));
    });
  } finally {
    await rm(file, { force: true });
  }
  if ((await inspectImage(docker, settled))?.Id !== settled) {
    throw failed(`${digest} did not come back from the engine as ${settled}`);
  }
  return settled;
}

/** Rewrites the engine's archive of one image into a file, and gives the id of what is in it. */
async function rewrite(archive: Readable, file: string): Promise<string> {
  const extract = tar.extract();
  const pack = tar.pack();
  const held = new Map<string, Buffer>();
  const layers = new Map<string, string>();
  const links = new Map<string, string>();
  const written = pipeline(pack as unknown as Readable, createWriteStream(file, { mode: 0o600 }));
  extract.on("entry", (header, stream, next) => {
    const done = (work: Promise<unknown>) => work.then(() => next(), next);
    const { name, size = 0 } = header;
    if (header.type === "symlink") links.set(name, posix.join(posix.dirname(name), header.linkname ?? ""));
    if (header.type === "file" && name.endsWith("/layer.tar")) {
      // Its size stays: times are written over in their places.
      const entry = pack.entry({ name, size, mtime: new Date(0) });
      const hash = createHash("sha256");
      const tap = new PassThrough();
      tap.on("data", (chunk: Buffer) => hash.update(chunk));
      done(
        pipeline(stream as unknown as Readable, clampTimes(sourceDateEpoch), tap, entry as unknown as PassThrough).then(
          () => layers.set(name, hash.digest("hex")),
        ),
      );
    } else if (header.type === "file" && size <= heldBytes) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk) => chunks.push(chunk as Buffer));
      stream.on("end", () => {
        held.set(name, Buffer.concat(chunks));
        next();
      });
      stream.on("error", next);
    } else {
      stream.on("end", next).on("error", next).resume();
    }
  });
  const ended = pipeline(archive, extract as unknown as NodeJS.WritableStream).then(() => {
    const [image] = JSON.parse(String(held.get("manifest.json") ?? "[]")) as { Config: string; Layers: string[] }[];
    const config = image && held.get(image.Config);
    if (!image || !config) throw failed("the engine's archive of the image has no manifest");
    const names = image.Layers.map((name) => links.get(name) ?? name);
    const diffs = names.map((name) => layers.get(name));
    if (diffs.some((one) => one === undefined)) throw failed("the engine's archive of the image lacks a layer");
    const bytes = JSON.stringify(
      settledConfig(
        JSON.parse(config.toString("utf8")) as Config,
        diffs.map((one) => `sha256:${one}`),
      ),
    );
    const id = createHash("sha256").update(bytes).digest("hex");
    pack.entry({ name: `${id}.json`, mtime: new Date(0) }, bytes);
    pack.entry(
      { name: "manifest.json", mtime: new Date(0) },
      JSON.stringify([{ Config: `${id}.json`, RepoTags: null, Layers: names }]),
    );
    pack.finalize();
    return `sha256:${id}`;
  });
  ended.catch((error: Error) => pack.destroy(error));
  const [id] = await Promise.all([ended, written]);
  return id;
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

function failed(why: string): SallyportError {
  return new SallyportError("image-failed", why, { next: "Build again; look at the engine's disk and version." });
}
