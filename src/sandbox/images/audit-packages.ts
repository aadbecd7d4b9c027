/** The packages of an image, as its own records say: a software bill of materials. */

export interface AuditPackage {
  name: string;
  version: string;
}

/** The installed packages in dpkg's status file (deb-control, dpkg(1)). */
export function debianPackages(status: string): AuditPackage[] {
  return status.split(/\n\n+/).flatMap((stanza) => {
    const field = (key: string): string | undefined => new RegExp(`^${key}: (.*)$`, "m").exec(stanza)?.[1];
    const name = field("Package");
    const version = field("Version");
    return name && version && field("Status")?.endsWith(" installed") ? [{ name, version }] : [];
  });
}

/** The package that a `package.json` directly below a `node_modules` (or a scope in it) describes. */
export function nodePackage(path: string, text: string): AuditPackage | undefined {
  if (!/\/node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/.test(path)) return undefined;
  try {
    const { name, version } = JSON.parse(Buffer.from(text, "latin1").toString("utf8")) as Record<string, unknown>;
    return typeof name === "string" && typeof version === "string" ? { name, version } : undefined;
  } catch {
    // A package's test data may be named package.json and not be JSON: it is no package.
    return undefined;
  }
}
