/**
 * The root file system below all images: Debian's packages, put together on this host with mmdebstrap and hardened
 * before they become a layer. No image registry is needed.
 */
import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type Docker from "dockerode";
import { SallyportError } from "../../domain/error.ts";
import { hostAcquireOptions, hostSources } from "./apt-sources.ts";
import { inspectImage, labels } from "./built-image.ts";
import { hashFile, hashInputs } from "./input-hash.ts";
import { settleImage, sourceDateEpoch } from "./settle.ts";

const suite = "bookworm";
const bootstrapMilliseconds = 15 * 60_000;
/** Raise it when the arguments below change: they are inputs too. */
const recipe = "2";

/** Documentation and translations stay out; licences stay in. */
const dpkgOptions = [
  "path-exclude=/usr/share/man/*",
  "path-exclude=/usr/share/locale/*",
  "path-exclude=/usr/share/info/*",
  "path-exclude=/usr/share/doc/*",
  "path-include=/usr/share/doc/*/copyright",
];

/** The hash of what the root file system is made from. */
export async function rootfsHash(imagesDirectory: string): Promise<string> {
  const file = async (name: string, executable: boolean) => ({
    path: name,
    executable,
    sha256: await hashFile(join(imagesDirectory, "base", name)),
  });
  return hashInputs([await file("harden.sh", true), await file("packages.txt", false)], {
    suite,
    recipe,
    arch: process.arch,
    epoch: String(sourceDateEpoch),
  });
}

/**
 * The id of the root file system's image, bootstrapped now when it is not there for the current inputs (20 to 60 s).
 * Throws `image-failed` when mmdebstrap is missing or fails, with the end of its log.
 */
export async function buildRootfs(
  docker: Docker,
  options: { imagesDirectory: string; cacheDirectory: string; onProgress: (line: string) => void; force: boolean },
): Promise<string> {
  const hash = await rootfsHash(options.imagesDirectory);
  const tag = `sallyport/rootfs:${hash.slice(0, 16)}`;
  if (!options.force) {
    const present = await inspectImage(docker, tag);
    if (present?.Config.Labels?.[labels.inputs] === hash) return present.Id;
  }
  await mkdir(options.cacheDirectory, { recursive: true });
  const work = await mkdtemp(join(options.cacheDirectory, "rootfs-"));
  try {
    options.onProgress(`bootstrapping Debian ${suite} (half a minute)`);
    const archive = await bootstrap(options.imagesDirectory, { names: [], without: [] }, work, options.onProgress);
    options.onProgress("importing the root file system");
    const imported = await importArchive(docker, archive, hash);
    const settled = await settleImage(docker, imported, options.cacheDirectory);
    const [repo, version] = tag.split(":");
    await docker.getImage(settled).tag({ repo: repo as string, tag: version as string });
    return settled;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What an image's folder asks for of Debian. */
export interface DebianPackages {
  names: string[];
  /** Globs of paths that stay out, in dpkg's form: `*` matches `/` too. */
  without: string[];
}

/** A folder's `packages.txt`: one package a line, or `!` and a path that stays out. Empty where there is no such file. */
export async function debianPackages(directory: string): Promise<DebianPackages> {
  const listed = await readFile(join(directory, "packages.txt"), "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return "";
    throw cause;
  });
  const lines = listed
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "");
  const odd = lines.find((line) => !/^(?:[a-z0-9][a-z0-9+.-]+|!\/[^\s,]+)$/.test(line));
  if (odd !== undefined) {
    throw new SallyportError("image-failed", `${join(directory, "packages.txt")} says ${JSON.stringify(odd)}`, {
      next: "write one name of a Debian package a line, or `!` and a path that stays out",
    });
  }
  return {
    names: lines.filter((line) => !line.startsWith("!")),
    without: lines.filter((line) => line.startsWith("!")).map((line) => line.slice(1)),
  };
}

