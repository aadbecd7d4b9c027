/** A built image as the rest of the house knows it, and the labels by which it is recognised. */
import type Docker from "dockerode";
import { SallyportError } from "../../domain/error.ts";

/** Labels of every image of ours: its name, the hash of its inputs, and the image it was built from. */
export const labels = {
  image: "org.sallyport.image",
  inputs: "org.sallyport.inputs",
  base: "org.sallyport.base",
  /** The version of the Node inside. */
  node: "org.sallyport.node",
} as const;

/** An image that is there. Run it by `digest`: a tag can be moved to another image. */
export interface BuiltImage {
  name: string;
  tag: string;
  /** The engine's content id, `sha256:` and 64 hex digits. */
  digest: string;
  inputHash: string;
  /** When it got its tag on this host, ISO 8601: the image itself bears the same time on every host. */
  created: string;
  /** Bytes, shared layers included. */
  size: number;
}

/** The tag an image with these inputs has. */
export function imageTag(name: string, inputHash: string): string {
  return `sallyport/${name.toLowerCase()}:${inputHash.slice(0, 16)}`;
}

/** The image behind a tag or digest, or undefined when there is none. Throws `engine-failed` on any other answer. */
export async function inspectImage(docker: Docker, reference: string): Promise<Docker.ImageInspectInfo | undefined> {
  try {
    return await docker.getImage(reference).inspect();
  } catch (cause) {
    if ((cause as { statusCode?: number }).statusCode === 404) return undefined;
    throw new SallyportError("engine-failed", `the engine cannot say what ${reference} is: ${String(cause)}`, {
      next: "run `sallyport doctor`",
      cause,
    });
  }
}

/** The image of that name and input hash, or undefined: a tag whose labels say something else is not it. */
export async function imageWithInputs(
  docker: Docker,
  name: string,
  inputHash: string,
): Promise<BuiltImage | undefined> {
  const tag = imageTag(name, inputHash);
  const found = await inspectImage(docker, tag);
  const said = found?.Config?.Labels ?? {};
  if (!found || said[labels.image] !== name || said[labels.inputs] !== inputHash) return undefined;
  return { name, tag, digest: found.Id, inputHash, created: taggedAt(found), size: found.Size };
}

/** When an image was tagged last, or made where the engine does not say. */
export function taggedAt(found: Docker.ImageInspectInfo): string {
  const { Metadata } = found as { Metadata?: { LastTagTime?: string } };
  const time = new Date(Metadata?.LastTagTime ?? found.Created);
  // The engine says the year 1 for "never".
  return (time.getUTCFullYear() > 1970 ? time : new Date(found.Created)).toISOString();
}
