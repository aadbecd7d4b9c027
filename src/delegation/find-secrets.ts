/** Looks for real secrets in what an executor wrote (ATTACKS S5). The gateway is asked; only names come back. */
import type { Finding } from "../domain/rejection.ts";
import type { Change, Quarantine } from "../worktree/quarantine.ts";
import type { LoopTools } from "./tools.ts";

/** Bytes of files that are asked about at once. */
const batchBytes = 4 * 1024 * 1024;

/**
 * A finding for each changed file that holds a value which the base's version of it does not, and one where a name does;
 * `objects` are those that hold it: blobs, and the trees down to such a name.
 * Whole files are looked at, not the patch: a patch shows a binary file compressed.
 */
export async function findSecrets(
  quarantine: Quarantine,
  base: string,
  tree: string,
  changes: readonly Change[],
  secrets: LoopTools["secrets"],
): Promise<{ findings: Finding[]; objects: string[] }> {
  if (!secrets.known()) return { findings: [], objects: [] };
  const inNames = await secrets.contains(Buffer.from(changes.map(({ path }) => path).join("\n")));
  const written = changes.filter(({ kind, mode }) => kind !== "deleted" && mode !== "160000");
  const findings: Finding[] = inNames.length > 0 ? [finding(inNames)] : [];
  const found: string[] = [];
  let batch: { change: Change; bytes: Buffer }[] = [];
  const look = async () => {
    const all = Buffer.concat(batch.flatMap(({ bytes }) => [bytes, Buffer.from("\n")]));
    if ((await secrets.contains(all)).length > 0) {
      for (const { change, bytes } of batch) {
        const now = await secrets.contains(bytes);
        if (now.length === 0) continue;
        const before = change.kind === "modified" ? await namesBefore(quarantine, base, change.path, secrets) : [];
        const added = now.filter((name) => !before.includes(name));
        if (added.length === 0) continue;
        found.push(change.oid);
        // A path may hold a value itself: then the one finding about names says enough.
        if (inNames.length === 0) findings.push(finding(added, change.path));
      }
    }
    batch = [];
  };
  const objects = quarantine.objects();
  try {
    if (inNames.length > 0) {
      for (const { path, kind } of changes) {
        if (kind === "deleted" || (await secrets.contains(Buffer.from(path))).length === 0) continue;
        for await (const oid of treesOn(path, tree, objects)) found.push(oid);
      }
    }
    let size = 0;
    for (const change of written) {
      const bytes = await objects.read(change.oid, "blob", 64 * 1024 * 1024);
      batch.push({ change, bytes });
      size += bytes.length;
      if (size < batchBytes) continue;
      await look();
      size = 0;
    }
    await look();
  } finally {
    await objects.close();
  }
  return { findings: findings.slice(0, 50), objects: [...new Set(found)] };
}

/** The trees from the top to the one that has a path's last name. */
async function* treesOn(path: string, top: string, objects: ReturnType<Quarantine["objects"]>): AsyncGenerator<string> {
  let oid: string | undefined = top;
  for (const segment of path.split("/")) {
    if (oid === undefined) return;
    yield oid;
    const entries = await objects.tree(oid);
    oid = entries.find(({ name, mode }) => mode === "040000" && name.equals(Buffer.from(segment)))?.oid;
  }
}

async function namesBefore(
  quarantine: Quarantine,
  base: string,
  path: string,
  secrets: LoopTools["secrets"],
): Promise<string[]> {
  const bytes = await quarantine.readBlob(`${base}:${path}`).catch(() => undefined);
  return bytes ? secrets.contains(bytes) : [];
}

function finding(names: readonly string[], path?: string): Finding {
  const which = names.join(", ");
  return {
    reason: "secret-in-proposal",
    message: `The value of the secret ${which} is written ${path === undefined ? "in a file's name" : "in this file"}. Take it out: a program reads its secret from the environment. The operator replaces the value at its provider.`,
    ...(path === undefined ? {} : { path }),
  };
}
