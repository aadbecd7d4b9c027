/** The bill of materials: what it says of a real image, and how names, versions and licences are written. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { auditImage } from "../../src/sandbox/images/audit.ts";
import { debianLicences, nodePackage, uniquePackages } from "../../src/sandbox/images/audit-packages.ts";
import { packageUrl, sbomOf } from "../../src/sandbox/images/sbom.ts";
import { docker, image, root, scratch } from "./engine.ts";

const folders: ReturnType<typeof scratch>[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) folder.drop();
});

interface Component {
  "bom-ref": string;
  name: string;
  version: string;
  purl: string;
  group?: string;
  licenses?: object[];
}

describe("the bill of a real image", () => {
  it("lists Debian, npm and Node with their licences, each once, and is the same each time", async () => {
    const built = await image("pi");
    const { packages } = await auditImage(docker, built.digest);
    const sbom = sbomOf(built, packages);
    const components = sbom.components as Component[];
    expect(sbom).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.6", version: 1 });
    expect(sbom.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const refs = components.map((c) => c["bom-ref"]);
    expect(new Set(refs).size).toBe(refs.length);
    expect(sbom.dependencies).toEqual([{ ref: built.digest, dependsOn: refs }]);

    const pi = components.find((c) => c.purl === "pkg:npm/%40earendil-works/pi-coding-agent@0.87.1");
    expect(pi).toMatchObject({ group: "@earendil-works", name: "pi-coding-agent", licenses: [{ expression: "MIT" }] });
    expect(refs).toContainEqual(expect.stringMatching(/^pkg:deb\/debian\/git@1%3A2\..*\?arch=(?:amd64|arm64)$/));
    expect(refs).toContain(`pkg:generic/node@${process.versions.node}`);
    // Almost all say their licence; where a copyright file is prose, it stays unknown.
    const known = components.filter((c) => c.licenses !== undefined).length;
    expect(known / components.length).toBeGreaterThan(0.8);
    const again = sbomOf(built, (await auditImage(docker, built.digest)).packages);
    expect(JSON.stringify(again)).toBe(JSON.stringify(sbom));
  }, 600_000);

  it("is written where the command is told to, and refused where it cannot be", async () => {
    await image("scripted");
    const folder = scratch();
    folders.push(folder);
    const file = join(folder.path, "scripted.cdx.json");
    const run = (to: string) =>
      spawnSync(join(root, "bin/sallyport"), ["image", "audit", "scripted", "--sbom", to, "--json"], {
        encoding: "utf8",
        timeout: 120_000,
      });
    const said = run(file);
    expect([said.status, said.stderr]).toEqual([0, ""]);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(JSON.parse(said.stdout).sbom);
    const refused = run(join(folder.path, "none", "x.json"));
    expect([refused.status, refused.stdout]).toEqual([2, expect.stringContaining("cannot be written")]);
  }, 600_000);
});

describe("a package", () => {
  it.each([
    [{ kind: "npm", name: "@a/b", version: "1.0.0+x" }, "pkg:npm/%40a/b@1.0.0%2Bx"],
    [
      { kind: "deb", name: "libstdc++6", version: "1:2~3", arch: "amd64" },
      "pkg:deb/debian/libstdc%2B%2B6@1%3A2~3?arch=amd64",
    ],
    [{ kind: "generic", name: "node", version: "24.0.0" }, "pkg:generic/node@24.0.0"],
  ] as const)("has a URL: %j", (found, url) => expect(packageUrl(found)).toBe(url));

  it("has the licences that it names, in every form that npm has known", () => {
    const of = (more: object) =>
      nodePackage("/x/node_modules/a/package.json", JSON.stringify({ name: "a", version: "1", ...more }))?.licences;
    expect(of({ license: "MIT" })).toEqual(["MIT"]);
    expect(of({ license: { type: "BSD" } })).toEqual(["BSD"]);
    expect(of({ licenses: [{ type: "MIT" }, "X11"] })).toEqual(["MIT", "X11"]);
    expect(of({})).toBeUndefined();
    const licensed = (licences: string[]) => {
      const built = { name: "a", tag: "t", digest: "d", inputHash: "i", created: "c", size: 1 };
      return (sbomOf(built, [{ kind: "npm", name: "a", version: "1", licences }]).components[0] as Component).licenses;
    };
    expect(licensed(["(MIT OR Apache-2.0)"])).toEqual([{ expression: "(MIT OR Apache-2.0)" }]);
    expect(licensed(["SEE LICENSE IN README.md"])).toEqual([{ license: { name: "SEE LICENSE IN README.md" } }]);
  });

  it("of Debian has those of a machine-readable copyright file, and none of prose", () => {
    const format = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n";
    expect(
      debianLicences(`${format}\nFiles: *\nLicense: GPL-2+\n text\n\nFiles: x\nLicense: Expat\n\nLicense: GPL-2+\n`),
    ).toEqual(["Expat", "GPL-2+"]);
    expect(debianLicences("License: GPL-2\nsome prose")).toEqual([]);
  });

  it("in two places is one", () => {
    const one = { kind: "npm", name: "a", version: "1" } as const;
    expect(uniquePackages([{ ...one, version: "2" }, one, { ...one }])).toEqual([one, { ...one, version: "2" }]);
  });
});
