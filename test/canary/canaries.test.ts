/** The searcher itself: it finds what was planted, in the forms that it must, and is still where nothing was. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { searchFor } from "../../src/secrets/masker.ts";
import { program } from "../e2e/cli.ts";
import { searchTree } from "./search-tree.ts";

// Not the run's own: what is planted here may not make this run red.
const value = "cn5c1f0e9b7a7d20cc91e4";
const search = searchFor(new Map([["planted", [value]]]));
let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "canaries-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let made = 0;
function folder(write: (path: string) => void): string {
  const path = join(directory, String(made++));
  mkdirSync(path);
  write(path);
  return path;
}
const git = (path: string, ...args: string[]) =>
  execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.org", ...args], { cwd: path, stdio: "ignore" });

describe("the searcher", () => {
  const bytes = Buffer.from(value);
  it.each<[string, string | Buffer]>([
    ["as it is", `a ${value} b`],
    ["in base64, at the beginning of a group", bytes.toString("base64")],
    ["in base64, one byte later", Buffer.concat([Buffer.from("x"), bytes]).toString("base64")],
    ["in base64, two bytes later", Buffer.concat([Buffer.from("xy"), bytes]).toString("base64")],
    ["in hex", bytes.toString("hex")],
    ["in a URL, each byte encoded", [...bytes].map((byte) => `%${byte.toString(16)}`).join("")],
    ["in UTF-16", Buffer.from(value, "utf16le")],
    ["across the border of two pieces", Buffer.concat([Buffer.alloc(1024 * 1024 - 7), bytes, Buffer.alloc(9)])],
  ])("finds it %s", (_, content) => {
    const path = folder((at) => {
      mkdirSync(join(at, "deep"));
      writeFileSync(join(at, "deep", "file"), content, { mode: 0o000 });
    });
    expect(searchTree(path, search)).toEqual([{ path: join(path, "deep", "file"), name: "planted" }]);
  });

  it("finds it in a file's name, in a loose object and in a pack", () => {
    const named = folder((at) => writeFileSync(join(at, `a-${value}`), ""));
    expect(searchTree(named, search)).toHaveLength(1);
    const repository = folder((at) => {
      git(at, "init", "-q", ".");
      // Long and repeated, so that neither deflate nor a delta leaves it as it is.
      writeFileSync(join(at, "f"), `${value}\n${"line of text\n".repeat(500)}`);
      git(at, "add", "f");
      git(at, "commit", "-qm", "x");
      rmSync(join(at, "f"));
    });
    expect(searchTree(repository, search).map(({ path }) => path)).toEqual([
      expect.stringMatching(/objects\/[0-9a-f]{2}\/[0-9a-f]{38}$/),
    ]);
    git(repository, "gc", "-q", "--prune=now");
    expect(readdirSync(join(repository, ".git/objects/pack")).some((name) => name.endsWith(".pack"))).toBe(true);
    expect(searchTree(repository, search).map(({ path }) => path)).toEqual([expect.stringContaining(".pack/objects/")]);
  });

  it("finds nothing where there is nothing, where a link leads, or where it is meant to be", () => {
    const other = folder((at) => writeFileSync(join(at, "real"), value));
    const path = folder((at) => {
      writeFileSync(join(at, "a"), value.slice(1));
      symlinkSync(other, join(at, "link"));
    });
    expect(searchTree(path, search)).toEqual([]);
    expect(searchTree(other, search, [join(other, "real")])).toEqual([]);
    renameSync(join(other, "real"), join(other, "really"));
    expect(searchTree(other, search, [join(other, "real")])).toHaveLength(1);
  });
});

describe("a run of the tests", () => {
  let image = "";
  beforeAll(() => {
    const built = execFileSync(
      "flock",
      ["/tmp/sallyport-test-images.lock", program, "image", "build", "base", "--json"],
      { timeout: 600_000, stdio: ["ignore", "pipe", "inherit"] },
    );
    [{ digest: image }] = JSON.parse(built.toString()) as [{ digest: string }];
  }, 600_000);
  const run = (how: string) =>
    execFileSync(process.execPath, [join(import.meta.dirname, "leaky-run.ts"), how, image], {
      encoding: "utf8",
      timeout: 60_000,
      env: { ...process.env, TMPDIR: directory },
      stdio: ["ignore", "pipe", "inherit"],
    });

  it.each([
    ["left", /red: .*secret in \S*\/a\/log\.txt/s],
    ["variable", /red: .*variable in \S*\/a\/log\.txt/s],
    ["removed", /thrown: .*\nthe run is red: .*secret in/s],
    ["removed later", /thrown: .*the run is red: .*secret in/s],
    ["container", /red: .*secret in container/s],
  ])("is red when one is %s", (how, said) => {
    const text = run(how).replace(/^canaries: .*\n/m, "");
    expect(text).toMatch(said);
    expect(text).toMatch(/, exit 1\n$/);
    // Found and named, and not shown.
    expect(text).not.toMatch(/canary-cn[0-9a-f]/);
  });

  it.each(["clean", "allowed", "clean container"])("is green when it is %s", (how) => {
    expect(run(how)).toMatch(/the run is clean/);
  });
});
