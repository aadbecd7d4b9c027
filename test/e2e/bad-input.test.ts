/** What goes wrong in the world: each has a clear error with a next step, the right exit code, nothing left, and a ledger that tells. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import { run } from "./cli.ts";
import { defaultBrief, openHost, type TestHost } from "./daemon.ts";
import { leftovers } from "./leftovers.ts";
import { library, owner } from "./repository.ts";

let host: TestHost;
beforeAll(async () => {
  host = await openHost({
    policies: {
      "bad-key": { version: 1, extends: "quick", sandbox: { privileged: true } },
      "bad-type": { version: 1, extends: "quick", sandbox: { memory: "lots" } },
      "bad-wildcard": { version: 1, extends: "quick", network: [{ host: "*" }] },
      "bad-private": {
        version: 1,
        extends: "quick",
        network: [{ host: "example.org", addresses: ["not-an-address"] }],
      },
      orphan: { version: 1, extends: "no-such-policy" },
      secretive: { version: 1, extends: "quick", secrets: { a: { from: "env:A" } } },
      "no-setup": {
        version: 1,
        extends: "quick",
        tests: { setup: "exit 7", run: "true", report: "exit", evidence: [] },
      },
      "no-report": {
        version: 1,
        extends: "quick",
        tests: { run: "true", report: "junit", runner: "node-test", evidence: ["test/**"] },
      },
    },
  });
}, 600_000);
afterAll(() => host?.close());

/** A refused `delegate`: its code, exit code and next step. */
async function refused(file: string, repo: string, ...args: string[]) {
  const said = await host.cli("delegate", file, "--repo", repo, ...args);
  const error = said.error();
  expect([file, error.next], said.stdout).toEqual([file, expect.stringMatching(/\w/)]);
  return { exit: said.code, code: error.code, message: error.message, at: error.at ?? "" };
}

describe("what does not exist", () => {
  it("a repository, a ref, a policy, a harness, a brief", async () => {
    const { path } = host.repository();
    expect(await refused(host.brief(), join(host.directory, "r/none"))).toMatchObject({
      exit: 2,
      code: "repository-invalid",
    });
    mkdirSync(join(host.directory, "r/plain"));
    expect(await refused(host.brief(), join(host.directory, "r/plain"))).toMatchObject({
      exit: 2,
      code: "repository-invalid",
    });
    expect(await refused(host.brief(), path, "--base", "nonsense")).toMatchObject({ exit: 2, code: "ref-invalid" });
    expect(await refused(host.brief(), path, "--base", "0".repeat(40), "--onto", "x")).toMatchObject({
      exit: 2,
      code: "ref-invalid",
    });
    expect(await refused(host.brief({ policy: "nowhere" }), path)).toMatchObject({ exit: 2, code: "not-found" });
    expect(await refused(host.brief({ executor: "nobody" }), path)).toMatchObject({ exit: 2, code: "not-found" });
    const missing = await host.cli("delegate", join(host.directory, "none.yaml"), "--repo", path);
    expect([missing.code, missing.error().code]).toEqual([2, "brief-invalid"]);
  });

  it("an image, named with the command that builds it", async () => {
    const images = join(host.directory, "images", "unbuilt");
    mkdirSync(images);
    writeFileSync(
      join(images, "harness.yaml"),
      "name: unbuilt\nroles: [executor]\ndescription: never built\ncommand: [sh]\nsmoke: [sh]\n",
    );
    writeFileSync(join(images, "Dockerfile"), "ARG BASE\nFROM $BASE\n");
    const said = await host.cli("delegate", host.brief({ executor: "unbuilt" }), "--repo", host.repository().path);
    expect([said.code, said.error().code]).toEqual([5, "image-missing"]);
    expect(said.error().next).toContain("image build unbuilt");
  });

  it("an engine: the daemon does not start, and doctor says the same", async () => {
    const env = { DOCKER_HOST: `unix://${host.directory}/dead.sock`, SALLYPORT_STATE: join(host.directory, "s2") };
    const daemon = await run(["daemon", "--json"], { env, seconds: 20 });
    expect([daemon.code, daemon.error().code]).toEqual([5, "engine-missing"]);
    expect(daemon.error().next).toMatch(/make engine|DOCKER_HOST/);
    const doctor = await run(["doctor", "--json"], { env, seconds: 20 });
    expect(doctor.code).toBe(5);
    expect(
      doctor.json<{ control: string; state: string; fix: string }[]>().find((f) => f.control === "engine"),
    ).toMatchObject({ state: "fail" });
    const tcp = await run(["doctor", "--json"], { env: { ...env, DOCKER_HOST: "tcp://127.0.0.1:2375" }, seconds: 20 });
    expect(tcp.stdout).toContain("only a unix:// socket");
    expect(leftovers(join(host.directory, "s2"))).toEqual([]);
  });

  it("rights: a daemon that is not root, a state directory that others may write", async () => {
    const loose = join(host.directory, "s3");
    mkdirSync(loose);
    execFileSync("chmod", ["777", loose]);
    const said = await run(["daemon", "--json"], { env: { SALLYPORT_STATE: loose }, seconds: 20 });
    expect([said.code, said.error().code]).toEqual([5, "control-missing"]);
    const long = await run(["daemon", "--json", "--state", join(host.directory, "x".repeat(120))], { seconds: 20 });
    expect([long.code, long.error().code]).toEqual([2, "usage"]);
  });
});

