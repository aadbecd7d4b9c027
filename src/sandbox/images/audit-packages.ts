/** The packages of an image, as its own records say: what a software bill of materials lists. */

export interface AuditPackage {
  /** Where it comes from: Debian's archive, npm, or (the node binary) neither. */
  kind: "deb" | "npm" | "generic";
  name: string;
  version: string;
  /** Debian's architecture. */
  arch?: string;
  /** What the package says of its licence, in its own words: often an SPDX identifier or expression. */
  licences?: string[];
}

/** The installed packages in dpkg's status file (deb-control, dpkg(1)). */
export function debianPackages(status: string): AuditPackage[] {
  return status.split(/\n\n+/).flatMap((stanza): AuditPackage[] => {
    const field = (key: string): string | undefined => new RegExp(`^${key}: (.*)$`, "m").exec(stanza)?.[1];
    const name = field("Package");
    const version = field("Version");
    const arch = field("Architecture");
    if (!name || !version || !field("Status")?.endsWith(" installed")) return [];
    return [{ kind: "deb", name, version, ...(arch ? { arch } : {}) }];
  });
}

/** The Debian package whose copyright file that path is. */
export function copyrightOf(path: string): string | undefined {
  return /^\/usr\/share\/doc\/([^/]+)\/copyright$/.exec(path)?.[1];
}

/** The short licence names of a machine-readable copyright file (DEP-5); none where it is prose. */
export function debianLicences(text: string): string[] {
  if (!/^Format:\s*https?:\/\/www\.debian\.org\/doc\/packaging-manuals\/copyright-format\//m.test(text)) return [];
  const names = [...text.matchAll(/^License:[ \t]*(\S.*)$/gm)].map(([, name]) => (name ?? "").trim());
  return [...new Set(names)].sort();
}

/** The package that a `package.json` directly below a `node_modules` (or a scope in it) describes. */
export function nodePackage(path: string, text: string): AuditPackage | undefined {
  if (!/\/node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/.test(path)) return undefined;
  try {
    const found = JSON.parse(Buffer.from(text, "latin1").toString("utf8")) as Record<string, unknown>;
    const { name, version } = found;
    if (typeof name !== "string" || typeof version !== "string") return undefined;
    const licences = npmLicences(found["license"] ?? found["licenses"]);
    return { kind: "npm", name, version, ...(licences.length > 0 ? { licences } : {}) };
  } catch {
    // A package's test data may be named package.json and not be JSON: it is no package.
    return undefined;
  }
}

/** npm's `license`: a text, or in old packages an object with a type, or a list of either. */
function npmLicences(said: unknown): string[] {
  if (typeof said === "string") return said.trim() === "" ? [] : [said.trim()];
  if (Array.isArray(said)) return said.flatMap(npmLicences);
  return said !== null && typeof said === "object" ? npmLicences((said as { type?: unknown }).type) : [];
}

/** Sorted by kind, name and version; the same package in several places is one. */
export function uniquePackages(packages: readonly AuditPackage[]): AuditPackage[] {
  const key = ({ kind, name, version, arch }: AuditPackage) => [name, version, kind, arch ?? ""].join("\0");
  const byKey = new Map(packages.map((one) => [key(one), one]));
  return [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}
