/** Debian's Python and pip, which the base image does not hold, unpacked beside it for a sandbox to see. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { hostAcquireOptions, hostSources } from "../../src/sandbox/images/apt-sources.ts";
import { root } from "../e2e/cli.ts";

const suite = "bookworm";

/**
 * The directory that they are unpacked in, made once for a checkout (a quarter of a minute). In a sandbox it is mounted at
 * `/opt/python` and used with `pythonEnvironment`.
 */
export async function pythonRoot(): Promise<string> {
  const cache = join(root, ".cache");
  const made = join(cache, `python-${suite}`);
  mkdirSync(cache, { recursive: true });
  // Two files of tests may ask at once: what is whole gets its name by a rename.
  if (existsSync(made)) return made;
  const work = mkdtempSync(join(cache, "python-"));
  const lists = await hostSources(suite);
  const mirrors = Object.entries({ "host.list": lists.list, "host.sources": lists.deb822 }).filter(([, text]) => text);
  for (const [name, text] of mirrors) writeFileSync(join(work, name), `${text}\n`);
  writeFileSync(join(work, "apt.conf"), await hostAcquireOptions());
  try {
    execFileSync(
      "mmdebstrap",
      [
        "--quiet",
        "--mode=root",
        "--variant=extract",
        "--include=python3-pip",
        `--aptopt=${join(work, "apt.conf")}`,
        "--skip=output/dev",
        suite,
        join(work, "root"),
        ...mirrors.map(([name]) => join(work, name)),
      ],
      { env: { ...process.env, TMPDIR: work }, stdio: ["ignore", "ignore", "inherit"], timeout: 300_000 },
    );
    renameSync(join(work, "root"), made);
  } catch (error) {
    if (!existsSync(made)) throw error;
  } finally {
    execFileSync("rm", ["-rf", work]);
  }
  return made;
}

/** With it the sandbox's own loader and libraries stay in use, and Python finds its own. */
export const pythonEnvironment = {
  PYTHONHOME: "/opt/python/usr",
  PYTHONPATH: "/opt/python/usr/lib/python3/dist-packages",
  LD_LIBRARY_PATH:
    "/opt/python/usr/lib/x86_64-linux-gnu:/opt/python/lib/x86_64-linux-gnu:/opt/python/usr/lib/aarch64-linux-gnu",
  PYTHONDONTWRITEBYTECODE: "1",
};

/** The interpreter in a sandbox. */
export const python = "/opt/python/usr/bin/python3.11";

/** A wheel (PEP 427) of one module: a zip archive whose files are stored as they are. */
export function wheel(name: string, version: string, source: string): { file: string; bytes: Buffer } {
  const info = `${name}-${version}.dist-info`;
  const files: Record<string, string> = {
    [`${name}.py`]: source,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`,
    [`${info}/WHEEL`]: "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
  };
  files[`${info}/RECORD`] = [...Object.keys(files), `${info}/RECORD`].map((file) => `${file},,\n`).join("");
  const parts: Buffer[] = [];
  const entries: Buffer[] = [];
  let at = 0;
  for (const [path, text] of Object.entries(files)) {
    const [head, entry] = [Buffer.alloc(30), Buffer.alloc(46)];
    const body = Buffer.from(text);
    // What both headers say: version, flags, method (stored), time, date, checksum, both sizes, length of the name.
    const said = Buffer.alloc(26);
    said.writeUInt16LE(20, 0);
    said.writeUInt16LE(0x21, 8);
    said.writeUInt32LE(crc32(body), 10);
    said.writeUInt32LE(body.length, 14);
    said.writeUInt32LE(body.length, 18);
    said.writeUInt16LE(Buffer.byteLength(path), 22);
    head.writeUInt32LE(0x04034b50, 0);
    said.copy(head, 4);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(20, 4);
    said.copy(entry, 6);
    entry.writeUInt32LE(at, 42);
    parts.push(head, Buffer.from(path), body);
    entries.push(entry, Buffer.from(path));
    at += head.length + Buffer.byteLength(path) + body.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length / 2, 8);
  end.writeUInt16LE(entries.length / 2, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  return { file: `${name}-${version}-py3-none-any.whl`, bytes: Buffer.concat([...parts, directory, end]) };
}
