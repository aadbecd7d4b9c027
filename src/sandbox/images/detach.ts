/** An image that stands by itself: the engine no longer counts it as a child of the one it was built on. */
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type Docker from "dockerode";
import { SallyportError } from "../../domain/error.ts";
import { inspectImage } from "./built-image.ts";

/**
 * Saves an image, removes it and loads it again: same id, same layers, no parent. The classic builder records parents,
 * and the engine refuses to remove an image with children even by force, so the project's images could only be cleared
 * in one order. Throws `image-failed` where the image did not come back as it was.
 */
export async function detachImage(docker: Docker, digest: string, cacheDirectory: string): Promise<void> {
  const image = docker.getImage(digest);
  const file = join(cacheDirectory, `${digest.slice("sha256:".length, 23)}.${process.pid}.tar`);
  await mkdir(cacheDirectory, { recursive: true });
  try {
    await pipeline(await image.get(), createWriteStream(file, { mode: 0o600 }));
    await image.remove({ force: true });
    const progress = await docker.loadImage(createReadStream(file));
    await new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve()));
    });
  } finally {
    await rm(file, { force: true });
  }
  const back = await inspectImage(docker, digest);
  if (back?.Id !== digest) {
    throw new SallyportError("image-failed", `${digest} did not come back from the engine as it was`, {
      next: "Build again; look at the engine's disk.",
    });
  }
}
