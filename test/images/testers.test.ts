/** The tester images: nothing to find in them, and their tools work with no network, a home in memory and no caches left. */
import { beforeAll, describe, expect, it } from "vitest";
import { auditImage } from "../../src/sandbox/images/audit.ts";
import { loadHarness } from "../../src/sandbox/images/harness.ts";
import { docker, image, imagesDirectory, run } from "./engine.ts";

const tools: Record<string, { packages: string[]; command: string; says: RegExp }> = {
  python: {
    packages: ["python3", "python3-pytest", "python3-pytest-cov"],
    command:
      "cd /tmp && mkdir src && echo 'x = 1' >src/mine.py && echo 'from mine import x' >test_a.py && printf 'def test_a():\\n    assert x == 1\\n' >>test_a.py && pytest -q && find . -name __pycache__ -o -name .pytest_cache",
    says: /^\.\s.*\n1 passed in \S+\n?$/,
  },
  go: { packages: ["golang-go"], command: "go env CGO_ENABLED GOPROXY GOSUMDB", says: /^0\noff\noff\n$/ },
  rust: { packages: ["cargo", "rustc"], command: "rustc --version && cargo --version", says: /^rustc .*\ncargo / },
  "node-tools": {
    packages: ["vitest", "jest", "mocha"],
    command: 'cd /tmp && echo \'import "vitest"; console.log("found")\' >a.mjs && node a.mjs',
    says: /^found\n$/,
  },
};

describe.each(Object.entries(tools))("%s", (name, { packages, command, says }) => {
  let digest: string;
  beforeAll(async () => {
    digest = (await image(name)).digest;
  }, 900_000);

  it("is a tester and nothing else", async () => {
    expect((await loadHarness(name, imagesDirectory)).roles).toEqual(["tester"]);
  });

  it("has its packages, and nothing that an image should not have", async () => {
    const audit = await auditImage(docker, digest);
    expect(audit.findings).toEqual([]);
    expect(audit.packages.map((one) => one.name)).toEqual(expect.arrayContaining(packages));
  }, 300_000);

  it("works without a network, and leaves no caches", async () => {
    expect(await run(digest, ["/bin/sh", "-c", command], { seconds: 120 })).toEqual({
      exit: 0,
      output: expect.stringMatching(says),
    });
  }, 180_000);
});

describe("Debian packages of an image's own", () => {
  it("leave the base below as it is", async () => {
    const base = await docker.getImage((await image("base")).digest).inspect();
    const python = await docker.getImage((await image("python")).digest).inspect();
    const layers = (of: typeof base) => of.RootFS?.Layers ?? [];
    expect(layers(python).slice(0, layers(base).length)).toEqual(layers(base));
  }, 900_000);

  it("no documentation, no lists and caches of apt", async () => {
    const command = "ls /usr/share/man /usr/share/doc/python3/ /var/cache/apt /var/lib/apt /etc/apt 2>/dev/null; true";
    const done = await run((await image("python")).digest, ["/bin/sh", "-c", command]);
    expect(
      done.output.split("\n").filter((line) => line !== "" && !line.endsWith(":") && line !== "copyright"),
    ).toEqual([]);
  }, 300_000);
});
