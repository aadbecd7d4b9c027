/** Building and finding images on the real engine: by their inputs, without a network, once, and whole or not at all. */
import { execFile } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { buildImage } from "../../src/sandbox/images/build.ts";
import { labels } from "../../src/sandbox/images/built-image.ts";
import { findImage, listImages } from "../../src/sandbox/images/find.ts";
import { cacheDirectory, docker, image, imagesDirectory, root, run, scratch } from "./engine.ts";

// Each build saves and loads an image of 300 MB.
vi.setConfig({ testTimeout: 300_000 });
const execute = promisify(execFile);
let folder: ReturnType<typeof scratch>;
const names = new Set<string>();

beforeAll(async () => {
  await image("base");
  folder = scratch();
  cpSync(join(imagesDirectory, "base"), join(folder.path, "base"), { recursive: true });
}, 300_000);
afterAll(async () => {
  folder.drop();
  for (const one of await docker.listImages({ all: true, filters: { label: [labels.image] } })) {
    if (names.has(one.Labels?.[labels.image] ?? ""))
      await docker
        .getImage(one.Id)
        .remove({ force: true })
        .catch(() => {});
  }
});

interface Recipe {
  dockerfile?: string;
  smoke?: string;
  files?: Record<string, string>;
}

/** A harness of its own for one test. */
function harness(name: string, recipe: Recipe = {}): string {
  names.add(name);
  const at = join(folder.path, name);
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, "Dockerfile"), recipe.dockerfile ?? "ARG BASE\nFROM ${BASE}\nCOPY files/ /opt/mine/\n");
  writeFileSync(
    join(at, "harness.yaml"),
    `name: ${name}\nroles: [executor]\ndescription: a test\ncommand: ["/opt/mine/run"]\nsmoke: ${JSON.stringify(["sh", "-c", recipe.smoke ?? "true"])}\n`,
  );
  for (const [path, content] of Object.entries(recipe.files ?? { "files/run": "#!/bin/sh\necho hello\n" })) {
    mkdirSync(join(at, path, ".."), { recursive: true });
    writeFileSync(join(at, path), content);
    chmodSync(join(at, path), 0o755);
  }
  return at;
}

const options = (lines: string[] = []) => ({
  docker,
  imagesDirectory: folder.path,
  cacheDirectory,
  onProgress: (line: string) => void lines.push(line),
});
const build = (name: string, lines: string[] = []) => buildImage(name, options(lines));
const refused = (promise: Promise<unknown>) =>
  promise.then(
    () => "no error",
    (e: { code: string; message: string; next: string }) => e,
  );

