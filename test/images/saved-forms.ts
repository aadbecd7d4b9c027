/** Archives of images in the forms that engines save them in, and a small image to save. */
import { execFileSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import tar from "tar-stream";
import { docker } from "./engine.ts";

export type Entries = Map<string, { bytes: Buffer; link?: string }>;

export async function entriesOf(archive: Readable): Promise<Entries> {
  const entries: Entries = new Map();
  const extract = tar.extract();
  extract.on("entry", (header, stream, next) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk) => chunks.push(chunk as Buffer));
    stream.on("end", () => {
      const link = header.type === "symlink" ? { link: header.linkname ?? "" } : {};
      if (header.type !== "directory") entries.set(header.name, { bytes: Buffer.concat(chunks), ...link });
      next();
    });
  });
  await pipeline(archive, extract as unknown as NodeJS.WritableStream);
  return entries;
}

export async function archiveOf(entries: Entries): Promise<Buffer> {
  const pack = tar.pack();
  // In the order that Go walks a folder in: `manifest.json` comes after the blobs.
  for (const [name, { bytes, link }] of [...entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (link === undefined) pack.entry({ name }, bytes);
    else pack.entry({ name, type: "symlink", linkname: link });
  }
  pack.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of pack) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export async function save(id: string): Promise<Entries> {
  return entriesOf((await docker.getImage(id).get()) as unknown as Readable);
}

interface Manifest {
  Config: string;
  RepoTags: string[] | null;
  Layers: string[];
}

/** What a saved image is made of, whichever form it has. */
export function partsOf(entries: Entries): { config: Buffer; layers: Buffer[] } {
  const bytes = (name: string): Buffer => {
    const found = entries.get(name);
    if (!found) throw new Error(`no ${name} in the archive`);
    return found.link === undefined ? found.bytes : bytes(new URL(found.link, `file:///${name}`).pathname.slice(1));
  };
  const [manifest] = JSON.parse(String(bytes("manifest.json"))) as [Manifest];
  return { config: bytes(manifest.Config), layers: manifest.Layers.map(bytes) };
}

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** As Docker 25 and later save it: an OCI image layout with a `manifest.json` that names its blobs. */
export function asLayout(entries: Entries, pressed: (layer: Buffer) => Buffer = (layer) => layer): Entries {
  const { config, layers } = partsOf(entries);
  const layout: Entries = new Map();
  const blob = (bytes: Buffer) => {
    layout.set(`blobs/sha256/${sha256(bytes)}`, { bytes });
    return { digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  };
  const document = (name: string, value: unknown) => layout.set(name, { bytes: Buffer.from(JSON.stringify(value)) });
  const path = (digest: string) => `blobs/${digest.replace(":", "/")}`;
  const layerType = { mediaType: "application/vnd.oci.image.layer.v1.tar" };
  const described = layers.map((layer) => ({ ...layerType, ...blob(pressed(layer)) }));
  const configured = blob(config);
  const manifest = blob(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: { mediaType: "application/vnd.oci.image.config.v1+json", ...configured },
        layers: described,
      }),
    ),
  );
  // A configuration for engines before 1.9, one a layer.
  blob(Buffer.from(JSON.stringify({ created: "1970-01-01T00:00:00Z", os: "linux" })));
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  document("index.json", { schemaVersion: 2, manifests: [{ mediaType, ...manifest }] });
  document("oci-layout", { imageLayoutVersion: "1.0.0" });
  document("manifest.json", [
    {
      Config: path(configured.digest),
      RepoTags: null,
      Layers: described.map(({ digest }) => path(digest)),
      LayerSources: Object.fromEntries(described.map((one) => [one.digest, one])),
    },
  ]);
  return layout;
}

/**
 * An image of one layer with the host's `cat` in it, whose first file's name begins as JSON does. No other image has
 * that layer. Gives its id.
 */
export async function importCat(): Promise<string> {
  const cat = realpathSync("/bin/cat");
  const libraries = execFileSync("ldd", [cat], { encoding: "utf8" }).match(/\/\S+(?= \(0x)/g) ?? [];
  const pack = tar.pack();
  const mtime = new Date("2020-01-02T03:04:05Z");
  pack.entry({ name: "{first", mtime }, randomUUID());
  for (const [name, from] of [["/bin/cat", cat], ...libraries.map((one) => [one, one])] as [string, string][]) {
    pack.entry({ name: name.slice(1), mode: 0o755, mtime }, readFileSync(realpathSync(from)));
  }
  pack.finalize();
  const stream = await docker.importImage(pack as unknown as NodeJS.ReadableStream);
  const ends = await follow<{ status?: string }>(stream);
  const id = ends.map(({ status }) => status ?? "").find((status) => /^sha256:[0-9a-f]{64}$/.test(status));
  if (id === undefined) throw new Error("the engine did not say the id");
  return id;
}

/** An image of three layers, the last two the same file laid twice, with the time of now. Gives its id. */
export async function buildOn(base: string): Promise<string> {
  const pack = tar.pack();
  pack.entry({ name: "Dockerfile" }, `FROM ${base}\nCOPY said /said\nCOPY said /said\nCMD ["/bin/cat", "/said"]\n`);
  pack.entry({ name: "said", mtime: new Date() }, "hello from the layer\n");
  pack.finalize();
  const options = { nocache: true, rm: true, forcerm: true, networkmode: "none" };
  const stream = await docker.buildImage(pack as unknown as NodeJS.ReadableStream, options);
  const ends = await follow<{ aux?: { ID?: string } }>(stream);
  const id = ends.map(({ aux }) => aux?.ID).findLast((one) => one !== undefined);
  if (id === undefined) throw new Error("the engine did not say the id");
  return id;
}

function follow<T>(stream: NodeJS.ReadableStream): Promise<T[]> {
  return new Promise((resolve, reject) => {
    docker.modem.followProgress(stream, (error, events) => (error ? reject(error) : resolve(events as T[])));
  });
}