/** Bootstraps the base's packages and `more` into a tar archive below `work`, hardened; gives its path. */
export async function bootstrap(
  imagesDirectory: string,
  more: DebianPackages,
  work: string,
  onProgress: (line: string) => void,
): Promise<string> {
  const base = await debianPackages(join(imagesDirectory, "base"));
  const without = [...base.without, ...more.without].map((path) => `path-exclude=${path}`);
  const archive = join(work, "rootfs.tar");
  const aptOptions = join(work, "apt.conf");
  await writeFile(aptOptions, await hostAcquireOptions(), { mode: 0o600 });
  const sources = await hostSources(suite);
  const mirrors: string[] = [];
  for (const [name, text] of [
    ["host.list", sources.list],
    ["host.sources", sources.deb822],
  ] as const) {
    if (text === "") continue;
    await writeFile(join(work, name), `${text}\n`, { mode: 0o600 });
    mirrors.push(join(work, name));
  }
  const log: string[] = [];
  const end = await runBootstrap(
    [
      "--mode=root",
      "--variant=essential",
      `--include=${[...base.names, ...more.names].join(",")}`,
      ...[...dpkgOptions, ...without].map((option) => `--dpkgopt=${option}`),
      `--aptopt=${aptOptions}`,
      `--customize-hook=${shellQuote(join(imagesDirectory, "base", "harden.sh"))} "$1"`,
      // The hook removes all of apt, its own files included: there is nothing left to clean.
      "--skip=cleanup/apt,cleanup/mmdebstrap,output/dev",
      "--format=tar",
      suite,
      archive,
      ...mirrors,
    ],
    work,
    (line) => {
      log.push(line);
      const step = /^I: (.*)/.exec(line)?.[1];
      if (step !== undefined) onProgress(step);
    },
  );
  if (end !== "") {
    throw new SallyportError(
      "image-failed",
      `the bootstrap of Debian's packages ${end}: ${log.slice(-15).join("\n")}`,
      {
        next: "check that this host's apt can reach a Debian mirror (`apt-get update`), then build again",
      },
    );
  }
  return archive;
}

function runBootstrap(args: string[], work: string, onLine: (line: string) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("mmdebstrap", args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...reachEnvironment(), SOURCE_DATE_EPOCH: String(sourceDateEpoch), TMPDIR: work, LC_ALL: "C.UTF-8" },
      timeout: bootstrapMilliseconds,
    });
    child.on("error", (cause) => {
      reject(
        new SallyportError("image-failed", `mmdebstrap cannot be started: ${cause.message}`, {
          next: "run `apt-get install mmdebstrap`, or `make engine`",
          cause,
        }),
      );
    });
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", onLine);
    child.on("close", (code, signal) => {
      resolve(code === 0 ? "" : signal ? `was ended by ${signal}` : `ended with exit code ${code}`);
    });
  });
}

/** What a bootstrap needs of the environment, and no more: maintainer scripts run in it as root. */
function reachEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
  for (const [name, value] of Object.entries(process.env)) {
    if (/^(?:https?_proxy|ftp_proxy|all_proxy|no_proxy|SSL_CERT_FILE|SSL_CERT_DIR)$/i.test(name) && value) {
      environment[name] = value;
    }
  }
  return environment;
}

/** Imports the archive as an image without a tag; gives its id. */
async function importArchive(docker: Docker, archive: string, hash: string): Promise<string> {
  const stream = await docker.importImage(createReadStream(archive), {
    changes: `LABEL ${labels.image}=rootfs ${labels.inputs}=${hash}`,
  });
  let id = "";
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(
      stream,
      (error) => (error ? reject(error) : resolve()),
      (event: { status?: string }) => {
        if (/^sha256:[0-9a-f]{64}$/.test(event.status ?? "")) id = event.status ?? "";
      },
    );
  });
  if (id !== "") return id;
  throw new SallyportError("image-failed", "the engine did not say under which id it imported the root file system", {
    next: "run `sallyport doctor`",
  });
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
