import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { brief } from "../../src/domain/brief.ts";
import type { SallyportError } from "../../src/domain/error.ts";
import { policyFile } from "../../src/domain/policy.ts";
import { loadDocument, parseDocument, type Schema, whereIn } from "../../src/policy/document.ts";

const run = promisify(execFile);
const problem = (text: string, schema: Schema<unknown> = policyFile): SallyportError => {
  try {
    parseDocument(text, "p.yaml", schema, "policy-invalid");
  } catch (error) {
    return error as SallyportError;
  }
  throw new Error("it was taken");
};

describe("a document", () => {
  test("is YAML, and JSON is YAML", () => {
    const yaml = parseDocument(
      "version: 1\nnetwork:\n  - { host: a.org, methods: [GET] }\n",
      "p.yaml",
      policyFile,
      "policy-invalid",
    );
    const json = parseDocument(
      '{\n\t"version": 1,\n\t"network": [{"host":"a.org","methods":["GET"]}]\n}',
      "p.json",
      policyFile,
      "policy-invalid",
    );
    expect(json).toEqual(yaml);
    expect(whereIn(yaml, ["network", 0, "methods", 0])).toBe("p.yaml:3:30");
    expect(whereIn({}, [])).toBeUndefined();
  });

  test.each([
    ["a duplicate key", "version: 1\nversion: 1", /p\.yaml:2:1 .*twice/],
    ["a duplicate key in another spelling", 'version: 1\n"version": 1', /p\.yaml:2:1 .*twice/],
    ["an anchor and alias", "version: &v 1\nnetwork: *v", /p\.yaml:1:13 .*anchor[\s\S]*p\.yaml:2:10 .*alias/],
    ["a tag", "version: !!int 1", /tag/],
    ["an unknown tag", "version: !js 1", /p\.yaml:1:10 /],
    ["a directive", "%YAML 1.1\n---\nversion: 1", /directive/],
    ["two documents", "version: 1\n---\nversion: 1", /multiple documents/],
    ["__proto__", "version: 1\n__proto__: { a: 1 }", /p\.yaml:2:1 .*__proto__/],
    [
      "constructor, where any name could stand",
      'version: 1\nmodels: { constructor: { base: "https://a.org" } }',
      /constructor/,
    ],
    ["prototype", '{"version": 1, "models": {"prototype": {"base": "https://a.org"}}}', /prototype/],
    ["half of a surrogate pair", 'version: 1\nextends: "\\ud800"', /surrogate/],
    ["bad syntax", "version: [1", /p\.yaml:1:/],
    ["nothing", "", /p\.yaml:1:1 .*(?:nothing|null).*a mapping/],
    ["a merge key", "version: 1\n<<: { extends: base }", /unknown key `<<`/],
  ])("with %s is refused", (_, text, message) => {
    const error = problem(text);
    expect(error.code).toBe("policy-invalid");
    expect(error.message).toMatch(message);
    expect(({} as { a?: number }).a).toBeUndefined();
  });

  test("every problem is named with its place, what was found, what was expected, and what was probably meant", () => {
    const error = problem(
      "version: 2\nnetwrk: []\nnetwork:\n  - hots: a.org\n    methods: [GET, FETCH]\n    paths: [x]\nsandbox: { memory: lots, cpus: fast }\n",
    );
    expect(error.message.split("\n").slice(1)).toEqual([
      "  p.yaml:1:10 version: found 2, expected 1",
      "  p.yaml:2:1 unknown key `netwrk`; did you mean `network`?",
      expect.stringMatching(/^ {2}p\.yaml:4:5 .*host: missing, expected a text$/),
      "  p.yaml:4:5 unknown key `network[0].hots`; did you mean `host`?",
      '  p.yaml:5:20 network[0].methods[1]: found "FETCH", expected one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
      expect.stringMatching(
        /^ {2}p\.yaml:6:13 network\[0\]\.paths\[0\]: found "x", expected a text that starts with "\/"$/,
      ),
      '  p.yaml:7:20 sandbox.memory: found "lots", expected a size such as 4GiB or 512KiB',
      '  p.yaml:7:32 sandbox.cpus: found "fast", expected a number',
    ]);
    expect(error.at).toBe("p.yaml:1:10");
  });

  test("of a union, the branch that was meant is explained", () => {
    const error = problem(
      "title: abc\nintent: i\ninstructions: x\nexecutor: codex\npolicy: p\naccept:\n  - { id: A1, must: m, checks: [{ absent: x, inn: a }] }\n",
      brief,
    );
    expect(error.message).toMatch(/p\.yaml:7:.*did you mean `in`/);
  });

  test("is bounded: size, depth, and time in the number of keys", () => {
    expect(problem(`a: ${"x".repeat(1024 ** 2)}`).message).toMatch(/larger than 1 MiB/);
    expect(problem("[".repeat(100_000)).code).toBe("policy-invalid");
    expect(problem(`${"[".repeat(80)}${"]".repeat(80)}`).message).toMatch(/levels/);
    expect(problem(`${"- ".repeat(20_000)}a`).code).toBe("policy-invalid");
    const begin = performance.now();
    problem(Array.from({ length: 60_000 }, (_, i) => `k${i}: v`).join("\n"));
    expect(performance.now() - begin).toBeLessThan(10_000);
  });
});

describe("a document file", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "document-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));
  const load = (name: string) => loadDocument(join(directory, name), policyFile, "config-invalid");

  test("is read, also through a link", async () => {
    await writeFile(join(directory, "a.yaml"), "version: 1\n");
    await symlink("a.yaml", join(directory, "b.yaml"));
    expect(await load("b.yaml")).toEqual({ version: 1 });
  });

  test("that is missing, a directory, a fifo, too large or not text is refused at once", async () => {
    await run("mkfifo", [join(directory, "fifo")]);
    await writeFile(join(directory, "large"), " ".repeat(1024 ** 2 + 1));
    await writeFile(join(directory, "bytes"), Buffer.from([0x61, 0x3a, 0xff]));
    await expect(load("none")).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringMatching(/does not exist/),
    });
    for (const name of [".", "fifo"])
      await expect(load(name)).rejects.toMatchObject({ message: expect.stringMatching(/not a regular file/) });
    await expect(load("large")).rejects.toMatchObject({ message: expect.stringMatching(/1 MiB/) });
    await expect(load("bytes")).rejects.toMatchObject({ message: expect.stringMatching(/UTF-8/) });
  });
});
