/** The build context of an image: a tar stream of its folder and what was made for it, the same bytes on every host. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import tarFs from "tar-fs";
import { inputName, isInput } from "./input-hash.ts";

/** What goes into a context beside the image's folder. */
export interface ContextParts {
  /** A directory whose `node_modules` is added. */
  packages?: string | undefined;
  /** One file, by its name in the context: the node binary of the base image, or Debian's packages. */
  file?: { name: string; path: string } | undefined;
}

/** The time of every file in a context: the build cache and the layers do not depend on a checkout's times. */
const time = new Date(0);
/** Entries in the order of their names; the option is newer than the published types. */
const sorted: object = { sort: true };

/** The context as a tar stream. Owners are root; modes are 0755 or 0644, since a checkout's umask must not matter. */
export async function packContext(directory: string, parts: ContextParts): Promise<NodeJS.ReadableStream> {
  const root = resolve(directory);
  const map = (header: tarFs.Headers): tarFs.Headers => {
    header.name = inputName(header.name);
    header.uid = 0;
    header.gid = 0;
    header.mtime = time;
    const executable = header.type === "directory" || ((header.mode ?? 0) & 0o100) !== 0;
    if (header.type !== "symlink") header.mode = executable ? 0o755 : 0o644;
    return header;
  };
  const size = parts.file ? (await stat(parts.file.path)).size : 0;
  const context = tarFs.pack(root, {
    map,
    ...sorted,
    ignore: (path) => path !== root && !isInput(path.slice(root.length + 1)),
    finalize: false,
    finish: (pack) => {
      const addPackages = (): void => {
        if (parts.packages === undefined) pack.finalize();
        else tarFs.pack(parts.packages, { pack, map, entries: ["node_modules"], ...sorted });
      };
      if (parts.file === undefined) {
        addPackages();
        return;
      }
      const header = { name: parts.file.name, mode: 0o755, uid: 0, gid: 0, mtime: time, size };
      const entry = pack.entry(header, (error) => {
        if (error) pack.destroy(error);
        else addPackages();
      });
      createReadStream(parts.file.path)
        .on("error", (error) => pack.destroy(error))
        .pipe(entry);
    },
  });
  // The stream is a streamx one: all of Node's interface that a pipe uses, though not all that its type names.
  return context as unknown as NodeJS.ReadableStream;
}
