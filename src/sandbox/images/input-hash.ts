/**
 * The hash of everything that goes into an image. An image is looked up by it, so that a changed file is a missing
 * image and never an old one under the current name.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../../domain/error.ts";

/** A file of an image's folder, with what of its mode counts: git keeps no more, and a umask must not matter. */
export interface InputFile {
  path: string;
  executable: boolean;
  sha256: string;
}

/** What a folder holds besides the image: it says how the harness is started, and is not copied. */
const notInput: ReadonlySet<string> = new Set(["harness.yaml", "README.md", "node_modules"]);

/** Whether a path of the folder goes into the image; `path` is relative to the folder. */
export function isInput(path: string): boolean {
  return !notInput.has(path.split("/")[0] ?? "");
}

/**
 * A file's name in the image's input. npm leaves every `.npmrc` out of a package, so that an installed one has it as `npmrc`: the same
 * input, and the same image as from a checkout.
 */
export function inputName(path: string): string {
  return path === "npmrc" ? ".npmrc" : path;
}

/**
 * The input files of an image's folder, sorted by path. Throws `image-failed` for a link or a special file: what it
 * leads to is not in the hash.
 */
export async function inputFiles(directory: string): Promise<InputFile[]> {
  const files: InputFile[] = [];
  const walk = async (below: string): Promise<void> => {
    for (const name of await readdir(join(directory, below))) {
      const path = below === "" ? name : `${below}/${name}`;
      if (!isInput(path)) continue;
      const found = await lstat(join(directory, path));
      if (found.isDirectory()) await walk(path);
      else if (found.isFile()) {
        const sha256 = await hashFile(join(directory, path));
        files.push({ path: inputName(path), executable: (found.mode & 0o100) !== 0, sha256 });
      } else {
        throw new SallyportError("image-failed", `${join(directory, path)} is neither a file nor a directory`, {
          next: "an image's folder holds plain files only: put a copy there",
        });
      }
    }
  };
  await walk("");
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * SHA-256, in hex, over the files and the named values (the base's id, a lockfile's). Every part is preceded by its
 * length: no two different inputs run together into the same bytes.
 */
export function hashInputs(files: readonly InputFile[], values: Readonly<Record<string, string>>): string {
  const hash = createHash("sha256");
  const part = (text: string): void => {
    const bytes = Buffer.from(text, "utf8");
    hash.update(`${bytes.length}:`).update(bytes);
  };
  for (const [name, value] of Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1))) {
    part(name);
    part(value);
  }
  for (const file of files) {
    part(file.path);
    part(file.executable ? "x" : "-");
    part(file.sha256);
  }
  return hash.digest("hex");
}

const known = new Map<string, string>();

/** SHA-256 of a file's content in hex; remembered for this process as long as the file's inode, size and times stay. */
export async function hashFile(path: string): Promise<string> {
  const found = await stat(path, { bigint: true });
  const key = [path, found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join("\0");
  const remembered = known.get(key);
  if (remembered !== undefined) return remembered;
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  const digest = hash.digest("hex");
  known.set(key, digest);
  return digest;
}
