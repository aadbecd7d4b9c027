/** `secret://name` in the texts of a brief: how it names a secret without holding one. */
import { shortName } from "../domain/identity.ts";
import type { KeyPath } from "./issues.ts";

/** One reference: where, and the name; undefined where what follows `secret://` is none. */
export interface SecretReference {
  path: KeyPath;
  name: string | undefined;
}

/** Every reference in the texts of a value, however deep. */
export function secretReferences(value: unknown, path: KeyPath = []): SecretReference[] {
  if (typeof value === "string")
    return [...value.matchAll(/secret:\/\/([A-Za-z0-9._-]*)/gi)].map(([, name = ""]) => ({
      path,
      name: settled(name),
    }));
  if (Array.isArray(value)) return value.flatMap((part, index) => secretReferences(part, [...path, index]));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => secretReferences(part, [...path, key]));
}

/** The name without the full stop that ends a sentence. */
function settled(name: string): string | undefined {
  const bare = name.replace(/[._-]+$/, "");
  return shortName.safeParse(bare).success ? bare : undefined;
}
