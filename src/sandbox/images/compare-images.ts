/** What differs between two images: their configuration, and every file by content, owner, mode and time. */
import { createHash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import type Docker from "dockerode";
import tar from "tar-stream";
import { SallyportError } from "../../domain/error.ts";

export interface ImageDifference {
  /** Absolute path in the image, or `configuration`. */
  path: string;
  what: string;
}

const readMilliseconds = 5 * 60_000;
/** The most differences that are listed. */
const shown = 50;

type Files = Map<string, Readonly<Record<string, string | number>>>;

/** The first 50 differences, by path. None where only metadata of the engine differs. */
export async function compareImages(docker: Docker, first: string, second: string): Promise<ImageDifference[]> {
  const differences: ImageDifference[] = [];
  const [one, other] = await Promise.all([first, second].map((id) => docker.getImage(id).inspect()));
  if (JSON.stringify(one?.Config) !== JSON.stringify(other?.Config)) {
    differences.push({ path: "configuration", what: "environment, command, user or labels differ" });
  }
  const a = await filesOf(docker, first);
  const b = await filesOf(docker, second);
  for (const path of [...new Set([...a.keys(), ...b.keys()])].sort()) {
    const [left, right] = [a.get(path), b.get(path)];
    if (!left || !right) differences.push({ path, what: `only in the ${left ? "first" : "second"}` });
    else {
      const fields = Object.keys(left).filter((key) => left[key] !== right[key]);
      if (fields.length > 0) differences.push({ path, what: `${fields.join(", ")} differ` });
    }
    if (differences.length >= shown) break;
  }
  return differences;
}

/** The digest of an image's files by path, type, mode, owner, link and content; without times. In hex. */
export async function contentDigest(docker: Docker, id: string): Promise<string> {
  const hash = createHash("sha256");
  for (const [path, { time: _, ...rest }] of [...(await filesOf(docker, id))].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${JSON.stringify([path, rest])}\n`);
  }
  return hash.digest("hex");
}

/** Every file, read from a container that never starts. Nothing touches the disk. */
async function filesOf(docker: Docker, id: string): Promise<Files> {
  const files: Files = new Map();
  const container = await docker.createContainer({ Image: id, Cmd: ["/nothing"], NetworkDisabled: true });
  try {
    const extract = tar.extract();
    extract.on("entry", (header, stream, next) => {
      const hash = createHash("sha256");
      stream.on("data", (chunk) => hash.update(chunk as Buffer));
      stream.on("error", next);
      stream.on("end", () => {
        const { type, mode = 0, uid = 0, gid = 0, linkname, mtime } = header;
        const content = type === "file" ? hash.digest("hex") : (linkname ?? "");
        const time = Math.floor((mtime?.getTime() ?? 0) / 1000);
        files.set(`/${header.name}`, { type: type ?? "file", mode, owner: `${uid}:${gid}`, content, time });
        next();
      });
    });
    const archive = await container.export({ abortSignal: AbortSignal.timeout(readMilliseconds) });
    await pipeline(archive, extract as unknown as NodeJS.WritableStream);
    // The engine makes these for the container, and touches their directories, with the time of now.
    for (const [path, file] of files) {
      if (/^\/(?:\.dockerenv|dev\/.+|proc\/.+|sys\/.+|etc\/(?:hostname|hosts|resolv\.conf|mtab))$/.test(path)) {
        files.delete(path);
      } else if (/^\/(?:(?:etc|dev|proc|sys)\/?)?$/.test(path)) files.set(path, { ...file, time: 0 });
    }
    return files;
  } catch (cause) {
    throw new SallyportError("engine-failed", `the image ${id} cannot be read: ${String(cause)}`, {
      next: "run `sallyport doctor`",
      cause,
    });
  } finally {
    await container.remove({ force: true, v: true }).catch(() => {});
  }
}
