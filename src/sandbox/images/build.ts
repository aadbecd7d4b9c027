/** Building images: the base when it is needed, then a harness on it, without a network, named by its inputs. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type Docker from "dockerode";
import { SallyportError } from "../../domain/error.ts";
import { bootstrap, buildRootfs, debianPackages } from "./bootstrap.ts";
import { withBuildLock } from "./build-lock.ts";
import { type BuiltImage, imageTag, imageWithInputs, inspectImage, labels } from "./built-image.ts";
import { compareImages, type ImageDifference } from "./compare-images.ts";
import { type ContextParts, packContext } from "./context.ts";
import { writeDebianLayer } from "./debian-layer.ts";
import { baseInputHash, baseName, harnessInputHash } from "./find.ts";
import { loadHarness } from "./harness.ts";
import { installPackages } from "./packages.ts";
import { settleImage } from "./settle.ts";
import { smokeTest } from "./smoke.ts";

const buildMilliseconds = 15 * 60_000;
const oldestNode = 24;

export interface BuildOptions {
  docker: Docker;
  imagesDirectory: string;
  /** Where package installs are kept between builds, and bootstraps are made. */
  cacheDirectory: string;
  onProgress?: (line: string) => void;
  /** Build again though an image for these inputs is there. */
  force?: boolean;
}

/** What is being built in this process, by name: a second build of the same name waits for the first. */
const underWay = new Map<string, Promise<unknown>>();

/**
 * The image of that harness for its current inputs, built now unless it is there. The base is built first when it is
 * missing. Throws `image-failed` with the end of the log, `harness-invalid`, or `not-found`.
 */
export async function buildImage(name: string, options: BuildOptions): Promise<BuiltImage> {
  const before = underWay.get(name);
  const mine = (before ?? Promise.resolve()).catch(() => {}).then(() => build(name, options));
  underWay.set(name, mine);
  try {
    return await mine;
  } finally {
    if (underWay.get(name) === mine) underWay.delete(name);
  }
}

async function build(name: string, options: BuildOptions): Promise<BuiltImage> {
  const { docker, imagesDirectory, cacheDirectory } = options;
  const onProgress = options.onProgress ?? (() => {});
  const force = options.force ?? false;
  const harness = await loadHarness(name, imagesDirectory);
  // A forced build of a harness makes that harness again, not the base that others stand on.
  const base = name === baseName ? undefined : await buildImage(baseName, { ...options, force: false });
  const inputHash = base
    ? await harnessInputHash(name, imagesDirectory, base.digest)
    : await baseInputHash(imagesDirectory);
  const present = force ? undefined : await imageWithInputs(docker, name, inputHash);
  if (present) return present;
  return withBuildLock(
    `${resolve(cacheDirectory)}\0${name}`,
    () => onProgress(`waiting for another process that builds ${name}`),
    async () => {
      const built = force ? undefined : await imageWithInputs(docker, name, inputHash);
      return built ?? make(name, { ...options, onProgress, force }, { inputHash, base, smoke: harness.smoke });
    },
  );
}

interface Made {
  inputHash: string;
  base: BuiltImage | undefined;
  smoke: readonly string[];
}

async function make(
  name: string,
  options: Required<BuildOptions>,
  { inputHash, base, smoke }: Made,
): Promise<BuiltImage> {
  const { docker, onProgress } = options;
  const digest = await makeUntagged(name, options, inputHash, base);
  // Only a whole image gets the tag that it is looked up by.
  await smokeTest(docker, digest, smoke).catch(async (error: unknown) => {
    await dropUntagged(docker, digest);
    throw error;
  });
  const [repo, tag] = imageTag(name, inputHash).split(":");
  await docker.getImage(digest).tag({ repo: repo as string, tag: tag as string });
  const built = await imageWithInputs(docker, name, inputHash);
  if (!built) {
    throw new SallyportError("image-failed", `${name} was built as ${digest} and does not carry its labels`, {
      next: "build again; if it stays so, the engine's builder drops labels",
    });
  }
  onProgress(`built ${built.tag} ${built.digest}`);
  return built;
}

/** Builds and settles it; gives its id. */
async function makeUntagged(
  name: string,
  options: Required<BuildOptions>,
  inputHash: string,
  base: BuiltImage | undefined,
): Promise<string> {
  const { docker, imagesDirectory, cacheDirectory, onProgress, force } = options;
  const directory = join(imagesDirectory, name);
  const parts: ContextParts = { packages: await installPackages(directory, cacheDirectory, onProgress) };
  if (!base) parts.file = { name: "node", path: nodeBinary() };
  const from = base?.digest ?? (await buildRootfs(docker, { imagesDirectory, cacheDirectory, onProgress, force }));
  const debian = base ? await debianPackages(directory) : undefined;
  const work = debian && debian.names.length > 0 ? await makeTemporary(cacheDirectory) : undefined;
  let digest: string;
  try {
    if (debian && work !== undefined) {
      onProgress(`bootstrapping ${debian.names.join(", ")}`);
      const archive = await bootstrap(imagesDirectory, debian, work, onProgress);
      parts.file = { name: "debian.tar", path: join(work, "debian.tar") };
      await writeDebianLayer(docker, from, archive, parts.file.path);
    }
    onProgress(`building ${name}`);
    digest = await runBuild(docker, { name, directory, parts, from, inputHash, force, onProgress });
  } finally {
    if (work !== undefined) await rm(work, { recursive: true, force: true });
  }
  try {
    return await settleImage(docker, digest, cacheDirectory);
  } catch (error) {
    await dropUntagged(docker, digest);
    throw error;
  }
}