describe("what is not valid", () => {
  it("a brief: unknown keys, wrong types, doubled ids, globs that meet nothing, files that are not there; with line and column", async () => {
    const { path } = host.repository();
    const bad: Record<string, unknown>[] = [
      { colour: "red" },
      { accept: [] },
      {
        accept: [
          { id: "A1", must: "x" },
          { id: "A1", must: "y" },
        ],
      },
      { accept: [{ id: "lower", must: "x" }] },
      { budget: { wall: "soon" } },
      { budget: { attempts: 0 } },
      { title: 7 },
      { title: "" },
      { writable: "src/**" },
      { writable: ["/etc/**"] },
      { writable: ["../x"] },
      { accept: [{ id: "A1", must: "x", checks: [{ absent: "(", in: "src/**" }] }] },
      { accept: [{ id: "A1", must: "x", checks: [{ run: "true", files: ["../x"] }] }] },
      { accept: [{ id: "A1", must: "x", checks: [{ run: "true", files: ["none.mjs"] }] }] },
      { accept: [{ id: "A1", must: "x", checks: [{ absent: "x", in: "nothing/**" }] }] },
      { writable: ["src/*.py"] },
      { visible: ["none/**"] },
    ];
    for (const fields of bad) {
      const brief = { ...defaultBrief, ...fields };
      const answer = await host.api("POST", "/v1/delegations", { repository: path, brief });
      const { error } = JSON.parse(answer.body) as { error: { code: string; next: string } };
      expect([JSON.stringify(fields), answer.status, error.code, error.next]).toEqual([
        JSON.stringify(fields),
        400,
        "brief-invalid",
        expect.stringMatching(/\w/),
      ]);
    }
    expect(await refused(host.brief({ colour: "red" }), path)).toMatchObject({ exit: 2, code: "brief-invalid" });
    const yaml = join(host.directory, "broken.yaml");
    writeFileSync(yaml, "title: a\n  intent: [\n");
    expect((await refused(yaml, path)).at).toMatch(/broken\.yaml:\d+:\d+/);
    const text = Object.entries(defaultBrief).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
    writeFileSync(yaml, `${text.join("")}colour: red\n`);
    expect((await refused(yaml, path)).at).toMatch(/broken\.yaml:7:1/);
  }, 120_000);

  it("a policy: unknown keys, wrong types, wildcards, what this version does not enforce", async () => {
    const { path } = host.repository();
    for (const policy of ["bad-key", "bad-type", "bad-wildcard", "bad-private", "secretive"]) {
      const error = await refused(host.brief({ policy }), path);
      expect([policy, error.exit, error.code]).toEqual([policy, 2, "policy-invalid"]);
      expect(error.at).toContain(`${policy}.yaml:`);
    }
    expect((await refused(host.brief({ policy: "orphan" }), path)).exit).toBe(2);
  });

  it("a policy whose setup fails, or whose tests are not run: the delegation fails and says why", async () => {
    for (const [policy, words] of [
      ["no-setup", "tests.setup"],
      ["no-report", "report"],
    ] as const) {
      const said = await host.cli(
        "delegate",
        host.brief({ policy, budget: { attempts: 1 } }),
        "--repo",
        host.repository().path,
        "--wait",
      );
      const d = said.json<Delegation>();
      expect([policy, said.code, d.state, d.reason]).toEqual([policy, 6, "failed", expect.stringContaining(words)]);
    }
  });
});

