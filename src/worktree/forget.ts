/**
 * Takes single objects out of a quarantine. A dropped ref leaves what it named on the disk, which is nobody's concern but
 * for what must not be kept at all: a file in which an executor wrote a secret's value.
 */
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { gitLine, runGit } from "./git.ts";
import type { Quarantine } from "./quarantine.ts";

/**
 * Removes objects, loose or packed, that no kept proposal has. The object ids must be whole. What the host repository has
 * itself stays there. Errors: `git-failed`.
 */
export async function forgetObjects(quarantine: Quarantine, oids: readonly string[]): Promise<void> {
  const at = { gitDir: quarantine.gitDir };
  const doomed = new Set(oids);
  const kept = await runGit(["rev-list", "--objects", "--no-walk", "--no-object-names", "--glob=refs/sallyport/*"], {
    ...at,
    maxBytes: 512 * 1024 * 1024,
  });
  for (const oid of kept.stdout.toString("latin1").split("\n")) doomed.delete(oid);
  if (doomed.size === 0) return;
  const objects = join(quarantine.gitDir, "objects");
  const packs = (await readdir(join(objects, "pack")).catch(() => [])).filter((name) => name.endsWith(".idx"));
  for (const name of packs) {
    const index = await readFile(join(objects, "pack", name));
    const listed = await runGit(["show-index", `--object-format=${quarantine.objectFormat}`], { ...at, stdin: index });
    const inside = [...listed.stdout.toString("latin1").matchAll(/^\d+ ([0-9a-f]+)/gm)].map(([, oid]) => oid ?? "");
    if (!inside.some((oid) => doomed.has(oid))) continue;
    const rest = inside.filter((oid) => !doomed.has(oid));
    // The new pack is there before the old one goes: whoever reads meanwhile finds every other object in one of them.
    if (rest.length > 0) {
      await gitLine(["pack-objects", "--quiet", "--no-reuse-delta", join(objects, "pack", "pack")], {
        ...at,
        stdin: Buffer.from(`${rest.join("\n")}\n`),
      });
    }
    const stem = name.slice(0, -".idx".length);
    for (const file of await readdir(join(objects, "pack"))) {
      if (file.startsWith(`${stem}.`)) await rm(join(objects, "pack", file), { force: true });
    }
  }
  for (const oid of doomed) await rm(join(objects, oid.slice(0, 2), oid.slice(2)), { force: true });
}
