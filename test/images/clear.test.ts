/** Images of older inputs: only those, and only where the current one is there. Every image here is this test's own. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { connectEngine } from "../../src/sandbox/connect.ts";
import { imageTag, inspectImage, labels } from "../../src/sandbox/images/built-image.ts";
import { oldImages, removeImage } from "../../src/sandbox/images/clear.ts";
import { baseInputHash, harnessInputHash } from "../../src/sandbox/images/find.ts";
import { root } from "../e2e/cli.ts";

const directory = mkdtempSync(join(tmpdir(), "sp-clear-"));
const name = `clear-${randomBytes(4).toString("hex")}`;
const made: string[] = [];
afterAll(() => {
  for (const tag of made) execFileSync("sh", ["-c", `docker rmi -f ${tag} >/dev/null 2>&1 || true`]);
  rmSync(directory, { recursive: true, force: true });
});

/** A tiny image under the name and the inputs that it claims. */
function image(of: string, inputs: string): string {
  const tag = imageTag(of, inputs);
  writeFileSync(join(directory, "content"), randomBytes(16));
  const change = (label: string, value: string) => ["--change", `LABEL ${label}=${value}`];
  const tar = execFileSync("tar", ["-C", directory, "-c", "content"]);
  execFileSync("docker", ["import", ...change(labels.image, of), ...change(labels.inputs, inputs), "-", tag], {
    input: tar,
  });
  made.push(tag);
  return tag;
}

it("names the older ones, never the current one or one that is needed", { timeout: 120_000 }, async () => {
  const docker = await connectEngine();
  const images = join(directory, "images");
  mkdirSync(join(images, name), { recursive: true });
  cpSync(join(root, "images/base"), join(images, "base"), { recursive: true });
  // A base of its own: nothing here is anybody else's.
  writeFileSync(join(images, "base/own"), name);
  writeFileSync(join(images, name, "harness.yaml"), "");
  writeFileSync(join(images, name, "file"), "1");
  const later = new Date(Date.now() + 3600_000);
  const mine = async (before: Date, needed: string[] = []) =>
    (await oldImages(docker, images, before, new Set(needed)))
      .map(({ tag }) => tag)
      .filter((tag) => made.includes(tag));

  const old = image(name, "a".repeat(64));
  const other = image(name, "b".repeat(64));
  // Without the current one, the old one is all there is.
  expect(await mine(later)).toEqual([]);
  image("base", await baseInputHash(images));
  const base = (await inspectImage(docker, made.at(-1) ?? ""))?.Id ?? "";
  const current = image(name, await harnessInputHash(name, images, base));
  expect((await mine(later)).sort()).toEqual([old, other].sort());
  expect(await mine(new Date(Date.now() - 3600_000))).toEqual([]);
  const digest = (await inspectImage(docker, other))?.Id ?? "";
  expect(await mine(later, [digest])).toEqual([old]);

  const found = (await oldImages(docker, images, later, new Set([digest]))).find(({ tag }) => tag === old);
  expect(found && (await removeImage(docker, found))).toBe(true);
  expect(await inspectImage(docker, old)).toBeUndefined();
  expect(await inspectImage(docker, current)).toBeDefined();
  // Asked for once more: it is not there, and that is no fault.
  expect(found && (await removeImage(docker, found))).toBe(false);
});
