/** What building takes from the host: the engine's socket and apt's configuration; and the harness files themselves. */
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { connectEngine } from "../../src/sandbox/connect.ts";
import { acquireOptions, suiteEntries } from "../../src/sandbox/images/apt-sources.ts";
import { listHarnesses, loadHarness } from "../../src/sandbox/images/harness.ts";
import { hashInputs } from "../../src/sandbox/images/input-hash.ts";
import { imagesDirectory, scratch } from "./engine.ts";

describe("the engine", () => {
  const before = process.env.DOCKER_HOST;
  let server: Server | undefined;
  let folder: ReturnType<typeof scratch> | undefined;
  afterEach(() => {
    if (before === undefined) delete process.env.DOCKER_HOST;
    else process.env.DOCKER_HOST = before;
    server?.close().closeAllConnections();
    folder?.drop();
  });

  it("answers at its socket", async () => {
    expect((await (await connectEngine()).version()).ApiVersion).toMatch(/^1\./);
  });

  it("is missing where nothing listens, over TCP, and when it hangs", async () => {
    folder = scratch();
    const path = join(folder.path, "engine.sock");
    process.env.DOCKER_HOST = `unix://${path}`;
    const missing = { code: "engine-missing", next: expect.stringContaining("make engine") };
    await expect(connectEngine()).rejects.toMatchObject(missing);
    process.env.DOCKER_HOST = "tcp://127.0.0.1:2375";
    await expect(connectEngine()).rejects.toMatchObject(missing);
    const hanging = createServer(() => {});
    server = hanging;
    await new Promise<void>((resolve) => hanging.listen(path, resolve));
    process.env.DOCKER_HOST = `unix://${path}`;
    await expect(connectEngine()).rejects.toMatchObject({
      code: "engine-missing",
      message: expect.stringContaining("no answer"),
    });
  }, 20_000);
});

describe("apt's sources", () => {
  it("gives the suite's own entries of one-line files", () => {
    const text =
      "# deb http://old bookworm main\ndeb http://m/debian bookworm main # ours\ndeb [signed-by=/k.gpg] http://m/debian bookworm-updates main\ndeb-src http://m/debian bookworm main\ndeb https://third.example cloud-sdk-bookworm main\ndeb http://m/debian trixie main\n";
    expect(suiteEntries(text, "sources.list", "bookworm")).toEqual([
      "deb http://m/debian bookworm main",
      "deb [signed-by=/k.gpg] http://m/debian bookworm-updates main",
    ]);
  });

  it("gives the suite's own stanzas of deb822 files", () => {
    const ours = "Types: deb\nURIs: http://m/debian\nSuites: bookworm bookworm-updates\nComponents: main";
    const text = `Types: deb\n# a note\nURIs: http://m/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\nTypes: deb\nURIs: https://third.example\nSuites: nodistro\n\nEnabled: no\nTypes: deb\nSuites: bookworm-security\n\nTypes: deb-src\nSuites: bookworm\n\nTypes: deb\nSuites: bookworm trixie\n`;
    expect(suiteEntries(text, "debian.sources", "bookworm")).toEqual([ours]);
  });

  it("keeps the options that say how to reach a mirror, and no others", () => {
    const dump =
      'APT::Install-Recommends "1";\nAcquire "";\nAcquire::http::Proxy "http://proxy:3128";\nAcquire::https::CaInfo "/ca.pem";\nAcquire::https::mirror.example::SslCert "/c.pem";\nAcquire::http::Proxy::mirror.example "DIRECT";\nAcquire::Languages "none";\nAcquire::AllowInsecureRepositories "1";\nAcquire::Retries "3";\nDPkg::Post-Invoke:: "rm -f /x";\n';
    expect(acquireOptions(dump).split("\n")).toEqual([
      'Acquire::http::Proxy "http://proxy:3128";',
      'Acquire::https::CaInfo "/ca.pem";',
      'Acquire::https::mirror.example::SslCert "/c.pem";',
      'Acquire::http::Proxy::mirror.example "DIRECT";',
      'Acquire::Retries "3";',
      "",
    ]);
  });
});

describe("the harness files of the project", () => {
  it("are all valid, and each slot is one that is filled", async () => {
    const names = await listHarnesses(imagesDirectory);
    expect(names).toEqual(expect.arrayContaining(["base", "pi", "scripted", "skeptic-rules"]));
    for (const name of names) {
      const harness = await loadHarness(name, imagesDirectory);
      const slots = JSON.stringify([harness.command, harness.environment]).match(/\{(\w+)\}/g) ?? [];
      expect(["{prompt}", "{model}", "{base}", "{protocol}"]).toEqual(expect.arrayContaining(slots));
    }
  });
  it("are an empty list where there is no directory", async () => {
    expect(await listHarnesses("/nowhere")).toEqual([]);
  });
});

describe("the input hash", () => {
  it("does not run parts together", () => {
    const file = (path: string, sha256: string) => ({ path, executable: false, sha256 });
    const hashes = [
      hashInputs([file("a", "bc")], {}),
      hashInputs([file("ab", "c")], {}),
      hashInputs([], { a: "bc" }),
      hashInputs([], { ab: "c" }),
      hashInputs([file("a", "b"), file("c", "d")], {}),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(hashInputs([], { a: "1", b: "2" })).toBe(hashInputs([], { b: "2", a: "1" }));
  });
});
