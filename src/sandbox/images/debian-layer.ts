/**
 * Debian packages of an image's own, as a layer: what a bootstrap with them has more than the base image. They are put
 * together on this host like the base, so that the build itself has no network and installs nothing.
 */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type Docker from "dockerode";
import tar, { type Header } from "tar-stream";
import { SallyportError } from "../../domain/error.ts";

/** What the engine makes in every container by itself: its own, not the image's. */
const ofEngine = /^(?:dev|proc|sys)\/|^etc\/(?:hosts|hostname|resolv\.conf|mtab)$|^\.dockerenv$/;

const nameOf = (header: Header): string => header.name.replace(/^\.?\/+/, "").replace(/\/+$/, "");

/** What of a file makes it another one; its time does not. */
function describe(header: Header, content: string): string {
  const { type, mode, uid, gid, linkname } = header;
  const link = linkname?.replace(/^\.?\/+/, type === "link" ? "" : "$&") ?? "";
  return JSON.stringify([type, (mode ?? 0) & 0o7777, uid, gid, link, content]);
}

async function eachEntry(
  archive: NodeJS.ReadableStream,
  take: (header: Header, body: Buffer) => Promise<void>,
): Promise<void> {
  const extract = tar.extract();
  const read = async () => {
    for await (const entry of extract) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      await take(entry.header, Buffer.concat(chunks));
    }
  };
  await Promise.all([pipeline(archive, extract as unknown as NodeJS.WritableStream), read()]);
}

const sha256 = (body: Buffer): string => createHash("sha256").update(body).digest("hex");

/** Every file of an image, described. The container that it is read from never starts. */
async function filesOf(docker: Docker, image: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const container = await docker.createContainer({ Image: image, Cmd: ["/nothing"], NetworkDisabled: true });
  try {
    await eachEntry(await container.export(), async (header, body) => {
      files.set(nameOf(header), describe(header, sha256(body)));
    });
  } finally {
    await container.remove({ force: true, v: true }).catch(() => {});
  }
  return files;
}

/**
 * Writes to `file` a tar of what the root file system in `archive` has that the image `base` has not, or has otherwise.
 * Entries keep the archive's order and times. Throws `image-failed` where there is no difference: the packages are in
 * the base already.
 */
export async function writeDebianLayer(docker: Docker, base: string, archive: string, file: string): Promise<void> {
  const below = await filesOf(docker, base);
  const pack = tar.pack();
  const written = pipeline(pack, createWriteStream(file, { mode: 0o600 }));
  let count = 0;
  const differing = async (header: Header, body: Buffer): Promise<void> => {
    const name = nameOf(header);
    if (name === "" || ofEngine.test(name) || below.get(name) === describe(header, sha256(body))) return;
    // A hard link's target may lie in the base; the engine links to it there.
    await new Promise<void>((resolve, reject) => {
      pack.entry({ ...header, name }, body, (error) => (error ? reject(error) : resolve()));
    });
    count++;
  };
  const packed = eachEntry(createReadStream(archive), differing).then(
    () => pack.finalize(),
    (error: Error) => {
      pack.destroy(error);
      throw error;
    },
  );
  await Promise.all([written, packed]);
  if (count > 0) return;
  throw new SallyportError("image-failed", "its packages.txt names nothing that the base does not have", {
    next: "take the file away, or name what the image needs",
  });
}