async function makeTemporary(cacheDirectory: string): Promise<string> {
  await mkdir(cacheDirectory, { recursive: true });
  return mkdtemp(join(cacheDirectory, "debian-"));
}

/** Removes an image unless it has a tag: the same inputs give the same id, which others may use already. */
async function dropUntagged(docker: Docker, digest: string): Promise<void> {
  const tags = (await inspectImage(docker, digest))?.RepoTags ?? [];
  if (tags.length > 0) return;
  await docker
    .getImage(digest)
    .remove({ force: true })
    .catch(() => {});
}

/** What a second build of the same inputs gave. */
export interface Reproduction {
  image: BuiltImage;
  /** The id of the second build. */
  again: string;
  /** Empty when the ids are the same. */
  differences: ImageDifference[];
}

/**
 * Builds an image that is there once more from its inputs, without the builder's cache, and compares. For the base the
 * root file system is bootstrapped again too. Packages from npm are those in the cache, by the lockfile's digests.
 */
export async function reproduceImage(name: string, options: BuildOptions): Promise<Reproduction> {
  const { docker, imagesDirectory } = options;
  const image = await buildImage(name, options);
  const base = name === baseName ? undefined : await buildImage(baseName, { ...options, force: false });
  const onProgress = options.onProgress ?? (() => {});
  const again = await withBuildLock(
    `${resolve(options.cacheDirectory)}\0${name}`,
    () => onProgress(`waiting for another process that builds ${name}`),
    () => makeUntagged(name, { ...options, imagesDirectory, onProgress, force: true }, image.inputHash, base),
  );
  try {
    const differences = again === image.digest ? [] : await compareImages(docker, image.digest, again);
    return { image, again, differences };
  } finally {
    await dropUntagged(docker, again);
  }
}

/** The Node that goes into the base image is the one that runs now, so that what was tested outside runs inside. */
function nodeBinary(): string {
  if (Number(process.versions.node.split(".")[0]) < oldestNode) {
    throw new SallyportError(
      "image-failed",
      `this is Node ${process.versions.node}; the base image needs ${oldestNode}`,
      {
        next: `run with Node ${oldestNode} or later, such as by bin/sallyport`,
      },
    );
  }
  return process.execPath;
}

interface BuildRun {
  name: string;
  directory: string;
  parts: ContextParts;
  from: string;
  inputHash: string;
  force: boolean;
  onProgress: (line: string) => void;
}

async function runBuild(docker: Docker, run: BuildRun): Promise<string> {
  const log: string[] = [];
  const failed = (why: string, cause?: unknown): SallyportError =>
    new SallyportError("image-failed", `building ${run.name}: ${why}\n${log.slice(-30).join("\n")}`, {
      next: `correct ${join(run.directory, "Dockerfile")} and build again`,
      cause,
    });
  const abortSignal = AbortSignal.timeout(buildMilliseconds);
  let stream: NodeJS.ReadableStream;
  try {
    stream = await docker.buildImage(await packContext(run.directory, run.parts), {
      version: "1",
      // No layer may hold what a registry said on the day of the build: packages come by the lockfile, from outside.
      networkmode: "none",
      buildargs: { BASE: run.from },
      labels: {
        [labels.image]: run.name,
        [labels.inputs]: run.inputHash,
        [labels.base]: run.from,
        ...(run.name === baseName ? { [labels.node]: process.versions.node } : {}),
      },
      nocache: run.force,
      rm: true,
      forcerm: true,
      abortSignal,
    });
  } catch (cause) {
    throw failed(String((cause as Error).message ?? cause), cause);
  }
  let digest = "";
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(
      stream,
      (error) => (error ? reject(failed(abortSignal.aborted ? "it took too long" : error.message, error)) : resolve()),
      (event: { stream?: string; error?: string; aux?: { ID?: string } }) => {
        if (event.aux?.ID !== undefined) digest = event.aux.ID;
        for (const line of (event.stream ?? event.error ?? "").split("\n")) {
          if (line.trim() === "") continue;
          log.push(line);
          run.onProgress(line);
        }
      },
    );
  });
  if (digest === "") throw failed("the engine ended the build without an image");
  return digest;
}