describe("building", () => {
  it("makes an image that runs, carries its labels, and is found by its current files alone", async () => {
    const at = harness("t-find");
    expect(await refused(findImage(docker, "t-find", folder.path))).toMatchObject({
      code: "image-missing",
      next: "run `sallyport image build t-find`",
    });
    const built = await build("t-find");
    expect(await findImage(docker, "t-find", folder.path)).toEqual(built);
    expect((await listImages(docker)).find((i) => i.name === "t-find")?.digest).toBe(built.digest);
    expect(await run(built.digest, ["/opt/mine/run"])).toEqual({ exit: 0, output: "hello\n" });
    const { Labels } = (await docker.getImage(built.digest).inspect()).Config;
    const base = await findImage(docker, "base", folder.path);
    expect(Labels).toMatchObject({
      [labels.image]: "t-find",
      [labels.inputs]: built.inputHash,
      [labels.base]: base.digest,
    });
    writeFileSync(join(at, "files/run"), "#!/bin/sh\necho changed\n");
    expect(await refused(findImage(docker, "t-find", folder.path))).toMatchObject({ code: "image-missing" });
    expect((await build("t-find")).digest).not.toBe(built.digest);
  });

  it("builds once for the same inputs, also when two ask at the same time, and again by force", async () => {
    harness("t-once");
    const lines: string[] = [];
    const [first, second] = await Promise.all([build("t-once", lines), build("t-once", lines)]);
    expect(second).toEqual(first);
    expect(lines.filter((l) => l.startsWith("built "))).toHaveLength(1);
    await build("t-once", lines);
    expect(lines.filter((l) => l.startsWith("built "))).toHaveLength(1);
    const again = await buildImage("t-once", { ...options(lines), force: true });
    expect(again.inputHash).toBe(first.inputHash);
    expect(lines.filter((l) => l.startsWith("built "))).toHaveLength(2);
  });

  it("builds once when two processes ask at the same time", async () => {
    harness("t-two");
    const program = `
      const { connectEngine } = await import(${JSON.stringify(join(root, "src/sandbox/connect.ts"))});
      const { buildImage } = await import(${JSON.stringify(join(root, "src/sandbox/images/build.ts"))});
      const lines = [];
      const built = await buildImage("t-two", { docker: await connectEngine(), imagesDirectory: ${JSON.stringify(folder.path)},
        cacheDirectory: ${JSON.stringify(cacheDirectory)}, onProgress: (line) => lines.push(line) });
      process.stdout.write(JSON.stringify([built.digest, lines.filter((l) => l.startsWith("built ")).length]));`;
    const one = () => execute(process.execPath, ["--input-type=module", "-e", program], { timeout: 60_000 });
    const answers = (await Promise.all([one(), one()])).map(({ stdout }) => JSON.parse(stdout) as [string, number]);
    expect(answers[0]?.[0]).toBe(answers[1]?.[0]);
    expect(answers.map(([, builds]) => builds).sort()).toEqual([0, 1]);
  });

  it("goes on after a failed build of the same name", async () => {
    const at = harness("t-mend", { dockerfile: "ARG BASE\nFROM ${BASE}\nCOPY missing /x\n" });
    const failing = refused(build("t-mend"));
    expect(await failing).toMatchObject({ code: "image-failed", message: expect.stringContaining("missing") });
    writeFileSync(join(at, "Dockerfile"), "ARG BASE\nFROM ${BASE}\nCOPY files/ /x/\n");
    expect((await build("t-mend")).name).toBe("t-mend");
  });

  it("gives a build step no network", async () => {
    harness("t-net", {
      dockerfile: "ARG BASE\nFROM ${BASE}\nRUN test \"$(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ')\" = lo\n",
    });
    expect((await build("t-net")).name).toBe("t-net");
    harness("t-reach", { dockerfile: "ARG BASE\nFROM ${BASE}\nRUN curl -sS --max-time 3 http://192.0.2.1/\n" });
    expect(await refused(build("t-reach"))).toMatchObject({
      code: "image-failed",
      message: expect.stringMatching(/192\.0\.2\.1|non-zero/),
    });
  });

  it("keeps no image whose smoke test fails, and shows what it printed", async () => {
    harness("t-smoke", { smoke: "echo it is broken; exit 3" });
    const error = await refused(build("t-smoke"));
    expect(error).toMatchObject({ code: "image-failed", message: expect.stringContaining("it is broken") });
    expect((await listImages(docker)).filter((i) => i.name === "t-smoke")).toEqual([]);
    harness("t-smoke", { smoke: "exit 0" });
    expect((await build("t-smoke")).name).toBe("t-smoke");
  });

  it("does not take a tag that was moved to another image", async () => {
    harness("t-moved");
    const built = await build("t-moved");
    const [repo, tag] = built.tag.split(":");
    await docker
      .getImage((await findImage(docker, "base", folder.path)).digest)
      .tag({ repo: repo as string, tag: tag as string });
    expect(await refused(findImage(docker, "t-moved", folder.path))).toMatchObject({ code: "image-missing" });
    await docker.getImage(built.tag).remove();
  });
});

describe("what goes in", () => {
  it("changes the hash with content, name and the executable bit, and not with harness.yaml or other modes", async () => {
    const at = harness("t-hash");
    const hash = async () => (await build("t-hash")).inputHash;
    const first = await hash();
    writeFileSync(join(at, "README.md"), "about");
    chmodSync(join(at, "files/run"), 0o700);
    expect(await hash()).toBe(first);
    chmodSync(join(at, "files/run"), 0o644);
    const plain = await hash();
    expect(plain).not.toBe(first);
    renameSync(join(at, "files/run"), join(at, "files/ran"));
    expect(await hash()).not.toBe(plain);
  });

  it("refuses links, and a package.json without a lockfile", async () => {
    const at = harness("t-link");
    symlinkSync("/etc/shadow", join(at, "files/link"));
    expect(await refused(build("t-link"))).toMatchObject({
      code: "image-failed",
      message: expect.stringContaining("files/link"),
    });
    rmSync(join(at, "files/link"));
    expect((await build("t-link")).name).toBe("t-link");
    writeFileSync(join(at, "package.json"), "{}");
    expect(await refused(build("t-link"))).toMatchObject({
      code: "image-failed",
      message: expect.stringContaining("package-lock.json"),
    });
  });

  it("knows its harnesses, and no path as a name", async () => {
    expect(await refused(build("nobody"))).toMatchObject({ code: "not-found" });
    expect(await refused(build("../base"))).toMatchObject({ code: "not-found" });
    const at = harness("t-name");
    writeFileSync(
      join(at, "harness.yaml"),
      "name: other\nroles: [executor]\ndescription: x\ncommand: [x]\nsmoke: [x]\n",
    );
    expect(await refused(build("t-name"))).toMatchObject({ code: "harness-invalid" });
    writeFileSync(join(at, "harness.yaml"), "name: t-name\nroles: [boss]\ndescription: x\ncommand: [x]\nsmoke: [x]\n");
    expect(await refused(build("t-name"))).toMatchObject({ code: "harness-invalid" });
  });
});
