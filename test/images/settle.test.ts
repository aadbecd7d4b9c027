/** Settling an image from either form that engines save one in: the same id, and it runs. */
import { readdirSync } from "node:fs";
import { PassThrough, Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import type Docker from "dockerode";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { settleImage, sourceDateEpoch } from "../../src/sandbox/images/settle.ts";
import { docker, run, scratch } from "./engine.ts";
import { archiveOf, asLayout, buildOn, type Entries, entriesOf, importCat, partsOf, save } from "./saved-forms.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let folder: ReturnType<typeof scratch>;
let base: string;
const made = new Set<string>();
const drop = async (id: string) =>
  void (await docker
    .getImage(id)
    .remove({ force: true })
    .catch(() => {}));

beforeEach(async () => {
  folder = scratch();
  base = await importCat();
  // The engine removes an image's parents with it, unless they have a name.
  await docker.getImage(base).tag({ repo: "t-settle", tag: base.slice(-16) });
});
afterEach(async () => {
  for (const id of made) await drop(id);
  made.clear();
  await drop(base);
  folder.drop();
});

async function built(): Promise<string> {
  const id = await buildOn(base);
  made.add(id);
  return id;
}

async function settle(engine: Docker, id: string): Promise<string> {
  try {
    const settled = await settleImage(engine, id, folder.path);
    made.add(settled);
    return settled;
  } finally {
    expect(readdirSync(folder.path)).toEqual([]);
  }
}

/** The real engine, save for the form of what it saves; what is loaded into it is kept too. */
function saving(archive: () => Promise<Buffer>): { engine: Docker; loads: Promise<Entries>[] } {
  const loads: Promise<Entries>[] = [];
  const getImage = (id: string) =>
    Object.assign(docker.getImage(id), { get: async () => Readable.from([await archive()]) });
  const loadImage = (stream: NodeJS.ReadableStream) => {
    const [copy, given] = [new PassThrough(), new PassThrough()];
    stream.on("data", (chunk: Buffer) => {
      copy.write(chunk);
      given.write(chunk);
    });
    stream.on("end", () => {
      copy.end();
      given.end();
    });
    loads.push(entriesOf(copy));
    return docker.loadImage(given);
  };
  return { engine: Object.assign(Object.create(docker), { getImage, loadImage }) as Docker, loads };
}

const exists = (id: string) =>
  docker
    .getImage(id)
    .inspect()
    .then(
      () => true,
      () => false,
    );
const refused = (promise: Promise<unknown>) =>
  promise.then(
    () => "no error",
    (error: { code: string; message: string; next: string }) => error,
  );

describe("an image", () => {
  it("gets the same id from the engine's own archive and from an OCI layout, and runs", async () => {
    const first = await built();
    const settled = await settle(docker, first);
    expect([settled === first, await exists(first)]).toEqual([false, false]);
    expect(await run(settled, ["/bin/cat", "/said"])).toEqual({ exit: 0, output: "hello from the layer\n" });
    await drop(settled);
    expect(await exists(settled)).toBe(false);

    const second = await built();
    expect(second).not.toBe(first);
    const layout = asLayout(await save(second));
    // Two of the three layers are one blob.
    expect(new Set(partsOf(layout).layers.map(String)).size).toBe(2);
    const again = await settle(saving(() => archiveOf(layout)).engine, second);
    expect([again, await exists(second)]).toEqual([settled, false]);
    expect(await run(again, ["/bin/cat", "/said"])).toEqual({ exit: 0, output: "hello from the layer\n" });
    // Settled once, it stays: nothing is loaded.
    const stays = saving(async () => archiveOf(asLayout(await save(again))));
    expect([await settle(stays.engine, again), stays.loads.length]).toEqual([again, 0]);
    const { layers } = partsOf(await save(again));
    const young = (await Promise.all(layers.map((layer) => timesOf(layer)))).flat().filter((t) => t > sourceDateEpoch);
    expect(young).toEqual([]);
  });

  it("is loaded without the layers that the engine has under their chain", async () => {
    const id = await built();
    const saved = await save(id);
    const { engine, loads } = saving(() => archiveOf(saved));
    const settled = await settle(engine, id);
    const loaded = await Promise.all(loads);
    expect(loaded.map((one) => [...one.keys()].filter((name) => name.endsWith(".tar")).length)).toEqual([1]);
    expect(partsOf(await save(settled)).layers[0]).toEqual(partsOf(saved).layers[0]);
  });

  it("is loaded whole where the engine has lost them", async () => {
    const id = await built();
    const archive = await archiveOf(asLayout(await save(id)));
    const lost = saving(async () => {
      await drop(id);
      await drop(base);
      return archive;
    });
    const settled = await settle(lost.engine, id);
    const loaded = await Promise.all(lost.loads);
    expect(loaded.map((one) => [...one.keys()].filter((name) => name.endsWith(".tar")).length)).toEqual([1, 2]);
    expect(await run(settled, ["/bin/cat", "/said"])).toEqual({ exit: 0, output: "hello from the layer\n" });
  });
});

describe("an archive that is not as it should be", () => {
  const changed = (entries: Entries, change: (copy: Entries) => void) => {
    const copy = new Map(entries);
    change(copy);
    return copy;
  };
  const manifest = (entries: Entries, change: (images: { Layers: string[] }[]) => object) =>
    entries.set("manifest.json", {
      bytes: Buffer.from(JSON.stringify(change(JSON.parse(String(entries.get("manifest.json")?.bytes))))),
    });

  it("is refused, the image stays, and the whole one is settled", async () => {
    const id = await built();
    const layout = asLayout(await save(id));
    const whole = await archiveOf(layout);
    const largest = [...layout].sort(([, a], [, b]) => b.bytes.length - a.bytes.length)[0]?.[0] ?? "";
    const bad: [string, Buffer][] = [
      ["compressed layers", await archiveOf(asLayout(layout, (layer) => gzipSync(layer)))],
      ["lacks a layer", await archiveOf(changed(layout, (copy) => copy.delete(largest)))],
      ["manifest of 0 images", await archiveOf(changed(layout, (copy) => copy.delete("manifest.json")))],
      ["manifest of 2 images", await archiveOf(changed(layout, (copy) => manifest(copy, ([one]) => [one, one])))],
      [
        "no configuration",
        await archiveOf(changed(layout, (copy) => manifest(copy, ([one]) => [{ ...one, Config: "x" }]))),
      ],
      ["cannot be read", whole.subarray(0, whole.length / 2)],
    ];
    for (const [why, archive] of bad) {
      const { engine, loads } = saving(async () => archive);
      expect(await refused(settle(engine, id))).toMatchObject({
        code: "image-failed",
        message: expect.stringContaining(why),
        ...(why === "compressed layers" ? { next: expect.stringContaining("containerd-snapshotter") } : {}),
      });
      expect([loads.length, await exists(id)]).toEqual([0, true]);
    }
    expect(await exists(await settle(saving(async () => whole).engine, id))).toBe(true);
  });
});

/** Every modification time in a layer, in seconds. */
async function timesOf(layer: Buffer): Promise<number[]> {
  const { default: tar } = await import("tar-stream");
  const times: number[] = [];
  const extract = tar.extract();
  extract.on("entry", (header, stream, next) => {
    times.push((header.mtime?.getTime() ?? 0) / 1000);
    stream.on("end", next).resume();
  });
  await new Promise<void>((resolve, reject) => {
    Readable.from([layer])
      .pipe(extract as unknown as NodeJS.WritableStream)
      .on("finish", resolve)
      .on("error", reject);
  });
  return times;
}
