/** Harness files: each folder of the images directory that holds a `harness.yaml` is one harness. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../../domain/error.ts";
import { type HarnessFile, harnessFile } from "../../domain/harness.ts";
import { shortName } from "../../domain/identity.ts";
import { parseDocument } from "../../policy/document.ts";
import { nearest } from "../../policy/issues.ts";

/**
 * The harness of that name. Throws `not-found` when there is no such folder, `harness-invalid` with the position when
 * its file is not valid or says another name than its folder's.
 */
export async function loadHarness(name: string, imagesDirectory: string): Promise<HarnessFile> {
  // The name becomes a path: one that is not a short name could leave the images directory.
  if (!shortName.safeParse(name).success) throw unknown(name, await listHarnesses(imagesDirectory));
  const file = join(imagesDirectory, name, "harness.yaml");
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") throw unknown(name, await listHarnesses(imagesDirectory));
    throw cause;
  }
  const harness = parseDocument(text, file, harnessFile, "harness-invalid");
  if (harness.name !== name) {
    throw new SallyportError("harness-invalid", `${file} says name: ${harness.name}, its folder is ${name}`, {
      next: `write name: ${name}, or rename the folder`,
      at: file,
    });
  }
  return harness;
}

/** The names of all harnesses in the directory, sorted; an empty list where there is no directory. */
export async function listHarnesses(imagesDirectory: string): Promise<string[]> {
  let entries: string[];
  try {
    entries = await readdir(imagesDirectory);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw cause;
  }
  const names: string[] = [];
  for (const entry of entries.sort()) {
    if (!shortName.safeParse(entry).success) continue;
    const files = await readdir(join(imagesDirectory, entry)).catch((): string[] => []);
    if (files.includes("harness.yaml")) names.push(entry);
  }
  return names;
}

function unknown(name: string, known: string[]): SallyportError {
  const meant = nearest(name, known);
  return new SallyportError("not-found", `there is no harness ${JSON.stringify(name)}`, {
    next: meant
      ? `Did you mean ${meant}?`
      : known.length > 0
        ? `name one of: ${known.join(", ")}`
        : "add a folder with a harness.yaml to the images directory",
  });
}
