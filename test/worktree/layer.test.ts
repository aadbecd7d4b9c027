import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  closeWorkspace,
  createLayer,
  destroyLayer,
  freezeLayer,
  layerAt,
  openWorkspace,
  sweepMounts,
} from "../../src/worktree/layer.ts";
import { mounts, runTool } from "../../src/worktree/mount.ts";
import { as, type Bench, bench, sandbox, script } from "./fixture.ts";

let b: Bench;
let lower: string;
const root = { uid: 0, gid: 0 };

beforeEach(async () => {
  b = await bench();
  lower = join(b.root, "lower");
  await mkdir(lower);
  script(root, lower, `printf a > a; mkdir d; printf x > d/x; chown -R ${sandbox.uid}:${sandbox.gid} .`);
});
afterEach(() => b?.clean());

const make = (name = "one", bytes = 8 << 20, inodes = 500) =>
  createLayer({ directory: join(b.root, "lanes"), name, bytes, inodes, owner: sandbox });
const here = async () =>
  (await mounts()).filter((m) => m.path.startsWith(b.root)).map((m) => m.path.slice(b.root.length + 1));
const loops = async () =>
  (await runTool("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"]))
    .split("\n")
    .filter((line) => line.includes(b.root));

describe("a layer", () => {
  test("takes what the sandbox writes and leaves the lower as it was; nosuid, nodev, no redirects", async () => {
    const layer = await make();
    const workspace = await openWorkspace({ lowers: [lower], layer, target: join(b.root, "ws") });
    script(sandbox, workspace.target, "printf b > b; rm a; mv d e");
    expect(readFileSync(join(lower, "a"), "utf8")).toBe("a");
    expect((await as(sandbox, workspace.target, "find", ".", "-mindepth", "1")).split("\n").sort()).toEqual([
      "./b",
      "./e",
      "./e/x",
    ]);
    const own = (await mounts()).find((m) => m.path === workspace.target);
    expect(own?.options).toEqual(expect.arrayContaining(["rw", "nosuid", "nodev"]));
    expect(own?.superOptions.join()).not.toMatch(/redirect_dir=on|metacopy=on|index=on/);
    const disk = (await mounts()).find((m) => m.path === layer.mount);
    expect(disk?.options).toEqual(expect.arrayContaining(["nosuid", "nodev"]));
    await destroyLayer(layer);
    await destroyLayer(layer);
    expect([await here(), await loops(), existsSync(layer.directory)]).toEqual([[], [], false]);
  });

  test("is bounded in bytes and files, and its fullness is its own", async () => {
    const layer = await make("small", 8 << 20, 200);
    const other = await make("other");
    const workspace = await openWorkspace({ lowers: [lower], layer, target: join(b.root, "ws") });
    const beside = await openWorkspace({ lowers: [lower], layer: other, target: join(b.root, "beside") });
    expect(script(sandbox, workspace.target, "head -c 32M /dev/zero > big").output).toContain("No space left");
    expect(
      script(sandbox, workspace.target, "rm big; for i in $(seq 400); do printf '' > f$i || exit 7; done").status,
    ).toBe(7);
    expect(script(sandbox, beside.target, "head -c 1M /dev/zero > fine").status).toBe(0);
    await destroyLayer(layer);
    await destroyLayer(other);
  });

  test("frozen: nothing writes any more, and the merged view says what there is", async () => {
    const layer = await make();
    const second = join(b.root, "setup");
    await mkdir(second);
    writeFileSync(join(second, "s"), "s");
    script(root, second, `chown -R ${sandbox.uid}:${sandbox.gid} .`);
    const workspace = await openWorkspace({ lowers: [second, lower], layer, target: join(b.root, "ws") });
    script(sandbox, workspace.target, "rm -r d; mkdir d; printf y > d/y; rm a");
    await freezeLayer(workspace);
    await freezeLayer(workspace);
    const files = async (path: string) => (await as(root, path, "find", ".", "-type", "f")).split("\n").sort();
    expect(await files(layer.merged)).toEqual(["./d/y", "./s"]);
    expect(await files(layer.below)).toEqual(["./a", "./d/x", "./s"]);
    for (const path of [layer.upper, layer.merged, layer.below])
      expect(() => writeFileSync(join(path, "n"), "n")).toThrow(/EROFS/);
    await destroyLayer(layer);
    expect(await here()).toEqual([]);
  });

  test("a busy workspace is waited for; destroying ends well once its user has gone", async () => {
    const layer = await make();
    const workspace = await openWorkspace({ lowers: [lower], layer, target: join(b.root, "ws") });
    const user = spawn("sleep", ["0.7"], {
      cwd: workspace.target,
      uid: sandbox.uid,
      gid: sandbox.gid,
      stdio: "ignore",
    });
    await new Promise((resolve) => user.once("spawn", resolve));
    await destroyLayer(layer);
    expect([await here(), await loops()]).toEqual([[], []]);
    await closeWorkspace(workspace);
  });

  test("a name that is taken, or would leave the directory, is refused and nothing is lost", async () => {
    const layer = await make();
    await expect(make()).rejects.toMatchObject({ code: "worktree-failed" });
    expect(existsSync(layer.upper)).toBe(true);
    for (const bad of ["../x", "", ".", "a/b", "-x"]) expect(() => layerAt(b.root, bad, sandbox)).toThrow();
    await destroyLayer(layer);
  });

  test("a path that overlayfs would take apart is refused; spaces are fine", async () => {
    for (const odd of ["a:b", "a,b", "a\\b", 'a"b']) {
      const made = createLayer({
        directory: join(b.root, odd),
        name: "x",
        bytes: 8 << 20,
        inodes: 100,
        owner: sandbox,
      });
      await expect(made).rejects.toMatchObject({ code: "config-invalid" });
    }
    const layer = await createLayer({
      directory: join(b.root, "with space é"),
      name: "x",
      bytes: 8 << 20,
      inodes: 100,
      owner: sandbox,
    });
    const workspace = await openWorkspace({ lowers: [lower], layer, target: join(b.root, "w s") });
    expect(script(sandbox, workspace.target, "printf n > n").status).toBe(0);
    await freezeLayer(workspace);
    expect(readFileSync(join(layer.merged, "n"), "utf8")).toBe("n");
    await destroyLayer(layer);
    expect([await here(), await loops()]).toEqual([[], []]);
  });

  test("twenty at once, and not a mount, loop device or file is left", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => make(`l${i}`)));
    await Promise.all(
      all.map((layer) => openWorkspace({ lowers: [lower], layer, target: join(b.root, `ws-${layer.name}`) })),
    );
    expect(await here()).toHaveLength(40);
    await Promise.all(all.map(destroyLayer));
    expect([await here(), await loops()]).toEqual([[], []]);
  });
});

test("what a killed daemon left is swept: mounted, frozen, half made; others' mounts stay", async () => {
  const one = await make("one");
  await openWorkspace({ lowers: [lower], layer: one, target: join(b.root, "lanes/one-ws") });
  const two = await make("two");
  await freezeLayer(await openWorkspace({ lowers: [lower], layer: two, target: join(b.root, "lanes/two-ws") }));
  await runTool("truncate", ["-s", "4M", join(b.root, "lanes/loose")]);
  await runTool("losetup", ["--find", join(b.root, "lanes/loose")]);
  await mkdir(join(b.root, "lanes-of-another"));
  await runTool("mount", ["-t", "tmpfs", "tmpfs", join(b.root, "lanes-of-another")]);
  const did = await sweepMounts(join(b.root, "lanes"));
  expect(did.filter((line) => line.startsWith("unmounted"))).toHaveLength(4);
  expect(did.some((line) => line.startsWith("detached /dev/loop"))).toBe(true);
  expect([await here(), await loops()]).toEqual([["lanes-of-another"], []]);
  expect(await sweepMounts(join(b.root, "lanes"))).toEqual([]);
  await destroyLayer(one);
  await rm(join(b.root, "lanes"), { recursive: true });
});
