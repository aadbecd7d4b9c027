/** Images that no current harness is: those of older inputs. */
import type Docker from "dockerode";
import { type BuiltImage, inspectImage } from "./built-image.ts";
import { findImage, listImages } from "./find.ts";
import { listHarnesses } from "./harness.ts";

/**
 * Images of the harnesses of that directory that were built from older inputs before `before`, and that nobody in `needed`
 * (by digest) is. One whose name no harness here has is another installation's, and stays.
 */
export async function oldImages(
  docker: Docker,
  imagesDirectory: string,
  before: Date,
  needed: ReadonlySet<string>,
): Promise<BuiltImage[]> {
  const names = await listHarnesses(imagesDirectory);
  const current = new Set<string>();
  for (const name of names) {
    const found = await findImage(docker, name, imagesDirectory).catch(() => undefined);
    // Without the current one, the old one is all there is.
    if (!found) continue;
    current.add(name);
    needed = new Set([...needed, found.digest]);
  }
  return (await listImages(docker)).filter(
    ({ name, digest, created }) => current.has(name) && !needed.has(digest) && Date.parse(created) < before.getTime(),
  );
}

/** Removes an image by its tag; false where the engine keeps it, since a container or another image stands on it. */
export async function removeImage(docker: Docker, { tag, digest }: BuiltImage): Promise<boolean> {
  if ((await inspectImage(docker, tag))?.Id !== digest) return false;
  return docker
    .getImage(tag)
    .remove()
    .then(
      () => true,
      () => false,
    );
}
