import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "./run.ts";

let state: string;
beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), "sallyport-cli-"));
});
afterAll(() => rm(state, { recursive: true, force: true }));

describe("the command line", () => {
  it.each([
    [["--help"], /Usage: sallyport/],
    [["delegate", "--help"], /Examples:/],
    [["audit", "verify", "--help"], /--anchor/],
    [["--version"], /^\d+\.\d+\.\d+/],
  ])("helps: %j", async (args, expected) => {
    const { code, stdout } = await run(args);
    expect(stdout).toMatch(expected);
    expect(code).toBe(0);
  });

  it.each([
    [["frobnicate"]],
    [["show"]],
    [["delegate"]],
    [["list", "--wrong"]],
    [["land", "d-aaaaaaaaaaaaaaaa", "extra"]],
  ])("exits 2 for %j and says how to go on", async (args) => {
    const { code, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--help|error:/);
  });

  it("says that no daemon answers, and what to do, with exit code 6", async () => {
    const { code, stderr } = await run(["list", "--state", state]);
    expect(code).toBe(6);
    expect(stderr).toContain("no daemon at");
    expect(stderr).toContain("next: Start one with `sallyport daemon`");
    expect(stderr).toContain("code: host-unreachable");
  });

  it("gives the same as JSON on standard output", async () => {
    const { code, stdout } = await run(["list", "--json", "--state", state]);
    expect(code).toBe(6);
    expect(JSON.parse(stdout)).toEqual({
      error: expect.objectContaining({ code: "host-unreachable", next: expect.any(String) }),
    });
  });

  it("takes --state and --json before and after the command, and from the environment", async () => {
    for (const args of [
      ["--json", "--state", state, "list"],
      ["list", "--state", state, "--json"],
    ]) {
      expect(JSON.parse((await run(args)).stdout).error.message).toContain(state);
    }
    expect((await run(["list"], { SALLYPORT_STATE: state })).stderr).toContain(state);
    expect((await run(["list"], { SALLYPORT_SOCKET: "/nowhere/else.sock" })).stderr).toContain("/nowhere/else.sock");
  });

  it("names file, line and column of a brief's faults before anything is asked", async () => {
    const brief = join(state, "brief.yaml");
    await writeFile(
      brief,
      "title: A title\nintent: why\ninstructions: how\naccept: []\nexecutor: scripted\npolicy: base\nwriteable: [src]\n",
    );
    const { code, stderr } = await run(["delegate", brief, "--state", state]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${brief}:7:1`);
    expect(stderr).toContain("writable");
    expect(stderr).toContain("code: brief-invalid");
  });

  it("runs a brief that is valid as far as the daemon that is not there", async () => {
    const brief = join(state, "good.yaml");
    await writeFile(
      brief,
      "title: A title\nintent: why\ninstructions: how\naccept: [{ id: A1, must: it works }]\nexecutor: scripted\npolicy: base\n",
    );
    const { code, stderr } = await run(["delegate", brief, "--state", state]);
    expect(code).toBe(6);
    expect(stderr).toContain("host-unreachable");
  });
});

describe("policy", () => {
  it("checks a shipped policy and its expectations", async () => {
    const { code, stdout } = await run(["policy", "check", "node-library", "--state", state]);
    expect(stdout).toMatch(/node-library is valid/);
    expect(code).toBe(0);
  });

  it("explains a denial with the smallest change, and an allowance with its rule", async () => {
    const denied = await run([
      "policy",
      "explain",
      "node-library",
      "POST https://registry.npmjs.org/left-pad",
      "--json",
      "--state",
      state,
    ]);
    expect(denied.code).toBe(5);
    expect(JSON.parse(denied.stdout)).toMatchObject({
      allow: false,
      code: "method",
      next: expect.stringContaining("POST"),
    });
    const allowed = await run([
      "policy",
      "explain",
      "node-library",
      "GET https://registry.npmjs.org/left-pad",
      "--json",
      "--state",
      state,
    ]);
    expect(allowed.code).toBe(0);
    expect(JSON.parse(allowed.stdout)).toMatchObject({
      allow: true,
      rule: expect.stringContaining("registry.npmjs.org"),
    });
  });

  it("refuses a policy with a fault, by line", async () => {
    const file = join(state, "wrong.yaml");
    await writeFile(file, 'version: 1\nextends: base\nnetwork:\n  - { host: "*" }\n');
    const { code, stderr } = await run(["policy", "check", file, "--state", state]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${file}:4`);
  });

  it("fails a policy whose own expectation does not hold", async () => {
    const file = join(state, "unmet.yaml");
    await writeFile(
      file,
      'version: 1\nextends: base\nexpect:\n  - { request: "GET https://example.org/", is: allow }\n',
    );
    expect((await run(["policy", "test", file, "--state", state])).code).toBe(1);
  });
});

describe("audit without a daemon", () => {
  it("says that there is no key to check with", async () => {
    const { code, stderr } = await run(["audit", "verify", "--state", join(state, "empty")]);
    expect(code).toBe(2);
    expect(stderr).toContain("not-found");
  });

  it("refuses an anchor that is none", async () => {
    const { code, stderr } = await run(["audit", "verify", "--anchor", "12", "--state", state]);
    expect(code).toBe(2);
    expect(stderr).toContain("SEQ:HASH");
  });
});
