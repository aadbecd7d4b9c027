import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { layerFingerprint } from "../../src/worktree/fingerprint.ts";
import { createLayer, destroyLayer, type Layer, openWorkspace } from "../../src/worktree/layer.ts";
import { type Bench, bench, sandbox, script } from "./fixture.ts";

let b: Bench;
let layer: Layer;
let workspace: string;
beforeEach(async () => {
  b = await bench();
  const lower = join(b.root, "lower");
  await mkdir(lower);
  script({ uid: 0, gid: 0 }, lower, `printf a > a; mkdir d; printf x > d/x; chown -R ${sandbox.uid}:${sandbox.gid} .`);
  const directory = join(b.root, "lanes");
  layer = await createLayer({ directory, name: "one", bytes: 32 << 20, inodes: 8000, owner: sandbox });
  workspace = (await openWorkspace({ lowers: [lower], layer, target: join(b.root, "ws") })).target;
});
afterEach(async () => {
  if (layer) await destroyLayer(layer);
  await b?.clean();
});

/** Whether the print is another one after a script of the sandbox's. */
async function changes(text: string): Promise<boolean> {
  const before = await layerFingerprint(layer);
  const { status, output } = script(sandbox, workspace, text);
  expect([status, output]).toEqual([0, ""]);
  return (await layerFingerprint(layer)) !== before;
}

describe("a layer's fingerprint", () => {
  test.each([
    ["a new file", "printf b > b"],
    ["a file rewritten with as many bytes", "printf b > a; sleep 0.01"],
    ["a mode", "chmod 600 a"],
    ["a file of the base removed", "rm d/x"],
    ["a deep file", "mkdir -p d/e/f/g; printf x > d/e/f/g/h"],
    ["a time set back: the kernel's own says so", "touch -d 2001-01-01 a"],
  ])("tells %s", async (_, text) => {
    expect(await changes(text)).toBe(true);
  });

  test("tells a second change of the same file by its time alone", async () => {
    script(sandbox, workspace, "printf b > a");
    expect(await changes("sleep 0.02; printf c > a; touch -d 2001-01-01 a")).toBe(true);
  });

  test.each([
    ["reading", "cat a d/x > /dev/null; ls -lR > /dev/null"],
    ["what a harness's git writes for itself", "mkdir .git; printf index > .git/index"],
  ])("does not tell %s", async (_, text) => {
    expect(await changes(text)).toBe(false);
  });

  test("follows no link, also not to a directory that changes", async () => {
    const outside = join(b.root, "outside");
    await mkdir(outside);
    script(sandbox, workspace, `ln -s ${outside} out; ln -s / root`);
    const before = await layerFingerprint(layer);
    script({ uid: 0, gid: 0 }, outside, "printf x > x");
    expect(await layerFingerprint(layer)).toBe(before);
  });

  test("of more files than are looked at is told by the file system's counts, in bounded time", async () => {
    script(sandbox, workspace, "mkdir many; cd many; for i in $(seq 5000); do : > f$i; done");
    const begun = performance.now();
    expect(await changes("head -c 100000 /dev/zero > many/f4999; sync")).toBe(true);
    expect(performance.now() - begun).toBeLessThan(20_000);
  });

  test("of directories in directories ends at a bound", async () => {
    expect(
      script(sandbox, workspace, "for i in $(seq 300); do mkdir x && cd x || exit 1; done; printf deep > y").status,
    ).toBe(0);
    await expect(layerFingerprint(layer)).resolves.toContain("entries");
  });
});
