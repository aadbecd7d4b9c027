/** Two builds of the same inputs are the same image; where they are not, the files that differ are named. */
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import tar from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reproduceImage } from "../../src/sandbox/images/build.ts";
import { labels } from "../../src/sandbox/images/built-image.ts";
import { clampTimes } from "../../src/sandbox/images/clamp-times.ts";
import { contentDigest } from "../../src/sandbox/images/compare-images.ts";
import { sourceDateEpoch } from "../../src/sandbox/images/settle.ts";
import { cacheDirectory, docker, image, imagesDirectory, scratch } from "./engine.ts";

describe("a second build", () => {
  let folder: ReturnType<typeof scratch>;
  beforeAll(async () => {
    await image("base");
    folder = scratch();
    cpSync(join(imagesDirectory, "base"), join(folder.path, "base"), { recursive: true });
  }, 600_000);
  afterAll(async () => {
    folder.drop();
    for (const one of await docker.listImages({ all: true, filters: { label: [labels.image] } })) {
      // The same inputs are the same image: another run of this test has its own names.
      if (!new RegExp(`^t-(?:same|other)-${process.pid}$`).test(one.Labels?.[labels.image] ?? "")) continue;
      await docker
        .getImage(one.Id)
        .remove({ force: true })
        .catch(() => {});
    }
  });

  const reproduce = (name: string, step: string) => {
    const at = join(folder.path, name);
    mkdirSync(join(at, "files"), { recursive: true });
    writeFileSync(join(at, "files/run"), "hello\n");
    writeFileSync(join(at, "Dockerfile"), `ARG BASE\nFROM \${BASE}\nCOPY files/ /opt/mine/\nUSER 0:0\nRUN ${step}\n`);
    writeFileSync(
      join(at, "harness.yaml"),
      `name: ${name}\nroles: [executor]\ndescription: a test\ncommand: ["true"]\nsmoke: ["true"]\n`,
    );
    return reproduceImage(name, { docker, imagesDirectory: folder.path, cacheDirectory });
  };

  it("has the same id, though its steps ran at another time", async () => {
    const {
      image: first,
      again,
      differences,
    } = await reproduce(`t-same-${process.pid}`, "ln -s /opt/mine/run /usr/local/bin/mine");
    expect([again, differences]).toEqual([first.digest, []]);
    // It is still there, and what it was built from is not.
    const found = await docker.getImage(first.digest).inspect();
    expect([found.RepoTags, found.Parent]).toEqual([[first.tag], ""]);
    expect(found.Created).toBe(new Date(sourceDateEpoch * 1000).toISOString().replace(".000Z", "Z"));
    expect(Date.parse(first.created)).toBeGreaterThan(sourceDateEpoch * 1000);
  }, 600_000);

  it("is told by the files that differ, and leaves nothing behind", async () => {
    const step = "cat /proc/sys/kernel/random/uuid > /opt/mine/id; chmod 755 /opt/mine/run";
    const { image: first, again, differences } = await reproduce(`t-other-${process.pid}`, step);
    expect(again).not.toBe(first.digest);
    expect(differences).toEqual([{ path: "/opt/mine/id", what: "content differ" }]);
    const gone = await docker
      .getImage(again)
      .inspect()
      .catch((error: { statusCode?: number }) => error.statusCode);
    expect(gone).toBe(404);
    expect(await contentDigest(docker, first.digest)).toMatch(/^[0-9a-f]{64}$/);
  }, 600_000);
});

describe("times in an archive", () => {
  const entries: [Parameters<tar.Pack["entry"]>[0], string?][] = [
    [{ name: "old", mtime: new Date(1000_000), mode: 0o640 }, "old text"],
    [{ name: "new", mtime: new Date("2027-05-06T07:08:09Z"), uid: 12, gname: "g" }, "x".repeat(100_000)],
    [{ name: "d", type: "directory", mtime: new Date("2030-01-01") }],
    [{ name: "l", type: "symlink", linkname: "new", mtime: new Date("2030-01-01") }],
    [{ name: `${"long/".repeat(60)}name`, mtime: new Date("2030-01-01") }, "y"],
  ];

  async function archive(): Promise<Buffer> {
    const pack = tar.pack();
    for (const [header, body] of entries) pack.entry(header, body ?? "");
    pack.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of pack) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  async function clamped(bytes: Buffer, piece: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += piece) parts.push(bytes.subarray(at, at + piece));
    await pipeline(Readable.from(parts), clampTimes(sourceDateEpoch), async (source) => {
      for await (const chunk of source) chunks.push(chunk as Buffer);
    });
    return Buffer.concat(chunks);
  }

  it.each([1 << 20, 511, 512, 777])("are clamped, and nothing else changes, in pieces of %i bytes", async (piece) => {
    const before = await archive();
    const after = await clamped(before, piece);
    expect(after.length).toBe(before.length);
    const read = async (bytes: Buffer) => {
      const found: object[] = [];
      const extract = tar.extract();
      extract.on("entry", (header, stream, next) => {
        const hash = createHash("sha256");
        stream
          .on("data", (chunk) => hash.update(chunk as Buffer))
          .on("end", () => {
            found.push({ ...header, content: hash.digest("hex") });
            next();
          });
      });
      await pipeline(Readable.from([bytes]), extract as unknown as NodeJS.WritableStream);
      return found as { mtime: Date }[];
    };
    // tar-stream checks each header's sum as it reads.
    const [old, changed] = [await read(before), await read(after)];
    const latest = new Date(sourceDateEpoch * 1000);
    expect(changed).toEqual(old.map((one) => ({ ...one, mtime: one.mtime > latest ? latest : one.mtime })));
    expect(await clamped(after, piece)).toEqual(after);
  });

  it("are not taken from an archive that is cut short", async () => {
    const bytes = await archive();
    await expect(clamped(bytes.subarray(0, 1500), 512)).rejects.toThrow("cut short");
  });
});
