/** `sallyport image build|list|audit`. */
import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { exitCode, SallyportError } from "../domain/error.ts";
import { showSize } from "../domain/units.ts";
import { imageCache, shippedImages } from "../host/config.ts";
import { action, command, done, type Globals, print, say } from "./context.ts";
import { onInterrupt, openLive } from "./live.ts";
import { type Cell, fitTable } from "./table.ts";
import { clock, showTime } from "./when.ts";

// Loaded when an image is asked for: the engine's client is large, and most commands have no use for it.
async function imageTools() {
  const [
    { connectEngine },
    { auditImage },
    { buildImage, reproduceImage },
    { findImage, listImages },
    { listHarnesses },
    { sbomOf },
  ] = await Promise.all([
    import("../sandbox/connect.ts"),
    import("../sandbox/images/audit.ts"),
    import("../sandbox/images/build.ts"),
    import("../sandbox/images/find.ts"),
    import("../sandbox/images/harness.ts"),
    import("../sandbox/images/sbom.ts"),
  ]);
  return {
    docker: await connectEngine(),
    auditImage,
    buildImage,
    reproduceImage,
    findImage,
    listImages,
    listHarnesses,
    sbomOf,
  };
}

interface BuildFlags {
  all?: boolean;
  force?: boolean;
  checkReproducible?: boolean;
}

async function build({ json }: Globals, names: string[], options: BuildFlags): Promise<number> {
  const { docker, buildImage, reproduceImage, listHarnesses } = await imageTools();
  const wanted = options.all ? await listHarnesses(shippedImages) : names;
  if (wanted.length === 0)
    throw new SallyportError("usage", "no image is named", {
      next: "Name one, or --all: `sallyport image build --all`.",
    });
  const begun = Date.now();
  const built: object[] = [];
  let now = { name: "", line: "", since: begun };
  const progress = openLive(!json, (time) =>
    now.name
      ? [
          [
            [`  image ${built.length + 1} of ${wanted.length}: ${now.name} ${clock(time - now.since)}`, "name"],
            `, all ${clock(time - begun)}`,
          ],
          [["  ", "dim"], now.line],
        ]
      : [],
  );
  const took = onInterrupt(progress, ["what is built stays; the same command goes on from there"]);
  let different = false;
  try {
    for (const name of wanted) {
      now = { name, line: "", since: Date.now() };
      const how = {
        docker,
        imagesDirectory: shippedImages,
        cacheDirectory: imageCache,
        force: options.force === true,
        onProgress: (line: string) => {
          now.line = line;
          progress.line(`${name}: ${line}`);
        },
      };
      if (options.checkReproducible) {
        const reproduction = await reproduceImage(name, how);
        const same = reproduction.again === reproduction.image.digest;
        progress.line(`${name}: ${reproduction.image.digest} built again: ${same ? "the same" : reproduction.again}`);
        for (const { path, what } of reproduction.differences) progress.line(`${name}:   ${path}: ${what}`);
        different ||= !same;
        built.push({ ...reproduction, same });
        continue;
      }
      const image = await buildImage(name, how);
      progress.line(`${name}: ${image.tag} ${image.digest.slice(0, 19)} (${showSize(image.size)})`);
      built.push(image);
    }
  } finally {
    took();
    progress.end();
  }
  if (json) print(built);
  return different ? exitCode.rejected : done;
}

async function list({ json }: Globals): Promise<number> {
  const { docker, listImages, listHarnesses } = await imageTools();
  const images = await listImages(docker);
  if (json) print(images);
  else {
    const missing = (await listHarnesses(shippedImages)).filter((name) => !images.some((image) => image.name === name));
    const columns = [
      { title: "NAME" },
      { title: "TAG", gives: 2, least: 16 },
      { title: "DIGEST", gives: 3 },
      { title: "SIZE", align: "right" as const },
      { title: "CREATED", gives: 1 },
    ];
    const rows = images.map((i): Cell[] => [
      [i.name, "strong"],
      i.tag,
      i.digest.slice(0, 19),
      showSize(i.size),
      showTime(i.created),
    ]);
    for (const line of fitTable(columns, rows)) say(line);
    if (missing.length > 0) say(`not built: ${missing.join(", ")}; next: sallyport image build --all`);
  }
  return done;
}

async function audit({ json }: Globals, name: string, options: { sbom?: string }): Promise<number> {
  const { docker, findImage, auditImage, sbomOf } = await imageTools();
  const image = await findImage(docker, name, shippedImages);
  const { packages, findings } = await auditImage(docker, image.digest);
  const sbom = sbomOf(image, packages);
  if (options.sbom !== undefined) {
    await writeFile(options.sbom, `${JSON.stringify(sbom, null, 2)}\n`).catch((cause: Error) => {
      throw new SallyportError("usage", `the bill of materials cannot be written: ${cause.message}`, {
        next: "Name a file in a directory that is there: `--sbom image.cdx.json`.",
        cause,
      });
    });
  }
  if (json) print({ image, packages, findings, sbom });
  else {
    say(`${image.tag} ${image.digest}: ${packages.length} packages`);
    for (const finding of findings) say(`  ${finding.kind}: ${finding.path}: ${finding.detail}`);
    say(
      findings.length === 0
        ? "nothing found: no setuid, world-writable, device, cache or secret file"
        : `${findings.length} findings`,
    );
  }
  return findings.length === 0 ? done : exitCode.rejected;
}

export function imageCommand(): Command {
  return command("image", "Build and check harness images.", [
    "sallyport image build --all",
    "sallyport image audit pi --sbom pi.cdx.json",
  ])
    .addCommand(
      command("build", "Build images that are missing or out of date.", [
        "sallyport image build scripted skeptic-rules",
      ])
        .argument("[names...]")
        .option("--all", "every image there is")
        .option("--force", "build again though it is there")
        .option("--check-reproducible", "build twice and say what differs; exit 1 if anything does")
        .action(action(build)),
    )
    .addCommand(
      command("list", "List the images that are built.", [
        "sallyport image list",
        "sallyport image list --json",
      ]).action(action(list)),
    )
    .addCommand(
      command("audit", "Look for what must not be in an image; none is the passing answer.", [
        "sallyport image audit pi",
        "sallyport image audit pi --sbom pi.cdx.json",
      ])
        .argument("<name>")
        .option("--sbom <file>", "write the bill of materials there, as CycloneDX 1.6 JSON")
        .action(action(audit)),
    );
}
