/** The audit: nothing to say about the project's own images, and each kind of finding in an image that has it. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { auditImage } from "../../src/sandbox/images/audit.ts";
import { credentialIn, namedSecret } from "../../src/sandbox/images/audit-credentials.ts";
import { listHarnesses, loadHarness } from "../../src/sandbox/images/harness.ts";
import { docker, image, imagesDirectory, scratch } from "./engine.ts";

const made: string[] = [];
const folders: ReturnType<typeof scratch>[] = [];
afterEach(async () => {
  for (const digest of made.splice(0))
    await docker
      .getImage(digest)
      .remove({ force: true })
      .catch(() => {});
  for (const folder of folders.splice(0)) folder.drop();
});

/** An image made from a Dockerfile on the base, by the engine's own client. */
async function dirty(lines: string[]): Promise<string> {
  const folder = scratch();
  folders.push(folder);
  const base = (await image("base")).digest;
  writeFileSync(join(folder.path, "Dockerfile"), [`FROM ${base}`, "USER 0", ...lines].join("\n"));
  const digest = execFileSync("docker", ["build", "-q", "--force-rm", "--network", "none", folder.path], {
    encoding: "utf8",
    timeout: 60_000,
    env: { ...process.env, DOCKER_BUILDKIT: "0" },
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
  made.push(digest);
  return digest;
}

const kinds = async (lines: string[]): Promise<string[]> =>
  (await auditImage(docker, await dirty(lines))).findings.map((f) => `${f.kind} ${f.path}`).sort();

const names = await listHarnesses(imagesDirectory);

describe("the project's own images", () => {
  it.each(names)(
    "%s has no findings, and names its packages",
    async (name) => {
      const audit = await auditImage(docker, (await image(name)).digest);
      expect(audit.findings).toEqual([]);
      const packages = audit.packages.map((p) => p.name);
      expect(packages).toEqual(expect.arrayContaining(["git", "libc6", "npm", "socat", "node"]));
      const { package: pinned } = await loadHarness(name, imagesDirectory);
      if (pinned) expect(audit.packages).toContainEqual(expect.objectContaining({ kind: "npm", ...pinned }));
    },
    900_000,
  );
});

describe("an image that has what it should not", () => {
  it("is told by mode", async () => {
    const found = await kinds([
      "RUN cp /bin/true /opt/s && chmod 4755 /opt/s && cp /bin/true /opt/g && chmod 2755 /opt/g",
      "RUN touch /opt/w && chmod 666 /opt/w && mkdir /opt/open && chmod 777 /opt/open && mkdir /opt/sticky && chmod 1777 /opt/sticky",
      "RUN mkfifo /opt/fifo",
    ]);
    expect(found).toEqual([
      "device /opt/fifo",
      "setuid /opt/g",
      "setuid /opt/s",
      "world-writable /opt/open",
      "world-writable /opt/w",
    ]);
  });

  it("is told by its mount points, and by its working directory", async () => {
    const found = await kinds([
      "RUN rmdir /worktree && ln -s /etc /worktree",
      "WORKDIR /proc/self/fd/7",
      "VOLUME /data",
    ]);
    expect(found).toEqual(["configuration volumes", "configuration workdir", "mount-point /worktree"]);
  });

  it("is told by credentials in files, environment and history, without showing them", async () => {
    const key = `-----BEGIN PRIVATE KEY-----\\n${"QUFB".repeat(20)}\\n-----END PRIVATE KEY-----`;
    const digest = await dirty([
      `RUN mkdir -p /root/.ssh /opt/doc && echo '${key}' > /opt/doc/key.txt && touch /root/.ssh/id_ed25519 /root/.netrc`,
      "ENV API_TOKEN=canary-value",
      "RUN DB_PASSWORD=canary-value true",
      "RUN echo '-----BEGIN PRIVATE KEY----- is the first line' > /opt/doc/about.txt && touch /root/.ssh/id_ed25519.pub",
    ]);
    const { findings } = await auditImage(docker, digest);
    const places = new Set(findings.map((f) => `${f.kind} ${f.path}`));
    expect([...places].sort()).toEqual([
      "credential /opt/doc/key.txt",
      "credential /root/.netrc",
      "credential /root/.ssh/id_ed25519",
      "credential env",
      "credential history",
    ]);
    expect(JSON.stringify(findings)).not.toContain("canary-value");
  });

  it("is told by caches left behind", async () => {
    expect(
      await kinds([
        "RUN mkdir -p /var/lib/apt/lists /root/.npm/_cacache && touch /var/lib/apt/lists/x /root/.npm/_cacache/y",
      ]),
    ).toEqual(["cache /root/.npm/_cacache/y", "cache /var/lib/apt/lists/x"]);
  });

  it("is not found under a digest that the engine does not know", async () => {
    const error = await auditImage(docker, `sha256:${"0".repeat(64)}`).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "not-found" });
  });
});

describe("what looks like a credential", () => {
  it.each([
    [`ghp_${"a1B2".repeat(9)}`, true],
    ["ghp_short", false],
    ["AKIAABCDEFGHIJKLMNOP", true],
    ["AKIAIOSFODNN7EXAMPLE", false],
    ["//registry.example.org/:_authToken=abcdef0123456789", true],
    ["//registry.example.org/:_authToken=${NPM_TOKEN}", false],
  ])("%s", (text, is) => expect(credentialIn(text) !== undefined).toBe(is));
  it("is a value under a telling name, and not the name alone", () => {
    expect(namedSecret("SERVICE_API_KEY=abcdef")).toBe("a value for SERVICE_API_KEY");
    expect(namedSecret("NPM_TOKEN=$NPM_TOKEN")).toBeUndefined();
    expect(namedSecret("TOKENIZER=")).toBeUndefined();
  });
});
