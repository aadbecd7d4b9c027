/** The image for the current inputs of a harness. An image of older inputs is not found: it is not what is written. */
import { join } from "node:path";
import type Docker from "dockerode";
import { SallyportError } from "../../domain/error.ts";
import { rootfsHash } from "./bootstrap.ts";
import { type BuiltImage, imageWithInputs, labels } from "./built-image.ts";
import { hashFile, hashInputs, inputFiles } from "./input-hash.ts";

/** The image that all others are built on. */
export const baseName = "base";

/** The hash of the base image's inputs: its folder, the root file system below, and the Node that runs now. */
export async function baseInputHash(imagesDirectory: string): Promise<string> {
  return hashInputs(await inputFiles(join(imagesDirectory, baseName)), {
    rootfs: await rootfsHash(imagesDirectory),
    node: await hashFile(process.execPath),
  });
}

/** The hash of a harness image's inputs: its folder (with the lockfile) and the base image it stands on. */
export async function harnessInputHash(name: string, imagesDirectory: string, base: string): Promise<string> {
  return hashInputs(await inputFiles(join(imagesDirectory, name)), { base });
}

/** The image of that name for its current inputs. Throws `image-missing` when it was not built, or built from others. */
export async function findImage(docker: Docker, name: string, imagesDirectory: string): Promise<BuiltImage> {
  const base = await imageWithInputs(docker, baseName, await baseInputHash(imagesDirectory));
  let found = base;
  if (name !== baseName && base !== undefined) {
    found = await imageWithInputs(docker, name, await harnessInputHash(name, imagesDirectory, base.digest));
  }
  if (found === undefined) {
    const what = base === undefined && name !== baseName ? `the base of the image ${name}` : `the image ${name}`;
    throw new SallyportError("image-missing", `${what} is not built for its current files`, {
      next: `run \`sallyport image build ${name}\``,
    });
  }
  return found;
}

/** All images of ours that the engine has, newest first; those of older inputs too, the bare root file systems not. */
export async function listImages(docker: Docker): Promise<BuiltImage[]> {
  const found = await docker.listImages({ filters: { label: [labels.image] } });
  const images = await Promise.all(
    found.map(async (image): Promise<BuiltImage[]> => {
      const name = image.Labels?.[labels.image];
      const inputHash = image.Labels?.[labels.inputs];
      if (name === undefined || inputHash === undefined || name === "rootfs") return [];
      // Another process may remove it meanwhile.
      const built = await imageWithInputs(docker, name, inputHash);
      return built === undefined || built.digest !== image.Id ? [] : [built];
    }),
  );
  return images
    .flat()
    .sort((a, b) => (a.created === b.created ? (a.name < b.name ? -1 : 1) : a.created < b.created ? 1 : -1));
}