describe("odd repositories", () => {
  it("an empty one is refused, one with only a first commit is not", async () => {
    const path = join(host.directory, "r/empty");
    mkdirSync(path);
    execFileSync("git", ["init", "-q", path]);
    execFileSync("chown", ["-R", `${owner.uid}:${owner.gid}`, path]);
    expect(await refused(host.brief(), path)).toMatchObject({ exit: 2, code: "repository-invalid" });
  });

  it("a dirty checkout: only what is committed counts, and its files stay", async () => {
    const repository = host.repository();
    execFileSync(
      "bash",
      [
        "-c",
        "echo dirty >> README.md; echo untracked > new.txt; echo staged > src/s.js; git -c safe.directory='*' add src/s.js",
      ],
      { cwd: repository.path },
    );
    const before = repository.fingerprint();
    const d = await host.turn(
      repository,
      {
        instructions:
          "test ! -e new.txt && test ! -e src/s.js && ! grep -q dirty README.md && sed -i s/floor/round/ src/money.js",
      },
      { onto: "fixed" },
    );
    expect(d.state, JSON.stringify(d.attempts)).toBe("approved");
    expect((await host.cli("land", d.id)).code).toBe(0);
    expect(repository.fingerprint().replace(/^refs\/heads\/fixed .*\n/m, "")).toBe(before);
  });

  it("links, LFS pointers, long and spaced names come through as they are; a file that is only data stays data", async () => {
    const long = `src/${"ä".repeat(100)}.txt`;
    const files = {
      ...library,
      [long]: "long\n",
      "src/with space & $(sign).txt": "odd\n",
      "data.bin":
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n",
      ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
    };
    const repository = host.repository("odd", files);
    execFileSync("ln", ["-s", "money.js", join(repository.path, "src/alias.js")]);
    repository.git("add", "-A");
    repository.git("commit", "-qm", "link");
    const d = await host.turn(
      repository,
      {
        instructions:
          "grep -q git-lfs data.bin && test -L src/alias.js && ls src | wc -l && sed -i s/floor/round/ src/money.js",
      },
      { onto: "fixed" },
    );
    expect(d.state, JSON.stringify(d.attempts)).toBe("approved");
    expect((await host.cli("land", d.id)).code).toBe(0);
    expect(repository.git("diff", "--name-only", "main", "fixed")).toBe("src/money.js");
  });

  it("names that are not UTF-8 in the base, and a submodule: said or carried, never a crash", async () => {
    const repository = host.repository("bytes");
    execFileSync("bash", ["-c", "printf x > $'src/\\xff\\xfe.txt'"], { cwd: repository.path });
    repository.git("add", "-A");
    repository.git("update-index", "--add", "--cacheinfo", `160000,${repository.head},vendor/sub`);
    repository.git("commit", "-qm", "odd");
    const said = await host.cli("delegate", host.brief(), "--repo", repository.path, "--onto", "fixed", "--wait");
    const d = said.json<Delegation & { error?: { code: string; next: string } }>();
    if (d.error) expect([said.code, d.error.code]).toEqual([2, "repository-invalid"]);
    else if (d.state === "failed") expect([said.code, d.reason]).toEqual([6, expect.stringMatching(/sub|UTF-8|name/i)]);
    else {
      expect(d.state).toBe("approved");
      expect((await host.cli("land", d.id)).code).toBe(0);
      expect(repository.git("diff", "--name-only", "main", "fixed")).toBe("src/money.js");
    }
  });
});
