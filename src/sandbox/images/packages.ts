/** The npm packages of an image: installed on the host from the image's lockfile, without running their scripts. */
import { spawn } from "node:child_process";
import { access, copyFile, mkdir, mkdtemp, realpath, rename, rm } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { SallyportError } from "../../domain/error.ts";
import { hashFile, hashInputs, inputName } from "./input-hash.ts";

const installMilliseconds = 10 * 60_000;
const manifests = ["package.json", "package-lock.json", ".npmrc", "npmrc"] as const;

/**
 * The directory that holds `node_modules` for an image's folder, or undefined when the folder has no `package.json`.
 * It is installed once for a lockfile and kept in the cache directory; the registry is the host's npm configuration's.
 * Throws `image-failed` when the lockfile is missing or the install fails.
 */
export async function installPackages(
  directory: string,
  cacheDirectory: string,
  onProgress: (line: string) => void,
): Promise<string | undefined> {
  if (!(await exists(join(directory, "package.json")))) return undefined;
  if (!(await exists(join(directory, "package-lock.json")))) {
    throw new SallyportError("image-failed", `${directory} has a package.json and no package-lock.json`, {
      next: `run \`npm install --package-lock-only\` in ${directory}: what goes into an image is pinned by its lockfile`,
    });
  }
  const present: string[] = [];
  for (const name of manifests) if (await exists(join(directory, name))) present.push(name);
  const files = await Promise.all(
    present.map(async (path) => ({
      path: inputName(path),
      executable: false,
      sha256: await hashFile(join(directory, path)),
    })),
  );
  const key = hashInputs(files, { node: process.version, arch: process.arch }).slice(0, 32);
  const kept = join(cacheDirectory, "packages", key);
  if (await exists(join(kept, "node_modules"))) return kept;

  await mkdir(join(cacheDirectory, "packages"), { recursive: true });
  const work = await mkdtemp(join(cacheDirectory, "packages", ".install-"));
  try {
    for (const name of present) await copyFile(join(directory, name), join(work, inputName(name)));
    onProgress("installing packages from the lockfile");
    await npmInstall(work, onProgress);
    // npm's own note of what it installed is a cache of the host's, not a part of the packages.
    await rm(join(work, "node_modules", ".package-lock.json"), { force: true });
    await rename(work, kept).catch(async (cause: NodeJS.ErrnoException) => {
      // Another process was first: its install is from the same lockfile.
      if (!(await exists(join(kept, "node_modules")))) throw cause;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return kept;
}

async function npmInstall(work: string, onProgress: (line: string) => void): Promise<void> {
  const log: string[] = [];
  const { script, settings } = await npmCli();
  const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    // This very Node: an older one would choose older packages where a lockfile leaves a choice, and say nothing.
    const child = spawn(
      process.execPath,
      [script, "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--no-update-notifier"],
      {
        cwd: work,
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          ...(settings === undefined ? {} : { npm_config_globalconfig: settings }),
          ...process.env,
          PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`,
        },
        timeout: installMilliseconds,
      },
    );
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        log.push(line);
        onProgress(line);
      });
    }
    child.on("error", reject);
    child.on("close", (exit, signal) => resolve(exit ?? signal));
  });
  if (code !== 0) {
    throw new SallyportError("image-failed", `npm ci ended with ${code}: ${log.slice(-15).join("\n")}`, {
      next: "check that `npm ping` answers on this host (registry, proxy and CA are npm's own configuration), then build again",
    });
  }
}

/**
 * npm's script behind the first `npm` of the PATH, and the host's settings of it (registry, proxy, CA): under another Node
 * it would look for them beside that one.
 */
async function npmCli(): Promise<{ script: string; settings: string | undefined }> {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const file = await realpath(join(folder, "npm")).catch(() => undefined);
    if (file === undefined) continue;
    // Beside a plain installation `npm` is a link to the script; some distributions wrap it in a shell script.
    for (const script of [file, join(dirname(file), "../lib/node_modules/npm/bin/npm-cli.js")]) {
      if (!script.endsWith("npm-cli.js") || !(await exists(script))) continue;
      const settings = join(folder, "../etc/npmrc");
      return { script, settings: (await exists(settings)) ? settings : undefined };
    }
  }
  throw new SallyportError("image-failed", "there is no npm on the PATH to install an image's packages with", {
    next: "install npm, or add its directory to the PATH",
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
