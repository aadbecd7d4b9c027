/**
 * The software bill of materials of an image, as CycloneDX 1.6 JSON (ECMA-424). It lists what the image's own records
 * name: Debian's packages, npm's packages, Node. What a package bundles into itself does not show.
 */
import { createHash } from "node:crypto";
import type { AuditPackage } from "./audit-packages.ts";
import type { BuiltImage } from "./built-image.ts";

/** The parts of a CycloneDX document that this writes. */
export interface Sbom {
  $schema: string;
  bomFormat: "CycloneDX";
  specVersion: "1.6";
  serialNumber: string;
  version: 1;
  metadata: object;
  components: object[];
  dependencies: { ref: string; dependsOn?: string[] }[];
}

/** The document for an image. The same image gives the same bytes. */
export function sbomOf(image: BuiltImage, packages: readonly AuditPackage[]): Sbom {
  const components = packages.map(component);
  const root = { type: "container", "bom-ref": image.digest, name: `sallyport/${image.name}`, version: image.digest };
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(image.digest)}`,
    version: 1,
    metadata: {
      tools: { components: [{ type: "application", name: "sallyport" }] },
      component: root,
      properties: [{ name: "sallyport:inputs", value: image.inputHash }],
    },
    components,
    dependencies: [{ ref: image.digest, dependsOn: components.map((one) => one["bom-ref"]) }],
  };
}

function component(found: AuditPackage) {
  const purl = packageUrl(found);
  const [scope, name] = found.name.startsWith("@") ? found.name.split("/") : [undefined, found.name];
  return {
    type: found.kind === "generic" ? "application" : "library",
    "bom-ref": purl,
    ...(scope ? { group: scope } : {}),
    name: name ?? found.name,
    version: found.version,
    ...licencesOf(found),
    purl,
  };
}

/** The package URL (ECMA-427): every part percent-encoded. */
export function packageUrl({ kind, name, version, arch }: AuditPackage): string {
  const path = name.split("/").map(encodeURIComponent).join("/");
  const at = `${path}@${encodeURIComponent(version)}`;
  if (kind === "deb") return `pkg:deb/debian/${at}${arch ? `?arch=${encodeURIComponent(arch)}` : ""}`;
  return `pkg:${kind}/${at}`;
}

/** An SPDX expression where it reads as one; else each name as it stands. */
function licencesOf({ kind, licences = [] }: AuditPackage): object {
  if (licences.length === 0) return {};
  const [only = ""] = licences;
  if (
    kind === "npm" &&
    licences.length === 1 &&
    /^\(*[A-Za-z0-9][A-Za-z0-9.+-]*(?:\)* (?:AND|OR|WITH) \(*[A-Za-z0-9.+-]+)*\)*$/.test(only)
  ) {
    return { licenses: [{ expression: only }] };
  }
  return { licenses: licences.map((name) => ({ license: { name } })) };
}

/** A UUID (RFC 9562, version 8) out of a digest. */
function uuidOf(digest: string): string {
  const hex = createHash("sha256").update(`sallyport sbom ${digest}`).digest("hex");
  const variant = ((Number.parseInt(hex[16] ?? "0", 16) & 3) | 8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join("-");
}
