/**
 * The archive an engine saves one image as, taken apart. Engines before Docker 25 write a folder a layer
 * (`<id>/layer.tar`, links where two are the same), later ones an OCI image layout whose layers and documents are blobs
 * side by side, named by digest. Both have a `manifest.json` that says which entry is what, mostly at the end: so an
 * entry is looked at by how it begins.
 */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { join, posix } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import tar from "tar-stream";
import { SallyportError } from "../../domain/error.ts";
import { clampTimes } from "./clamp-times.ts";

/** Configurations and manifests are held in memory up to here; layers go to files. */
const heldBytes = 4 << 20;
const block = 512;

/** One layer, its times clamped. */
export interface SavedLayer {
  file: string;
  /** Bytes. */
  size: number;
  /** Its digest as it is now, `sha256:` and 64 hex digits. */
  diffId: string;
}

/** An image taken out of the engine: its configuration as the engine wrote it, and its layers, the lowest first. */
export interface SavedImage {
  config: Buffer;
  layers: SavedLayer[];
}

/**
 * Reads the engine's archive of one image; its layers go into files of `directory`, with no time after `latest` (Unix
 * seconds). Throws `image-failed` where the archive is not as Docker writes it, or its layers are compressed.
 */
export async function readSavedImage(archive: Readable, directory: string, latest: number): Promise<SavedImage> {
  const { documents, layers, links, compressed } = await unpack(archive, directory, latest).catch((cause: Error) => {
    throw failed(`the engine's archive of the image cannot be read: ${cause.message}`, cause);
  });
  const image = manifestOf(documents.get("manifest.json"));
  const config = documents.get(image.Config);
  if (!config) throw failed("the engine's archive of the image has no configuration");
  return {
    config,
    layers: image.Layers.map((named) => {
      const name = links.get(named) ?? named;
      const layer = layers.get(name);
      if (layer) return layer;
      if (!compressed.has(name)) throw failed("the engine's archive of the image lacks a layer");
      throw new SallyportError(
        "image-failed",
        "the engine saves compressed layers, as its containerd image store does",
        {
          next: 'Set {"features": {"containerd-snapshotter": false}} in /etc/docker/daemon.json, start the engine again, and build.',
        },
      );
    }),
  };
}

/** Every entry of an archive, by name: documents, layers, links to either, and what is compressed. */
async function unpack(archive: Readable, directory: string, latest: number) {
  const documents = new Map<string, Buffer>();
  const layers = new Map<string, SavedLayer>();
  const links = new Map<string, string>();
  const compressed = new Set<string>();
  const extract = tar.extract();
  const fed = pipeline(archive, extract as unknown as NodeJS.WritableStream);
  // The loop below throws too when the archive is cut short, and says no more.
  fed.catch(() => {});
  for await (const entry of extract) {
    const { name, size = 0, type, linkname } = entry.header;
    if (type === "symlink") links.set(name, posix.join(posix.dirname(name), linkname ?? ""));
    const chunks = entry[Symbol.asyncIterator]() as AsyncIterableIterator<Buffer>;
    const head = await firstBlock(chunks);
    if (type === "file" && size % block === 0 && isTarBlock(head)) {
      const file = join(directory, `${layers.size}.tar`);
      layers.set(name, { file, size, diffId: await writeLayer(head, chunks, file, latest) });
      continue;
    }
    if (isCompressed(head)) compressed.add(name);
    const held = type === "file" && size <= heldBytes && !compressed.has(name);
    const parts = [head];
    for await (const chunk of chunks) if (held) parts.push(chunk);
    if (held) documents.set(name, Buffer.concat(parts));
  }
  await fed;
  return { documents, layers, links, compressed };
}

/** What `image-failed` says of an archive or an engine that does not do as expected. */
export function failed(why: string, cause?: Error): SallyportError {
  const next = "Build again; look at the engine's disk and version.";
  return new SallyportError("image-failed", why, { next, ...(cause ? { cause } : {}) });
}

function manifestOf(bytes: Buffer | undefined): { Config: string; Layers: string[] } {
  const images = JSON.parse(String(bytes ?? "[]")) as { Config: string; Layers: string[] }[];
  if (images[0] && images.length === 1) return images[0];
  throw failed(`the engine's archive of the image has a manifest of ${images.length} images`);
}

/** The first bytes of an entry, at least a block unless it is shorter. */
async function firstBlock(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
  let head = Buffer.alloc(0);
  while (head.length < block) {
    const next = await chunks.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
  }
  return head;
}

async function writeLayer(head: Buffer, rest: AsyncIterable<Buffer>, file: string, latest: number): Promise<string> {
  const hash = createHash("sha256");
  const tap = new PassThrough();
  tap.on("data", (chunk: Buffer) => hash.update(chunk));
  const whole = async function* () {
    yield head;
    yield* rest;
  };
  await pipeline(whole, clampTimes(latest), tap, createWriteStream(file, { mode: 0o600 }));
  return `sha256:${hash.digest("hex")}`;
}

/**
 * Whether an archive begins so: a header whose checksum is right (POSIX.1-1988), or the zeros of one with no entries.
 * Names of blobs do not say what they are, and the first byte of a layer is the first of a file's name: it may be `{`.
 */
function isTarBlock(head: Buffer): boolean {
  if (head.length < block) return false;
  const header = head.subarray(0, block);
  if (header.every((byte) => byte === 0)) return true;
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  const said = header.subarray(148, 156).toString("latin1").replace(/\0.*/s, "").trim();
  return /^[0-7]+$/.test(said) && Number.parseInt(said, 8) === sum;
}

/** By the magic numbers of gzip (RFC 1952) and zstd (RFC 8878). */
function isCompressed(head: Buffer): boolean {
  return ["1f8b", "28b52ffd"].some((magic) => head.toString("hex", 0, magic.length / 2) === magic);
}
